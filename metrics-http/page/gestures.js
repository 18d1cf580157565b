// Gestures on any chart that move all of them: they are shown at once, and asked for when they rest.

import { between, scaled } from "./range.js";

const WHEEL_REST_MS = 250;

/** `app` has bounds, panels, setRange(range), zoomBack(), scale(factor, around). */
export class Gestures {
  #rolled = null;
  #timer = 0;
  #pointed = null;

  constructor(app) {
    this.app = app;
    /** What a chart calls. */
    this.actions = {
      zoom: (from, to) => app.setRange(between(from, to)),
      back: () => app.zoomBack(),
      scale: (factor, around) => app.scale(factor, around),
      pan: (ms, done) => this.#pan(ms, done),
      wheelPan: (ms) => this.#roll(({ from, to }) => between(from + ms, to + ms)),
      wheelScale: (factor, around) => this.#roll((range) => scaled(range, factor, around)),
      hover: (at, chart) => this.#hover(at, chart),
      say: (text) => app.say(text),
    };
  }

  /** Whether the wheel is turning. */
  get isRolling() {
    return this.#rolled !== null;
  }

  #pan(ms, done) {
    const { bounds } = this.app;
    if (!bounds) return;
    const range = between(bounds.from + ms, bounds.to + ms);
    if (done) this.app.setRange(range);
    else this.#preview(range);
  }

  /** One step of the wheel: many of them make one entry in the history. */
  #roll(next) {
    if (!this.app.bounds) return;
    this.#rolled = next(this.#rolled ?? this.app.bounds);
    this.#preview(this.#rolled);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const range = this.#rolled;
      this.#rolled = null;
      this.app.setRange(range);
    }, WHEEL_REST_MS);
  }

  #preview(range) {
    for (const { charts } of this.app.panels) charts.draw(range);
  }

  /** The crosshair stands at one time in every chart; the tooltip is the pointed one's. */
  #hover(at, chart) {
    if (at === null && chart !== this.#pointed) return;
    this.#pointed = at === null ? null : chart;
    for (const { charts } of this.app.panels) charts.point(at, chart);
  }
}
