// The legend: a click hides or shows a series, "only" (or a click with Shift) isolates it, hovering brings it out.

import { slotClasses } from "./colours.js";
import { element } from "./dom.js";
import { plural } from "./format.js";
import { isVisible } from "./state.js";

/** `actions`: toggle(key), isolate(key), showAll(), highlight(key or null). */
export class Legend {
  constructor(root, actions) {
    this.root = root;
    this.actions = actions;
    this.signature = "";
    root.addEventListener("pointerleave", () => actions.highlight(null));
  }

  /** Shows the series of a frame; drawn anew only where something has changed, so that the focus stays. */
  render(frame, slots, view) {
    const hidden = frame.series.filter((series) => !isVisible(view, series.key)).length;
    const signature = JSON.stringify([
      frame.series.map(({ key, title }) => [key, title, slots.get(key)]),
      view.hide,
      view.only,
      frame.total,
    ]);
    this.root.hidden = frame.series.length === 0;
    if (signature === this.signature) return;
    this.signature = signature;
    const focused = document.activeElement?.dataset?.focus ?? null;
    const items = frame.series.map((series) =>
      this.#item(series, slots.get(series.key), isVisible(view, series.key), frame.series.length === 1),
    );
    if (hidden > 0) {
      items.push(
        element(
          "li",
          { class: "legend-note" },
          `${hidden} hidden `,
          element(
            "button",
            { type: "button", class: "link", "data-focus": "all", on: { click: () => this.actions.showAll() } },
            "show all",
          ),
        ),
      );
    }
    if (frame.total > frame.series.length) {
      items.push(
        element(
          "li",
          { class: "legend-note" },
          `The first ${frame.series.length} of ${plural(frame.total, "series", "series")}: narrow them by label.`,
        ),
      );
    }
    this.root.replaceChildren(...items);
    if (focused !== null)
      [...this.root.querySelectorAll("button")].find((button) => button.dataset.focus === focused)?.focus();
  }

  #item(series, slot, visible, alone) {
    const { key, title } = series;
    const toggle = element(
      "button",
      {
        type: "button",
        class: "legend-toggle",
        "aria-pressed": String(visible),
        title: key,
        "data-focus": `toggle ${key}`,
        on: {
          click: (event) => (event.shiftKey ? this.actions.isolate(key) : this.actions.toggle(key)),
          focus: () => this.actions.highlight(visible ? key : null),
          blur: () => this.actions.highlight(null),
        },
      },
      element("span", { class: ["swatch", ...slotClasses(slot)] }),
      element("span", { class: "legend-name" }, title),
    );
    const only = element(
      "button",
      {
        type: "button",
        class: "legend-only",
        "aria-label": `Show only ${title}`,
        "data-focus": `only ${key}`,
        on: { click: () => this.actions.isolate(key) },
      },
      "only",
    );
    return element(
      "li",
      {
        class: ["legend-item", ...(visible ? [] : ["off"])],
        on: {
          pointerenter: (event) => {
            if (event.pointerType === "mouse") this.actions.highlight(visible ? key : null);
          },
        },
      },
      toggle,
      alone ? null : only,
    );
  }
}
