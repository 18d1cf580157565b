// The charts of the page: one for all series, or one a metric, with a crosshair that moves through all of them.

import { Chart } from "./chart.js";
import { readTheme } from "./colours.js";
import { isVisible } from "./state.js";

export class Panels {
  #charts = [];
  #shown = null;
  #theme = null;
  #highlight = null;
  #hover = { at: null, chart: null };

  /** `actions` as of `Chart`, but for hover and pan, which are handled here: panned(ms) tells how far in the end. */
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

  /** The groups of series that each have a panel: [{ title, series }]. */
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

  /** Draws what is shown, as if its time were moved by so many ms. */
  draw(shift = 0) {
    if (!this.#shown) return;
    const { frame } = this.#shown;
    const moved = shift === 0 ? frame : { ...frame, from: frame.from + shift, to: frame.to + shift };
    const groups = this.groups();
    this.#resize(groups.length);
    const scenes = groups.map(({ series }) => this.scene(series, moved));
    // One left edge for all, so that a time is at the same place in each.
    const left = groups.length > 1 ? Math.max(...scenes.map((scene, i) => this.#charts[i].measure(scene))) : 0;
    scenes.forEach((scene, i) => this.#charts[i].draw({ ...scene, left }, groups[i].title));
  }

  #resize(count) {
    if (this.#charts.length === count) return;
    while (this.#charts.length < count) {
      const chart = new Chart({
        ...this.actions,
        hover: (at, from) => this.#point(at, from),
        pan: (ms, done) => (done ? this.actions.panned(ms) : this.draw(ms)),
      });
      this.#charts.push(chart);
      this.root.append(chart.root);
    }
    while (this.#charts.length > count) this.#charts.pop().root.remove();
    this.root.classList.toggle("several", count > 1);
  }

  #point(at, chart) {
    if (at === null && chart !== this.#hover.chart) return;
    this.#hover = { at, chart };
    for (const each of this.#charts) each.point(at, each === chart);
  }
}
