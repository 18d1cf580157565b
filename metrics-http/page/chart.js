// One chart: two canvases (the picture; above it the crosshair and the selection), and what pointer and keys do there.

import { layoutOf, paint, paintCrosshair, paintSelection } from "./draw.js";
import { element } from "./dom.js";
import { nearest } from "./frame.js";
import { plural, rangeText } from "./format.js";
import { readingsAt, spoken, Tooltip } from "./tooltip.js";

const MIN_DRAG_PX = 6;
const REACH_PX = 24;
const WHEEL_LINE_PX = 16;
/** So many pixels of the wheel halve or double the range. */
const WHEEL_DOUBLE_PX = 240;

/**
 * A chart. `actions`: zoom(from, to), pan(ms, done), back(), scale(factor, around), hover(at or null, chart),
 * wheelPan(ms), wheelScale(factor, around), say(text).
 */
export class Chart {
  #scene = null;
  #layout = null;
  #at = null;
  #drag = null;
  #pointerY = null;

  constructor(actions) {
    this.actions = actions;
    this.picture = element("canvas", { "aria-hidden": "true" });
    this.overlay = element("canvas", { class: "overlay", "aria-hidden": "true" });
    this.title = element("h3", { class: "chart-title" });
    this.stage = element(
      "div",
      {
        class: "stage",
        tabindex: "0",
        role: "group",
        "aria-roledescription": "chart",
        "aria-describedby": "keys-hint",
      },
      this.picture,
      this.overlay,
    );
    this.root = element("div", { class: "chart" }, this.title, this.stage);
    this.tooltip = new Tooltip(this.stage);
    this.stage.addEventListener("pointerdown", (event) => this.#press(event));
    this.stage.addEventListener("pointermove", (event) => this.#move(event));
    this.stage.addEventListener("pointerup", (event) => this.#release(event));
    this.stage.addEventListener("pointercancel", () => this.#cancel());
    this.stage.addEventListener("pointerleave", () => {
      if (!this.#drag) this.actions.hover(null, this);
    });
    this.stage.addEventListener("blur", () => this.actions.hover(null, this));
    this.stage.addEventListener("dblclick", () => this.actions.back());
    this.stage.addEventListener("keydown", (event) => this.#key(event));
    this.stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** Whether the pointer is dragging: the picture must not change under it. */
  get busy() {
    return this.#drag !== null;
  }

  /** The room that a scene needs for the labels of its values. */
  measure(scene) {
    const { clientWidth: width, clientHeight: height } = this.stage;
    return layoutOf(this.picture.getContext("2d"), { ...scene, width, height }).left;
  }

  /** Draws a scene (without its size); `title` is null where its panel has only one chart. */
  draw(scene, title) {
    this.title.textContent = title ?? "";
    this.title.hidden = title === null;
    const { clientWidth: width, clientHeight: height } = this.stage;
    this.#scene = { ...scene, width, height };
    const ctx = this.#fit(this.picture);
    this.#layout = paint(ctx, this.#scene);
    const { frame, zone, series } = scene;
    this.stage.setAttribute(
      "aria-label",
      `Chart${title ? ` of ${title}` : ""}: ${plural(series.length, "series", "series")}, ` +
        `${frame.agg} from ${rangeText(frame, zone, "to")}. Arrow keys read the values.`,
    );
    this.#paintOverlay();
  }

  /** Sizes a canvas to the screen's own pixels, cleared, with CSS pixels as its unit. */
  #fit(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const { width, height } = this.#scene;
    const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
    const ctx = canvas.getContext("2d");
    if (canvas.width !== across || canvas.height !== down) {
      canvas.width = across;
      canvas.height = down;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, width, height);
    return ctx;
  }

  /** Puts the crosshair at a time (null: nowhere). The chart that is pointed at shows the tooltip too. */
  point(at, own) {
    this.#at = at;
    this.own = own;
    this.#paintOverlay();
  }

  #paintOverlay() {
    if (!this.#layout) return;
    const ctx = this.#fit(this.overlay);
    if (this.#drag?.moved && !this.#drag.pan)
      paintSelection(ctx, this.#scene, this.#layout, this.#drag.start, this.#drag.x);
    const at = this.#drag?.moved ? null : this.#snap(this.#at);
    if (at === null) {
      this.tooltip.hide();
      return;
    }
    const rows = readingsAt(this.#scene, at, this.#reach());
    const marks = rows.filter(({ index }) => index >= 0).map(({ series, index }) => [series, index]);
    paintCrosshair(ctx, this.#scene, this.#layout, at, marks);
    if (!this.own) {
      this.tooltip.hide();
      return;
    }
    const chosen = this.#chosen(rows);
    this.tooltip.show(
      this.#scene,
      at,
      rows,
      { x: this.#layout.x(at), y: this.#pointerY ?? this.#scene.height / 3 },
      chosen,
    );
    if (document.activeElement === this.stage && this.#pointerY === null)
      this.actions.say(spoken(this.#scene, at, rows));
  }

  /** How far from the crosshair a sample may lie and still belong to it: half a window, or a few pixels where raw. */
  #reach() {
    const { frame } = this.#scene;
    const pixel = (frame.to - frame.from) / Math.max(1, this.#layout.right - this.#layout.left);
    return frame.raw ? REACH_PX * pixel : Math.max(frame.stepMs / 2, 1);
  }

  /** The time of the sample nearest to a time, of all series; null where there is none, or the time is not on show. */
  #snap(at) {
    const { frame } = this.#scene;
    if (at === null || (!this.own && (at < frame.from || at > frame.to))) return null;
    let best = null;
    for (const { time: times } of this.#scene.series) {
      const i = nearest(times, at);
      if (i >= 0 && (best === null || Math.abs(times[i] - at) < Math.abs(best - at))) best = times[i];
    }
    return best;
  }

  /** The series whose line is nearest to the pointer, where there are several. */
  #chosen(rows) {
    if (this.#pointerY === null || rows.length < 2) return null;
    const away = ({ value }) => (Number.isNaN(value) ? Infinity : Math.abs(this.#layout.y(value) - this.#pointerY));
    const best = rows.reduce((a, b) => (away(b) < away(a) ? b : a));
    return away(best) < 40 ? best.series.key : null;
  }

  #place(event) {
    const box = this.stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  #press(event) {
    if (event.button !== 0 || !this.#layout) return;
    const { x } = this.#place(event);
    this.#drag = { start: x, x, moved: false, pan: event.shiftKey };
    this.stage.setPointerCapture(event.pointerId);
  }

  #move(event) {
    if (!this.#layout) return;
    const { x, y } = this.#place(event);
    this.#pointerY = y;
    if (this.#drag) {
      this.#drag.x = x;
      this.#drag.moved ||= Math.abs(x - this.#drag.start) >= MIN_DRAG_PX;
      if (this.#drag.moved && this.#drag.pan) this.actions.pan(this.#dragged(), false);
    }
    this.actions.hover(this.#layout.x.invert(Math.min(Math.max(x, this.#layout.left), this.#layout.right)), this);
  }

  /** How far the drag has gone, in ms to the left. */
  #dragged() {
    return this.#layout.x.invert(this.#drag.start) - this.#layout.x.invert(this.#drag.x);
  }

  #release(event) {
    const drag = this.#drag;
    if (!drag) return;
    const shift = this.#dragged();
    this.#abandon();
    if (!drag.moved) {
      if (event.pointerType !== "mouse") this.#move(event);
      return;
    }
    if (drag.pan) this.actions.pan(shift, true);
    else {
      const inside = (x) => this.#layout.x.invert(Math.min(Math.max(x, this.#layout.left), this.#layout.right));
      const [from, to] = [inside(drag.start), inside(drag.x)].sort((a, b) => a - b);
      this.actions.zoom(from, to);
    }
  }

  #abandon() {
    this.#drag = null;
    this.#paintOverlay();
  }

  /** Gives up a drag: what it moved goes back to its place. */
  #cancel() {
    const wasPanning = this.#drag?.pan === true;
    this.#abandon();
    if (wasPanning) this.actions.pan(0, false);
  }

  /** Sideways (or with Shift) pans, with Ctrl or two fingers zooms; any other turn scrolls the page, as it should. */
  #wheel(event) {
    if (!this.#layout || this.#drag) return;
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? WHEEL_LINE_PX : 1;
    const [across, down] = [event.deltaX * unit, event.deltaY * unit];
    const { x } = this.#layout;
    if (event.ctrlKey) {
      this.actions.wheelScale(2 ** (down / WHEEL_DOUBLE_PX), x.invert(this.#place(event).x));
    } else if (event.shiftKey || Math.abs(across) > Math.abs(down)) {
      this.actions.wheelPan(x.invert(across === 0 ? down : across) - x.invert(0));
    } else return;
    event.preventDefault();
  }

  #key(event) {
    const { frame } = this.#scene ?? {};
    if (!frame || event.ctrlKey || event.metaKey || event.altKey) return;
    const quarter = (frame.to - frame.from) / 4;
    const act = {
      ArrowLeft: () => (event.shiftKey ? this.actions.pan(-quarter, true) : this.#step(-1)),
      ArrowRight: () => (event.shiftKey ? this.actions.pan(quarter, true) : this.#step(1)),
      PageUp: () => this.#step(-20),
      PageDown: () => this.#step(20),
      Home: () => this.#step(-Infinity),
      End: () => this.#step(Infinity),
      "+": () => this.actions.scale(0.5, this.#at),
      "=": () => this.actions.scale(0.5, this.#at),
      "-": () => this.actions.scale(2, this.#at),
      Escape: () => {
        this.#cancel();
        this.actions.hover(null, this);
      },
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  /** Moves the crosshair by so many samples of the longest series. */
  #step(count) {
    const longest = this.#scene.series.reduce((a, b) => (b.time.length > (a?.time.length ?? 0) ? b : a), null);
    if (!longest || longest.time.length === 0) return;
    this.#pointerY = null;
    const last = longest.time.length - 1;
    const here = this.#at === null ? (count > 0 ? -1 : last + 1) : nearest(longest.time, this.#at);
    this.actions.hover(longest.time[Math.min(last, Math.max(0, here + count))], this);
  }
}
