// The charts of a panel: one for all its series, or one a metric.

import { Chart } from "./chart.js";
import { readTheme } from "./colours.js";
import { isVisible } from "./state.js";

export class Charts {
  #charts = [];
  #shown = null;
  #theme = null;
  #highlight = null;

  /** `actions` as of `Chart`, and align(left): the room for values that all charts of the page have in common. */
  constructor(root, actions) {
    this.root = root;
    this.actions = actions;
  }

  /** Whether a gesture is under way that a new picture would disturb. */
  get busy() {
    return this.#charts.some((chart) => chart.busy);
  }

  /** Pixels across for windows. */
  get width() {
    const stage = this.#charts[0]?.stage ?? this.root;
    return Math.max(100, stage.clientWidth - 70);
  }

  /** Shows a frame for a view. `slots` maps keys to palette slots. */
  show(frame, slots, view) {
    this.#shown = { frame, slots, view };
    this.draw();
  }

  /** Which series stands out; null for none. */
  highlight(key) {
    if (this.#highlight === key) return;
    this.#highlight = key;
    this.draw();
  }

  /** Forgets the theme's colours: they have changed. */
  repaint() {
    this.#theme = null;
    this.draw();
  }

  /** The groups of series that each have a chart: [{ title, series }]. */
  groups() {
    const { frame, view } = this.#shown;
    const visible = frame.series.filter((series) => isVisible(view, series.key));
    if (!view.split || view.names.length < 2) return [{ title: null, series: visible }];
    const byName = new Map(view.names.map((name) => [name, []]));
    for (const series of visible) byName.get(series.name)?.push(series);
    return [...byName].map(([title, series]) => ({ title, series }));
  }

  /** The scene of a group of series, but for its size. */
  scene(series, frame = this.#shown.frame) {
    this.#theme ??= readTheme();
    const { slots, view } = this.#shown;
    const highlight = series.some(({ key }) => key === this.#highlight) ? this.#highlight : null;
    return { frame, series, slots, zone: view.tz, theme: this.#theme, zero: view.zero, band: view.band, highlight };
  }

  /** Draws what is shown, as if its time were another range. */
  draw(range = null) {
    if (!this.#shown) return;
    const frame = range ? { ...this.#shown.frame, ...range } : this.#shown.frame;
    const groups = this.groups();
    this.#resize(groups.length);
    const scenes = groups.map(({ series }) => this.scene(series, frame));
    // One left edge for all, so that a time is at the same place in each.
    const left = this.actions.align(Math.max(...scenes.map((scene, i) => this.#charts[i].measure(scene))));
    scenes.forEach((scene, i) => this.#charts[i].draw({ ...scene, left }, groups[i].title));
  }

  #resize(count) {
    if (this.#charts.length === count) return;
    while (this.#charts.length < count) {
      const chart = new Chart(this.actions);
      this.#charts.push(chart);
      this.root.append(chart.root);
    }
    while (this.#charts.length > count) this.#charts.pop().root.remove();
    this.root.classList.toggle("several", count > 1);
  }

  /** Puts the crosshair at a time (null: nowhere); `pointed`: the chart that shows the tooltip. */
  point(at, pointed) {
    for (const each of this.#charts) each.point(at, each === pointed);
  }
}
