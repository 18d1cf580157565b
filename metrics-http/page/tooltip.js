// The tooltip beside the crosshair: every series of the panel with its value at that time.

import { slotClasses } from "./colours.js";
import { sampleAt } from "./frame.js";
import { fixed, windowTime } from "./format.js";
import { element } from "./dom.js";

const MAX_ROWS = 16;

/** The rows for a time: [{ series, index, value }], greatest value first, series without a value last. */
export function readingsAt(scene, at, reach) {
  const rows = scene.series.map((series) => {
    const index = sampleAt(series, at, reach);
    return { series, index, value: index < 0 ? NaN : series.values[index] };
  });
  return rows.sort((a, b) => (Number.isNaN(a.value) ? 1 : 0) - (Number.isNaN(b.value) ? 1 : 0) || b.value - a.value);
}

/** The rows as one sentence, for those who listen. */
export function spoken(scene, at, rows) {
  const values = rows.slice(0, 5).map(({ series, value }) => `${series.title} ${fixed(value, series.decimals)}`);
  const more = rows.length > 5 ? `, and ${rows.length - 5} more` : "";
  return `${windowTime(at, scene.zone, scene.frame.per)}: ${values.join(", ")}${more}`;
}

export class Tooltip {
  #root = element("div", { class: "tooltip", role: "presentation", hidden: true });

  constructor(parent) {
    parent.append(this.#root);
  }

  /** Shows rows beside a place of the panel; `chosen`: the key of the series under the pointer. */
  show(scene, at, rows, { x, y }, chosen) {
    const head = element("div", { class: "tooltip-time" }, windowTime(at, scene.zone, scene.frame.per));
    const shown = this.#around(rows, chosen);
    const banded = scene.band && rows.length <= 6;
    const body = shown.map(({ series, index, value }) => {
      const range =
        banded && index >= 0 && series.min
          ? `${fixed(series.min[index], series.decimals)} \u2026 ${fixed(series.max[index], series.decimals)}`
          : "";
      return element(
        "div",
        { class: ["tooltip-row", ...(series.key === chosen ? ["chosen"] : [])] },
        element(
          "span",
          { class: "tooltip-name" },
          element("span", { class: ["swatch", ...slotClasses(scene.slots.get(series.key))] }),
          series.title,
        ),
        element("span", { class: "tooltip-value" }, fixed(value, series.decimals)),
        banded ? element("span", { class: "tooltip-range" }, range) : null,
      );
    });
    const rest = rows.length - shown.length;
    if (rest > 0) body.push(element("div", { class: "tooltip-more" }, `and ${rest} more`));
    this.#root.replaceChildren(head, element("div", { class: "tooltip-rows" }, ...body));
    this.#root.hidden = false;
    this.#place(x, y);
  }

  /** As many rows as fit, with the chosen one among them. */
  #around(rows, chosen) {
    if (rows.length <= MAX_ROWS) return rows;
    const at = Math.max(
      0,
      rows.findIndex(({ series }) => series.key === chosen),
    );
    const first = Math.min(Math.max(0, at - MAX_ROWS / 2), rows.length - MAX_ROWS);
    return rows.slice(first, first + MAX_ROWS);
  }

  #place(x, y) {
    const parent = this.#root.parentElement;
    const { offsetWidth: width, offsetHeight: height } = this.#root;
    const room = parent.clientWidth;
    const left = x + 16 + width <= room ? x + 16 : x - 16 - width;
    const top = Math.min(Math.max(0, y - height / 2), Math.max(0, parent.clientHeight - height));
    const inside = Math.max(0, Math.min(left, room - width));
    this.#root.style.transform = `translate(${Math.round(inside)}px, ${Math.round(top)}px)`;
  }

  hide() {
    this.#root.hidden = true;
  }
}
