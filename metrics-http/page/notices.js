// What the page says when there is no picture to show, or when something stands in its way, each with a way on.

import { element } from "./dom.js";
import { clock, plural, rangeText } from "./format.js";

/** A bar above the chart; an empty list of parts takes it away. Redrawn only where its words change. */
export class Notices {
  #signature = "";

  constructor(root) {
    this.root = root;
  }

  /** Shows notices: [{ kind: "warning" | "info", text, actions: [[label, callback]] }]. */
  render(list) {
    const signature = JSON.stringify(list.map(({ kind, text, actions = [] }) => [kind, text, actions.map(([label]) => label)]));
    if (signature === this.#signature) return;
    this.#signature = signature;
    this.root.replaceChildren(...list.map(({ kind, text, actions = [] }) => element("div", { class: ["notice", kind] },
      element("span", { class: "notice-text" }, text),
      ...actions.map(([label, callback]) => element("button", { type: "button", on: { click: callback } }, label)))));
  }
}

/** Fills the page of an empty store: how a first point gets in. */
export function fillEmptyStore(root) {
  const origin = location.origin;
  const point = `curl -X POST ${origin}/v1/metrics \\\n  -H 'Content-Type: application/json' \\\n  -d '{"name":"temperature","value":21.5,"labels":{"room":"kitchen"}}'`;
  root.replaceChildren(
    element("h2", {}, "No metrics yet"),
    element("p", {}, "This store is empty. Post a first point:"),
    commandBlock(point),
    element("p", {}, "Or stop the server and let it make some up, twenty metrics at three points a second each:"),
    commandBlock("metrics-cli serve --simulate"),
    element("p", { class: "dim" }, "This page looks again every few seconds and opens the first metric by itself."));
}

function commandBlock(command) {
  const status = element("span", { role: "status" }, "Copy");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(command);
      status.textContent = "Copied";
    } catch {
      status.textContent = "Select and copy";
    }
  };
  return element("div", { class: "command" }, element("pre", { tabindex: "0" }, command),
    element("button", { type: "button", on: { click: copy } }, status));
}

/** The notice while the server does not answer. */
export function goneNotice(state, zone, retry) {
  const since = clock(state.since, zone);
  const kept = state.kept ? " The chart shows what came last." : "";
  return {
    kind: "warning", text: `The server has not answered since ${since}: ${state.message}.${kept} The next try comes by itself.`,
    actions: [["Try now", retry]],
  };
}

/** The notice for metrics that the store does not have. */
export function unknownNotice(names, known, choose) {
  const list = names.map((name) => `\u201c${name}\u201d`).join(", ");
  const close = names.length === 1 ? closest(names[0], known) : [];
  return {
    kind: "warning",
    text: `${names.length === 1 ? "There is no metric" : "There are no metrics"} ${list}.${close.length > 0 ? " Did you mean:" : ""}`,
    actions: close.map((name) => [name, () => choose(names[0], name)]),
  };
}

/** What a chart without points says: { text, actions }. `extent` is the time that the data covers, or null. */
export function noPoints(view, frame, extent, { showAll, dropFilters }) {
  const span = `between ${rangeText(frame, view.tz, "and")}`;
  const filtered = view.where.length > 0 ? ` where ${view.where.join(", ")}` : "";
  if (!extent) return { text: `No series${filtered}.`, actions: filtered ? [["Remove the filter", dropFilters]] : [] };
  const data = `The data reaches from ${rangeText({ from: extent.first, to: extent.last }, view.tz, "to")}.`;
  const actions = view.range.all ? [] : [["Show all data", showAll]];
  if (filtered) actions.push(["Remove the filter", dropFilters]);
  return { text: `No points${filtered} ${span}. ${data}`, actions };
}

/** Says how a chart was cut where that is not what was asked for. */
export function cutNotice(view, frame, lengthMs, widthMs) {
  if (frame.truncated) {
    return { kind: "info", text: "More points than this chart has pixels: the newest are drawn. Zoom in, or let windows sum them up.", actions: [] };
  }
  if (view.per === "auto" || view.per === "raw" || frame.per === view.per || widthMs === 0) return null;
  const windows = plural(Math.ceil(lengthMs / widthMs), "window");
  return { kind: "info", text: `Per ${view.per} makes ${windows}, more than this chart has pixels: drawn per ${frame.per} until you zoom in.`, actions: [] };
}

const MAX_SUGGESTIONS = 3;

/** The known names nearest to a text, at most three edits in ten letters away. */
export function closest(text, known) {
  const most = Math.max(2, Math.ceil(text.length * 0.3));
  return known.map((name) => [editDistance(text.toLowerCase(), name.toLowerCase(), most), name])
    .filter(([distance]) => distance <= most).sort((a, b) => a[0] - b[0]).slice(0, MAX_SUGGESTIONS).map(([, name]) => name);
}

/** Levenshtein's distance, given up on (as Infinity) once it is above `most`. */
function editDistance(a, b, most) {
  if (Math.abs(a.length - b.length) > most) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + Number(a[i - 1] !== b[j - 1]));
    }
    if (Math.min(...next) > most) return Infinity;
    row = next;
  }
  return row[b.length];
}
