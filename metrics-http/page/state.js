// The view: everything that a link shares, and its form as the page's query string.
// Where /v1/query has a parameter for something, the page's own address calls it the same.
// The address holds the first panel's parameters as they are, and each further panel's in one parameter `panel`.

import { isFilter } from "./filter.js";
import { widthMs } from "./format.js";
import { isZone, localZone } from "./zone.js";

export const PERS = ["auto", "10s", "minute", "5m", "15m", "hour", "6h", "day", "week", "month", "raw"];
export const AGGREGATES = [
  "avg",
  "min",
  "max",
  "sum",
  "count",
  "first",
  "last",
  "stddev",
  "median",
  "p95",
  "p99",
  "rate",
  "increase",
];
export const PRESETS = ["15m", "1h", "6h", "24h", "7d", "30d", "all"];
export const MAX_METRICS = 20;
export const MAX_PANELS = 12;
const MAX_FILTERS = 20;
const MAX_HIDDEN = 100;
const QUANTILE = /^p(?:100|\d{1,2}(?:\.\d)?)$/;

/**
 * What a panel draws, without any choice made. Either `only` names the series that are drawn, or all are but those in
 * `hide`.
 */
export function emptyPanel() {
  return {
    names: [],
    per: "auto",
    agg: "avg",
    groupBy: "",
    where: [],
    hide: [],
    only: [],
    zero: false,
    band: true,
    split: false,
  };
}

/**
 * Reads a view from a query string: { time, panels }; what cannot be read keeps its default. `time` is what all panels
 * share, { range, tz, live }. A range is one of { last: "1h" } (up to now), { from, to } (ms, half-open) and
 * { all: true }.
 */
export function decodeView(search) {
  const params = new URLSearchParams(search);
  const time = {
    range: decodeRange(params) ?? { last: "1h" },
    tz: isZone(params.get("tz")) ? params.get("tz") : localZone(),
    live: params.get("live") !== "0",
  };
  const more = params.getAll("panel").map((text) => new URLSearchParams(text));
  return { time, panels: [params, ...more].slice(0, MAX_PANELS).map(decodePanel) };
}

function decodePanel(params) {
  const panel = emptyPanel();
  const all = (key, most) => [...new Set(params.getAll(key).filter((text) => text !== ""))].slice(0, most);
  panel.names = all("name", MAX_METRICS);
  panel.where = all("where", MAX_FILTERS).filter(isFilter);
  panel.only = all("only", MAX_HIDDEN);
  panel.hide = panel.only.length > 0 ? [] : all("hide", MAX_HIDDEN);
  const per = params.get("per") ?? "";
  if (PERS.includes(per) || widthMs(per) > 0) panel.per = per;
  const agg = params.get("agg") ?? "";
  if (AGGREGATES.includes(agg) || QUANTILE.test(agg)) panel.agg = agg;
  panel.groupBy = params.get("group_by") ?? "";
  panel.zero = params.get("zero") === "1";
  panel.band = params.get("band") !== "0";
  panel.split = params.get("split") === "1";
  return panel;
}

function decodeRange(params) {
  const from = params.get("from") ?? "";
  const to = params.get("to") ?? "";
  if (from === "all") return { all: true };
  if (from.startsWith("now-") && (to === "" || to === "now")) {
    return widthMs(from.slice(4)) > 0 ? { last: from.slice(4) } : null;
  }
  const range = { from: Date.parse(from), to: Date.parse(to) };
  return range.from < range.to ? range : null;
}

/** The query string of a view: what differs from the default, and the zone, so that a link means the same anywhere. */
export function encodeView({ time, panels }) {
  const params = new URLSearchParams();
  appendNames(params, panels[0]);
  for (const [key, text] of encodeRange(time.range)) params.append(key, text);
  appendChoices(params, panels[0]);
  params.append("tz", time.tz);
  appendLooks(params, panels[0]);
  if (!time.live) params.append("live", "0");
  for (const panel of panels.slice(1)) {
    const own = new URLSearchParams();
    for (const append of [appendNames, appendChoices, appendLooks]) append(own, panel);
    params.append("panel", String(own));
  }
  return `?${params}`;
}

function appendNames(params, { names }) {
  for (const name of names) params.append("name", name);
}

function appendChoices(params, { per, agg, groupBy, where }) {
  if (per !== "auto") params.append("per", per);
  if (agg !== "avg") params.append("agg", agg);
  if (groupBy !== "") params.append("group_by", groupBy);
  for (const filter of where) params.append("where", filter);
}

function appendLooks(params, { only, hide, zero, band, split }) {
  for (const key of only) params.append("only", key);
  for (const key of hide) params.append("hide", key);
  if (zero) params.append("zero", "1");
  if (!band) params.append("band", "0");
  if (split) params.append("split", "1");
}

function encodeRange(range) {
  if (range.all) return [["from", "all"]];
  if (range.last) return [["from", `now-${range.last}`]];
  return [
    ["from", new Date(range.from).toISOString()],
    ["to", new Date(range.to).toISOString()],
  ];
}

/** Whether two ranges are the same. */
export function sameRange(a, b) {
  return JSON.stringify(encodeRange(a)) === JSON.stringify(encodeRange(b));
}

/** Whether a view's series is drawn, by its key. */
export function isVisible(view, key) {
  return view.only.length > 0 ? view.only.includes(key) : !view.hide.includes(key);
}

/** Shows a series that is hidden, or hides one that is shown. */
export function toggled(view, key) {
  const flip = (list) => (list.includes(key) ? list.filter((other) => other !== key) : [...list, key]);
  return view.only.length > 0 ? { only: flip(view.only), hide: [] } : { only: [], hide: flip(view.hide) };
}

/** Shows this series alone, or all again when it already is alone. */
export function isolated(view, key) {
  return { only: view.only.length === 1 && view.only[0] === key ? [] : [key], hide: [] };
}

/**
 * Where the page stands in the browser's history. Each entry carries the ranges that "back" returns to, so that
 * the browser's own back and forward, a reload and the page's back never disagree.
 */
export const trail = {
  get ranges() {
    return history.state?.ranges ?? [];
  },
  /** Makes the view the page's address: as a new entry, or in place of the present one. */
  write(view, how, ranges = this.ranges) {
    const address = location.pathname + encodeView(view);
    const state = { ranges: ranges.slice(-50) };
    if (how === "push" && address !== location.pathname + location.search) history.pushState(state, "", address);
    else history.replaceState(state, "", address);
  },
};
