// The fields and buttons that say when: shows the range that all panels share, and tells what was chosen.

import { byId, element } from "./dom.js";
import { PRESETS, trail } from "./state.js";
import { isOpen, presetOf, presetRange } from "./range.js";
import { fieldInstant, fieldText, localZone, offsetText, zoneNames } from "./zone.js";

const PRESET_NAMES = {
  "15m": "15 min",
  "1h": "1 h",
  "6h": "6 h",
  "24h": "24 h",
  "7d": "7 d",
  "30d": "30 d",
  all: "All data",
};

/**
 * `app` has time, bounds (the range that is drawn in ms, or null), and
 * changeTime(patch), setRange(range, ranges), zoomBack(), shift(share), scale(factor).
 */
export class Times {
  #edited = false;

  constructor(app) {
    this.app = app;
    this.#zones();
    this.#buttons();
    this.#dates();
  }

  #zones() {
    const local = localZone();
    byId("zone").append(
      element("optgroup", { label: "Local" }, element("option", { value: local }, local.replaceAll("_", " "))),
      local === "UTC" ? "" : element("option", { value: "UTC" }, "UTC"),
      element(
        "optgroup",
        { label: "Elsewhere" },
        ...zoneNames()
          .filter((zone) => zone !== local && zone !== "UTC")
          .map((zone) => element("option", { value: zone }, zone.replaceAll("_", " "))),
      ),
    );
    byId("zone").addEventListener("change", (event) => this.app.changeTime({ tz: event.target.value }));
    byId("live").addEventListener("change", (event) => this.app.changeTime({ live: event.target.checked }));
  }

  #buttons() {
    const { app } = this;
    byId("presets").append(
      ...PRESETS.map((preset) =>
        element(
          "button",
          {
            type: "button",
            "data-preset": preset,
            on: { click: () => app.setRange(presetRange(preset), []) },
          },
          PRESET_NAMES[preset],
        ),
      ),
    );
    const press = (id, act) => byId(id).addEventListener("click", act);
    press("earlier", () => app.shift(-0.5));
    press("later", () => app.shift(0.5));
    press("zoom-in", () => app.scale(0.5));
    press("zoom-out", () => app.scale(2));
    press("back", () => app.zoomBack());
  }

  #dates() {
    const read = () => ["from", "to"].map((id) => fieldInstant(byId(id).value, this.app.time.tz));
    byId("range-form").addEventListener("input", () => {
      this.#edited = true;
      const [from, to] = read();
      const wrong = from >= to;
      byId("to").setCustomValidity(wrong ? "The end must lie after the start." : "");
      byId("apply").disabled = Number.isNaN(from) || Number.isNaN(to);
    });
    byId("range-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const [from, to] = read();
      if (!(from < to)) return;
      this.#edited = false;
      this.app.setRange({ from, to });
    });
  }

  /** Brings every field in line with the range and the zone. */
  sync() {
    const { time } = this.app;
    if (![...byId("zone").options].some(({ value }) => value === time.tz))
      byId("zone").append(element("option", { value: time.tz }, time.tz));
    byId("zone").value = time.tz;
    byId("live").checked = time.live;
    byId("live").disabled = !isOpen(time.range);
    const preset = presetOf(time.range);
    for (const button of byId("presets").children)
      button.setAttribute("aria-pressed", String(button.dataset.preset === preset));
    byId("back").disabled = trail.ranges.length === 0;
    this.#edited = false;
    this.syncDates();
  }

  /** Shows the range that is drawn in the two date fields, unless someone is about to change them. */
  syncDates() {
    const { bounds, time } = this.app;
    if (!bounds || this.#edited || byId("range-form").contains(document.activeElement)) return;
    byId("from").value = fieldText(bounds.from, time.tz);
    byId("to").value = fieldText(bounds.to, time.tz);
    byId("to").setCustomValidity("");
    byId("apply").disabled = true;
    byId("range-form").title = `${time.tz}, UTC${offsetText(bounds.to, time.tz)}`;
  }
}
