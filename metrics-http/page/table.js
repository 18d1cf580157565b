// The tables under the chart: figures of each series over the whole range, and the values window by window.

import { slotClasses } from "./colours.js";
import { element } from "./dom.js";
import { fixed, number, plural, windowTime } from "./format.js";

const FIGURES = [
  ["avg", "average"],
  ["min", "min"],
  ["max", "max"],
  ["last", "last"],
  ["count", "points"],
];
const MAX_ROWS = 200;
const MAX_COLUMNS = 12;

/** The figures of each series. Sorted by a click on a column's head. */
export class Summary {
  #sort = { by: null, down: true };
  #shown = null;

  constructor(root, actions) {
    this.root = root;
    this.actions = actions;
    this.head = element("tr");
    this.body = element("tbody");
    const table = element("table", { class: "figures" }, element("thead", {}, this.head), this.body);
    root.append(table);
    this.#heads();
  }

  #heads() {
    const head = (by, text) => {
      const { by: sorted, down } = this.#sort;
      const order = sorted !== by ? "none" : down ? "descending" : "ascending";
      const button = element(
        "button",
        {
          type: "button",
          class: "sort",
          on: { click: () => this.#order(by) },
        },
        text,
      );
      return element(
        "th",
        { scope: "col", "aria-sort": order, class: by === "title" ? "name" : ["value", by] },
        button,
      );
    };
    this.head.replaceChildren(head("title", "series"), ...FIGURES.map(([by, text]) => head(by, text)));
  }

  #order(by) {
    const { by: sorted, down } = this.#sort;
    this.#sort = sorted === by ? { by, down: !down } : { by, down: by !== "title" };
    const at = [...this.head.children].indexOf(document.activeElement?.closest("th"));
    this.#heads();
    this.head.children[at]?.querySelector("button").focus();
    if (this.#shown) this.render(...this.#shown);
  }

  /** Shows the series that are drawn. */
  render(list, slots) {
    this.#shown = [list, slots];
    const { by, down } = this.#sort;
    const value = (series) => (by === "title" ? series.title : (series.summary?.[by] ?? -Infinity));
    const compare = (a, b) => (by === "title" ? value(a).localeCompare(value(b)) : value(a) - value(b));
    const rows = by === null ? list : [...list].sort((a, b) => (down ? compare(b, a) : compare(a, b)));
    this.body.replaceChildren(
      ...rows.map((series) =>
        element(
          "tr",
          {
            on: {
              pointerenter: (event) => {
                if (event.pointerType === "mouse") this.actions.highlight(series.key);
              },
              pointerleave: () => this.actions.highlight(null),
            },
          },
          element(
            "th",
            { scope: "row", class: "name", title: series.key },
            element("span", { class: ["swatch", ...slotClasses(slots.get(series.key))] }),
            element("span", { class: "row-name" }, series.title),
          ),
          ...FIGURES.map(([figure]) => element("td", { class: ["value", figure] }, figureText(series, figure))),
        ),
      ),
    );
  }
}

function figureText({ summary, figures }, figure) {
  if (!summary || figure === "count") return number(summary?.count);
  return fixed(summary[figure], figure === "avg" ? figures.average : figures.other);
}

/** The values themselves, newest first; built only while they are unfolded. */
export class Values {
  #shown = null;

  constructor(details) {
    this.details = details;
    this.note = element("p", { class: "note" });
    this.table = element("table", { class: "values" });
    details.append(
      this.note,
      element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Values" }, this.table),
    );
    details.addEventListener("toggle", () => this.#fill());
  }

  render(frame, list, view) {
    this.#shown = [frame, list, view];
    this.#fill();
  }

  #fill() {
    if (!this.details.open || !this.#shown) return;
    const [frame, list, view] = this.#shown;
    const columns = list.slice(0, MAX_COLUMNS);
    const cells = new Map();
    columns.forEach((series, column) =>
      series.start.forEach((at, i) => {
        if (!cells.has(at)) cells.set(at, new Array(columns.length).fill(NaN));
        cells.get(at)[column] = series.values[i];
      }),
    );
    const times = [...cells.keys()].sort((a, b) => b - a);
    this.note.textContent = this.#noteText(times.length, list.length, frame, view);
    this.table.replaceChildren(
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("th", { scope: "col" }, frame.raw ? "time" : "window from"),
          ...columns.map(({ title, key }) => element("th", { scope: "col", class: "value", title: key }, title)),
        ),
      ),
      element(
        "tbody",
        {},
        ...times
          .slice(0, MAX_ROWS)
          .map((at) =>
            element(
              "tr",
              {},
              element("th", { scope: "row" }, windowTime(at, view.tz, frame.per)),
              ...cells.get(at).map((value, i) => element("td", { class: "value" }, fixed(value, columns[i].decimals))),
            ),
          ),
      ),
    );
  }

  #noteText(rows, series, frame, view) {
    const parts = [];
    if (rows > MAX_ROWS) parts.push(`The newest ${MAX_ROWS} of ${plural(rows, "row")}`);
    else parts.push(plural(rows, "row"));
    if (series > MAX_COLUMNS) parts.push(`the first ${MAX_COLUMNS} of ${series} series`);
    parts.push(`${frame.agg}, times in ${view.tz}`);
    return `${parts.join(", ")}.${rows > MAX_ROWS || series > MAX_COLUMNS ? " The CSV holds them all." : ""}`;
  }
}
