// The fields that say what a panel shows: brings them in line with the selected panel, and tells it what was chosen.

import { byId, element } from "./dom.js";
import { AGGREGATES, MAX_METRICS, PERS } from "./state.js";
import { isFilter } from "./filter.js";
import { widthText } from "./format.js";
import { Picker } from "./picker.js";

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
const MAX_FILTERS = 20;

/** `app` has catalog and selected, the panel whose `own` choices are shown and changed by `change(patch)`. */
export class Controls {
  constructor(app) {
    this.app = app;
    const own = () => app.selected?.own ?? { names: [], where: [] };
    this.metrics = new Picker(byId("metric-picker"), {
      id: "metric",
      label: "Metrics",
      placeholder: "Search metrics",
      hint: "Enter adds, Shift + Enter shows one alone",
      most: MAX_METRICS,
      options: () => app.catalog.names,
      selected: () => own().names,
      change: (names) => app.selected.change({ names, hide: [], only: [] }),
    });
    this.filters = new Picker(byId("filter-picker"), {
      id: "filter",
      label: "Label filter",
      placeholder: "host=a",
      hint: "or type host!=a, host=~web.*",
      most: MAX_FILTERS,
      nothing: "These metrics have no labels.",
      accept: isFilter,
      options: () => app.catalog.labelPairs(own().names),
      selected: () => own().where,
      change: (where) => app.selected.change({ where, hide: [], only: [] }),
    });
    const choose = (id, patch) =>
      byId(id).addEventListener("change", (event) => app.selected.change(patch(event.target.value)));
    choose("per", (per) => ({ per }));
    choose("agg", (agg) => ({ agg }));
    choose("group", (groupBy) => ({ groupBy, hide: [], only: [] }));
    byId("more").addEventListener("click", () => {
      const open = byId("workspace").classList.toggle("options");
      byId("more").setAttribute("aria-expanded", String(open));
    });
  }

  /** Brings every field in line with the selected panel. */
  sync() {
    const { catalog, selected } = this.app;
    const { per, agg, groupBy, names } = selected.own;
    this.metrics.render();
    this.filters.render();
    fill(byId("per"), withOwn(PERS, per), per, (text) => PER_NAMES[text] ?? widthText(text));
    fill(byId("agg"), withOwn(AGGREGATES, agg), agg, (text) => AGGREGATE_NAMES[text] ?? text);
    const groups = ["", "*", ...catalog.labelNames(names)];
    fill(
      byId("group"),
      withOwn(groups, groupBy),
      groupBy,
      (group) => ({ "": "all together", "*": "every series" })[group] ?? group,
    );
    for (const id of ["agg", "group"]) byId(id).disabled = per === "raw";
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
