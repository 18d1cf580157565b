// The fields and buttons above the chart: shows the view in them, and tells what was chosen.

import { byId, element } from "./dom.js";
import { AGGREGATES, MAX_METRICS, PERS, PRESETS, trail } from "./state.js";
import { isFilter } from "./filter.js";
import { Picker } from "./picker.js";
import { isOpen, presetOf, presetRange } from "./range.js";
import { fieldInstant, fieldText, localZone, offsetText, zoneNames } from "./zone.js";

const PER_NAMES = { auto: "auto", raw: "raw points" };
const AGGREGATE_NAMES = {
  avg: "average",
  min: "minimum",
  max: "maximum",
  stddev: "standard deviation",
  rate: "rate per second",
  p95: "95th percentile",
  p99: "99th percentile",
};
const PRESET_NAMES = {
  "15m": "15 min",
  "1h": "1 h",
  "6h": "6 h",
  "24h": "24 h",
  "7d": "7 d",
  "30d": "30 d",
  all: "All data",
};
const MAX_FILTERS = 20;

/**
 * `app` has view, catalog, bounds (the range that is drawn in ms, or null), and
 * change(patch), setRange(range), zoomBack(), shift(share), scale(factor).
 */
export class Controls {
  #edited = false;

  constructor(app) {
    this.app = app;
    this.metrics = new Picker(byId("metric-picker"), {
      id: "metric",
      label: "Metrics",
      placeholder: "Search metrics",
      hint: "Enter adds, Shift + Enter shows one alone",
      most: MAX_METRICS,
      options: () => app.catalog.names,
      selected: () => app.view.names,
      change: (names) => app.change({ names, hide: [], only: [] }),
    });
    this.filters = new Picker(byId("filter-picker"), {
      id: "filter",
      label: "Label filter",
      placeholder: "host=a",
      hint: "or type host!=a, host=~web.*",
      most: MAX_FILTERS,
      nothing: "These metrics have no labels.",
      accept: isFilter,
      options: () => app.catalog.labelPairs(app.view.names),
      selected: () => app.view.where,
      change: (where) => app.change({ where, hide: [], only: [] }),
    });
    this.#selects();
    this.#buttons();
    this.#dates();
  }

  #selects() {
    const { app } = this;
    const choose = (id, key) =>
      byId(id).addEventListener("change", (event) => app.change({ [key]: event.target.value }));
    choose("per", "per");
    choose("agg", "agg");
    choose("zone", "tz");
    byId("group").addEventListener("change", (event) =>
      app.change({ groupBy: event.target.value, hide: [], only: [] }),
    );
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
    for (const id of ["live", "band", "zero", "split"]) {
      byId(id).addEventListener("change", (event) => app.change({ [id]: event.target.checked }));
    }
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
    press("more", () => {
      const open = byId("workspace").classList.toggle("options");
      byId("more").setAttribute("aria-expanded", String(open));
    });
    press("earlier", () => app.shift(-0.5));
    press("later", () => app.shift(0.5));
    press("zoom-in", () => app.scale(0.5));
    press("zoom-out", () => app.scale(2));
    press("back", () => app.zoomBack());
  }

  #dates() {
    const read = () => ["from", "to"].map((id) => fieldInstant(byId(id).value, this.app.view.tz));
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

  /** Brings every field in line with the view. */
  sync() {
    const { app } = this;
    const { view } = app;
    this.metrics.render();
    this.filters.render();
    fill(byId("per"), withOwn(PERS, view.per), view.per, (per) => PER_NAMES[per] ?? per);
    fill(byId("agg"), withOwn(AGGREGATES, view.agg), view.agg, (agg) => AGGREGATE_NAMES[agg] ?? agg);
    const groups = ["", "*", ...app.catalog.labelNames(view.names)];
    fill(
      byId("group"),
      withOwn(groups, view.groupBy),
      view.groupBy,
      (group) => ({ "": "all together", "*": "every series" })[group] ?? group,
    );
    const raw = view.per === "raw";
    byId("agg").disabled = raw;
    byId("group").disabled = raw;
    if (![...byId("zone").options].some(({ value }) => value === view.tz))
      byId("zone").append(element("option", { value: view.tz }, view.tz));
    byId("zone").value = view.tz;
    for (const id of ["live", "band", "zero", "split"]) byId(id).checked = view[id];
    byId("live").disabled = !isOpen(view.range);
    byId("band").disabled = raw || (view.agg !== "avg" && view.agg !== "median");
    byId("split").disabled = view.names.length < 2;
    const preset = presetOf(view.range);
    for (const button of byId("presets").children)
      button.setAttribute("aria-pressed", String(button.dataset.preset === preset));
    byId("back").disabled = trail.ranges.length === 0;
    this.#edited = false;
    this.syncDates();
  }

  /** Shows the range that is drawn in the two date fields, unless someone is about to change them. */
  syncDates() {
    const { bounds, view } = this.app;
    if (!bounds || this.#edited || byId("range-form").contains(document.activeElement)) return;
    byId("from").value = fieldText(bounds.from, view.tz);
    byId("to").value = fieldText(bounds.to, view.tz);
    byId("to").setCustomValidity("");
    byId("apply").disabled = true;
    byId("range-form").title = `${view.tz}, UTC${offsetText(bounds.to, view.tz)}`;
  }
}

/** A list with the present choice in it, should a link have brought one of its own. */
function withOwn(list, own) {
  return list.includes(own) ? list : [...list, own];
}

/** Gives a select its options, anew only where they differ. */
function fill(select, values, chosen, text) {
  if (select.options.length !== values.length || values.some((value, i) => select.options[i].value !== value)) {
    select.replaceChildren(...values.map((value) => element("option", { value }, text(value))));
  }
  select.value = chosen;
}
