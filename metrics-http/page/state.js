// The view: everything that a link shares, and its form as the page's query string.
// Where /v1/query has a parameter for something, the page's own address calls it the same.

import { isFilter } from "./filter.js";
import { widthMs } from "./format.js";
import { isZone, localZone } from "./zone.js";

export const PERS = ["auto", "minute", "hour", "day", "week", "month", "raw"];
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
const MAX_FILTERS = 20;
const MAX_HIDDEN = 100;
const QUANTILE = /^p(?:100|\d{1,2}(?:\.\d)?)$/;

/**
 * A view without any choice made. `range` is one of { last: "1h" } (up to now), { from, to } (ms, half-open) and
 * { all: true }.
 * Either `only` names the series that are drawn, or all are but those in `hide`.
 */
export function emptyView() {
  return {
    names: [],
    per: "auto",
    agg: "avg",
    groupBy: "",
    where: [],
    tz: localZone(),
    range: { last: "1h" },
    hide: [],
    only: [],
    zero: false,
    band: true,
    split: false,
    live: true,
  };
}

/** Reads a view from a query string; what cannot be read keeps its default. */
export function decodeView(search) {
  const params = new URLSearchParams(search);
  const view = emptyView();
  const all = (key, most) => [...new Set(params.getAll(key).filter((text) => text !== ""))].slice(0, most);
  view.names = all("name", MAX_METRICS);
  view.where = all("where", MAX_FILTERS).filter(isFilter);
  view.only = all("only", MAX_HIDDEN);
  view.hide = view.only.length > 0 ? [] : all("hide", MAX_HIDDEN);
  const per = params.get("per") ?? "";
  if (PERS.includes(per) || widthMs(per) > 0) view.per = per;
  const agg = params.get("agg") ?? "";
  if (AGGREGATES.includes(agg) || QUANTILE.test(agg)) view.agg = agg;
  view.groupBy = params.get("group_by") ?? "";
  if (isZone(params.get("tz"))) view.tz = params.get("tz");
  view.range = decodeRange(params) ?? view.range;
  view.zero = params.get("zero") === "1";
  view.band = params.get("band") !== "0";
  view.split = params.get("split") === "1";
  view.live = params.get("live") !== "0";
  return view;
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
export function encodeView(view) {
  const params = new URLSearchParams();
  for (const name of view.names) params.append("name", name);
  for (const [key, text] of encodeRange(view.range)) params.append(key, text);
  if (view.per !== "auto") params.append("per", view.per);
  if (view.agg !== "avg") params.append("agg", view.agg);
  if (view.groupBy !== "") params.append("group_by", view.groupBy);
  for (const filter of view.where) params.append("where", filter);
  params.append("tz", view.tz);
  for (const key of view.only) params.append("only", key);
  for (const key of view.hide) params.append("hide", key);
  if (view.zero) params.append("zero", "1");
  if (!view.band) params.append("band", "0");
  if (view.split) params.append("split", "1");
  if (!view.live) params.append("live", "0");
  return `?${params}`;
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
