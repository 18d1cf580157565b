// What the page says about the view: its caption, what stands in its way, and the words in place of a picture.

import { drawnPer } from "./api.js";
import { element } from "./dom.js";
import { clock, plural, rangeText, widthMs, widthText } from "./format.js";
import { closest } from "./suggest.js";

/** Shows notices in an element: [{ kind: "warning" | "info", text, actions: [[label, callback]] }]. */
export function showNotices(root, list) {
  if (!hasChanged(root, list)) return;
  root.replaceChildren(
    ...list.map(({ kind, text, actions }) =>
      element(
        "div",
        { class: ["notice", kind] },
        element("span", { class: "notice-text" }, text),
        ...actions.map(actionButton),
      ),
    ),
  );
}

/** Shows a message ({ text, actions }) in an element, or none. */
export function showMessage(root, message) {
  root.hidden = message === null;
  if (message === null || !hasChanged(root, [message])) return;
  root.replaceChildren(element("p", {}, message.text), ...message.actions.map(actionButton));
}

/** Whether the words differ from those shown: what is read aloud must not come again with every answer. */
function hasChanged(root, list) {
  const signature = JSON.stringify(
    list.map(({ kind, text, actions }) => [kind, text, actions.map(([label]) => label)]),
  );
  if (root.dataset.shown === signature) return false;
  root.dataset.shown = signature;
  return true;
}

function actionButton([label, callback]) {
  return element("button", { type: "button", on: { click: callback } }, label);
}

/** What stands in the way of a panel's view. */
export function noticesFor(panel) {
  const { view, catalog, refused, shown } = panel;
  const list = [];
  const unknown = catalog.isLoaded ? view.names.filter((name) => !catalog.has(name)) : [];
  if (unknown.length > 0) {
    const instead = (name) => [...new Set(panel.view.names.map((old) => (old === unknown[0] ? name : old)))];
    list.push(unknownNotice(unknown, catalog.names, (name) => panel.change({ names: instead(name) })));
  }
  const cut = shown && !refused ? cutText(view, shown) : null;
  if (cut) list.push({ kind: "info", text: cut, actions: [] });
  return list;
}

/** That nobody answers, since when and why. */
export function goneNotice({ kind, since, message, kept }, zone, retry) {
  const what = kind === "server" ? "The server has failed to answer since" : "The server has not answered since";
  const ask = kind === "server" ? "" : " Is it still running?";
  const chart = kept ? " The chart shows what came last." : "";
  return {
    kind: "warning",
    text: `${what} ${clock(since, zone)}: ${message}.${ask}${chart} The next try comes by itself.`,
    actions: [["Try now", retry]],
  };
}

function unknownNotice(names, known, choose) {
  const list = names.map((name) => `\u201c${name}\u201d`).join(", ");
  const close = names.length === 1 ? closest(names[0], known) : [];
  const what = names.length === 1 ? "There is no metric" : "There are no metrics";
  return {
    kind: "warning",
    text: `${what} ${list}.${close.length > 0 ? " Did you mean:" : ""}`,
    actions: close.map((name) => [name, () => choose(name)]),
  };
}

/** How a chart was cut where that is not what was asked for, or null. */
function cutText(view, { frame, extent, points }) {
  if (view.per === "raw") {
    if (frame.raw) return null;
    const drawn = `averages per ${widthText(frame.per)} with their min\u2013max band`;
    return `More points than this chart has pixels: ${drawn} are drawn until you zoom in.`;
  }
  if (frame.series.length === 0 || view.per === "auto" || drawnPer(view.per, extent.lengthMs, points) === view.per)
    return null;
  const windows = plural(Math.ceil(extent.lengthMs / widthMs(view.per)), "window");
  return `Per ${view.per} makes ${windows}, more than this chart has pixels: drawn per ${frame.per} until you zoom in.`;
}

/** What stands in the chart's place or over its empty axes, or null: { text, actions }. */
export function messageFor(panel, visible) {
  const { view, catalog, refused, shown } = panel;
  if (refused) return { text: refused, actions: [] };
  const search = ["Search", () => panel.app.select(panel, true)];
  if (view.names.length === 0) {
    if (!catalog.isLoaded) return null;
    return { text: `Choose a metric: the store has ${plural(catalog.names.length, "metric")}.`, actions: [search] };
  }
  if (catalog.isLoaded && !view.names.some((name) => catalog.has(name)))
    return { text: "Nothing to draw.", actions: [search] };
  if (!shown || visible.length > 0) return null;
  if (shown.frame.series.length > 0) {
    return { text: "Every series is hidden.", actions: [["Show all", () => panel.change({ hide: [], only: [] })]] };
  }
  return noPoints(panel, shown.frame);
}

function noPoints(panel, frame) {
  const { view, catalog } = panel;
  const extent = catalog.coverage(view.names);
  const filtered = view.where.length > 0 ? ` where ${view.where.join(", ")}` : "";
  const actions = filtered ? [["Remove the filter", () => panel.change({ where: [] })]] : [];
  if (!extent) return { text: `No series${filtered}.`, actions };
  if (!view.range.all) actions.unshift(["Show all data", () => panel.setRange({ all: true })]);
  const data = rangeText({ from: extent.first, to: extent.last }, view.tz, "to");
  const text = `No points${filtered} between ${rangeText(frame, view.tz, "and")}. The data reaches from ${data}.`;
  return { text, actions };
}

/** The heading of a view's chart: { title, detail }. */
export function captionOf({ names, tz }, frame) {
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  const title = names.slice(0, 3).join(", ") + more;
  if (!frame) return { title, detail: "" };
  const sketch = frame.isSketch ? " (from sketches)" : "";
  const what = frame.raw ? "raw points" : `${frame.agg}${sketch} per ${widthText(frame.per)}`;
  const count = plural(frame.total, "series", "series");
  return { title, detail: `${what} \u00b7 ${count} \u00b7 ${rangeText(frame, tz, "to")} ${tz}` };
}
