// A panel's frame on the page: its heading, its buttons, and the places for chart, legend and tables.

import { element } from "./dom.js";

const BOXES = [
  ["band", "Min\u2013max band", "The least and greatest values behind an average"],
  ["zero", "From zero", "Let the value axis include zero"],
  ["split", "Split by metric", "A chart for each metric, each with its own values"],
];
const SAVES = [
  ["csv", "CSV", "Download the values as CSV"],
  ["png", "PNG", "Download the picture as PNG"],
  ["svg", "SVG", "Download the picture as SVG"],
];

/** The elements of a panel. `actions`: set(key, checked), save(kind, button), edit(), move(places), remove(). */
export class Card {
  constructor(actions) {
    this.caption = element("h2", { class: "panel-caption" });
    this.detail = element("p", { class: "panel-detail" });
    this.boxes = Object.fromEntries(
      BOXES.map(([key]) => [
        key,
        element("input", {
          type: "checkbox",
          class: `box-${key}`,
          on: { change: (event) => actions.set(key, event.target.checked) },
        }),
      ]),
    );
    this.saves = SAVES.map(([kind, label, title]) => {
      const press = (event) => actions.save(kind, event.currentTarget);
      return element("button", { type: "button", class: `save-${kind}`, title, on: { click: press } }, label);
    });
    this.buttons = {
      edit: button("Edit", "Choose what this panel shows", () => actions.edit()),
      up: button("\u2191", "Move this panel up", () => actions.move(-1)),
      down: button("\u2193", "Move this panel down", () => actions.move(1)),
      remove: button("\u00d7", "Remove this panel", () => actions.remove()),
    };
    for (const [name, made] of Object.entries(this.buttons)) made.classList.add(`panel-${name}`);
    this.tools = element("div", { class: ["segments", "tools"] }, ...Object.values(this.buttons));
    this.notices = element("div", { class: "notices", role: "status" });
    this.charts = element("div", { class: "charts" });
    this.message = element("div", { class: "message", role: "status", hidden: true });
    this.legend = element("ul", { class: "legend", "aria-label": "Series" });
    const about = "Average, least, greatest and last value of each series";
    this.summary = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": about });
    this.values = element("details", { class: "values-fold" }, element("summary", {}, "Values"));
    this.tables = element("div", { class: "tables", hidden: true }, this.summary, this.values);
    this.root = element(
      "section",
      { class: ["card", "panel-card"] },
      this.#head(),
      this.notices,
      element("div", { class: "stage-frame" }, this.charts, this.message),
      this.legend,
      this.tables,
    );
  }

  #head() {
    const switches = BOXES.map(([key, label, title]) =>
      element("label", { class: "switch", title }, this.boxes[key], element("span", {}, label)),
    );
    return element(
      "div",
      { class: "card-head" },
      element("div", { class: "caption" }, this.caption, this.detail),
      element(
        "div",
        { class: "card-actions" },
        element("div", { class: "switches" }, ...switches),
        element("div", { class: ["segments", "saves"], role: "group", "aria-label": "Download" }, ...this.saves),
        this.tools,
      ),
    );
  }

  /** Shows where the panel stands (`at` of `count`), and whether the fields are its own. */
  place(at, count, isSelected) {
    this.root.setAttribute("aria-label", count > 1 ? `Panel ${at + 1} of ${count}` : "Chart");
    this.root.classList.toggle("selected", isSelected && count > 1);
    this.tools.hidden = count < 2;
    this.buttons.edit.setAttribute("aria-pressed", String(isSelected));
    this.buttons.up.disabled = at === 0;
    this.buttons.down.disabled = at === count - 1;
  }

  /** Shows a heading. */
  head({ title, detail }) {
    this.caption.textContent = title;
    this.detail.textContent = detail;
  }

  /** Whether there is anything to save. */
  allowSaving(hasPicture) {
    for (const save of this.saves) save.disabled = !hasPicture;
  }

  /** Brings the boxes in line with a view. */
  syncBoxes(view) {
    const raw = view.per === "raw";
    for (const [key, box] of Object.entries(this.boxes)) box.checked = view[key];
    this.boxes.band.disabled = raw || (view.agg !== "avg" && view.agg !== "median");
    this.boxes.split.disabled = view.names.length < 2;
  }
}

function button(label, title, act) {
  return element("button", { type: "button", title, "aria-label": title, on: { click: act } }, label);
}
