// A panel: what it draws, the answer it has, and who shows that.

import { Card } from "./card.js";
import { Charts } from "./charts.js";
import { Slots } from "./colours.js";
import { save } from "./export.js";
import { Legend } from "./legend.js";
import { gapFor, intervalFor, Loop } from "./live.js";
import { Loader } from "./load.js";
import { captionOf, messageFor, noticesFor, showMessage, showNotices } from "./notices.js";
import { firstRange, isOpen } from "./range.js";
import { isolated, isVisible, toggled } from "./state.js";
import { Summary, Values } from "./table.js";

const EMPTY_PAUSE_MS = 3_000;
const UNKNOWN_PAUSE_MS = 5_000;
/** While changes are told, everything is asked for all the same after so long. */
const TOLD_INTERVAL_MS = 20_000;
const SLOW_MS = 400;
/** What of a panel is drawn from the answer at hand. */
const LOCAL = new Set(["hide", "only", "zero", "band", "split"]);

/** `own`: what it draws, as of `emptyPanel`; `app`: the page. */
export class Panel {
  #slots = new Slots();
  #slotOf = new Map();
  #frame = null;
  #asked = { extent: null, points: 0 };
  /** When the answer came, on the browser's clock, and where it ended. */
  #answeredAt = 0;
  #answeredTo = 0;
  #slow = 0;
  /** Since when and why nobody answers, or null. */
  gone = null;
  /** What the server says is wrong with the view, or null. */
  refused = null;
  /** loading, waiting, live, still, gone, locked, refused. */
  state = "loading";

  constructor(app, own) {
    this.app = app;
    this.own = own;
    this.card = new Card({
      set: (key, checked) => this.change({ [key]: checked }),
      save: (kind, button) => save(kind, this.shown, button),
      edit: () => app.select(this, true),
      move: (places) => app.movePanel(this, places),
      remove: () => app.removePanel(this),
    });
    const highlight = (key) => this.charts.highlight(key);
    this.charts = new Charts(this.card.charts, { ...app.gestures, align: (left) => app.align(this, left) });
    this.legend = new Legend(this.card.legend, {
      highlight,
      toggle: (key) => this.change(toggled(this.view, key)),
      isolate: (key) => this.change(isolated(this.view, key)),
      showAll: () => this.change({ hide: [], only: [] }),
    });
    this.summary = new Summary(this.card.summary, { highlight });
    this.values = new Values(this.card.values);
    this.loader = new Loader(app.catalog);
    this.loop = new Loop(
      (signal) => this.#load(signal),
      (error) => this.#failed(error),
    );
  }

  get catalog() {
    return this.app.catalog;
  }

  /** What it draws, and when. */
  get view() {
    return { ...this.app.time, ...this.own };
  }

  /** What is on the screen and how it was asked for, or null before the first answer. */
  get shown() {
    const { view, charts } = this;
    const caption = captionOf(view, this.#frame);
    return this.#frame && { view, charts, frame: this.#frame, slots: this.#slotOf, caption, ...this.#asked };
  }

  /** The time that is drawn, or null before the first answer. */
  get bounds() {
    return this.#frame && { from: this.#frame.from, to: this.#frame.to };
  }

  get #isLive() {
    return this.app.time.live && isOpen(this.app.time.range);
  }

  /** Changes the view; asks the server only where the answer at hand does not hold what is wanted. */
  change(patch) {
    const isLocal = Object.keys(patch).every((key) => LOCAL.has(key));
    this.own = { ...this.own, ...patch };
    this.app.write(isLocal ? "replace" : "push");
    if (!isLocal) this.changed();
    else {
      this.app.syncControls(this);
      this.render();
    }
  }

  /** Goes to a range, on every panel. */
  setRange(range) {
    this.app.setRange(range);
  }

  /** The view has changed: shows so at once, and asks. `range`: the ends that it now has, where they are known. */
  changed(range = null) {
    this.refused = null;
    // The answer at hand is shown in the new range until its own comes.
    if (this.#frame && range) this.#frame = { ...this.#frame, ...range };
    this.app.syncControls(this);
    this.render();
    this.loop.wake();
  }

  /** Asks again if one of these metrics (null: any) is this panel's, but not all the time. */
  touched(names) {
    if (!this.#isLive || (names !== null && !this.own.names.some((name) => names.includes(name)))) return;
    const { extent, points } = this.#asked;
    this.loop.nudge(extent ? gapFor(extent.lengthMs, points) : 0);
  }

  /** Lets the picture move on with the time, where it ends now and the answer at hand is still right. */
  slide() {
    const isStill = !this.#isLive || !this.app.time.range.last || this.#isBusy;
    if (isStill || this.gone || this.refused || !this.#frame || this.#frame.series.length === 0) return;
    const length = this.#frame.to - this.#frame.from;
    const to = this.#answeredTo + performance.now() - this.#answeredAt;
    this.#frame = { ...this.#frame, from: to - length, to };
    this.charts.show(this.#frame, this.#slotOf, this.view);
    this.card.head(captionOf(this.view, this.#frame));
  }

  get #isBusy() {
    return this.charts.busy || this.app.isRolling;
  }

  /** Asks for more or fewer windows where the width has changed much. */
  resized() {
    this.charts.draw();
    if (this.#frame && Math.abs(this.charts.width / this.#asked.points - 1) > 0.25) this.loop.nudge(300);
  }

  /** Ends it. */
  remove() {
    this.loop.end();
    clearTimeout(this.#slow);
    this.card.root.remove();
  }

  /** Loads names, series and values, draws them, and returns after how many ms to do so again (null: not by itself). */
  async #load(signal) {
    clearTimeout(this.#slow);
    this.#slow = setTimeout(() => this.#turn("loading"), SLOW_MS);
    const { catalog } = this;
    await catalog.loadNames(this.own.names);
    // Before anything is asked for as many pixels as there are, there must be some.
    this.app.showStore();
    signal.throwIfAborted();
    if (catalog.names.length === 0) return this.#answered(null, "waiting", EMPTY_PAUSE_MS);
    if (this.app.isUntouched) await this.#begin();
    signal.throwIfAborted();
    const names = this.own.names.filter((name) => catalog.has(name));
    if (names.length === 0) return this.#answered(null, "still", this.own.names.length > 0 ? UNKNOWN_PAUSE_MS : null);
    const { frame, extent, points } = await this.loader.load({ ...this.view, names }, this.charts.width, signal);
    this.#asked = { extent, points };
    if (!this.#isLive) return this.#answered(frame, "still", null);
    const pause = this.app.isTold ? TOLD_INTERVAL_MS : intervalFor(extent.lengthMs, points);
    return this.#answered(frame, "live", pause);
  }

  /** The first look at a store: its first metric, at a time when it has points. */
  async #begin() {
    const names = this.catalog.names.slice(0, 1);
    await this.catalog.loadSeries(names[0], false);
    if (!this.app.isUntouched) return;
    this.own = { ...this.own, names };
    this.app.begin(firstRange(this.catalog.coverage(names)));
  }

  #answered(frame, state, pause) {
    this.gone = null;
    this.refused = null;
    if (!this.#isBusy) {
      this.#frame = frame;
      this.#answeredAt = performance.now();
      this.#answeredTo = frame?.to ?? 0;
    }
    this.#turn(state);
    this.app.syncControls(this);
    this.render();
    return pause;
  }

  /** Shows what went wrong; true when it is worth another try. */
  #failed(error) {
    const kind = error.kind ?? "page";
    if (kind === "locked") {
      this.app.shut(error.message);
      this.#turn("locked");
      return false;
    }
    const isRetried = kind === "gone" || kind === "server";
    if (isRetried) {
      this.gone = { kind, since: this.gone?.since ?? Date.now(), message: error.message, kept: this.#frame !== null };
    } else {
      this.refused =
        kind === "page"
          ? `This page could not read the answer: ${error.message}`
          : `The server refused this: ${error.message}`;
    }
    this.app.showStore();
    this.#turn(isRetried ? "gone" : "refused");
    this.render();
    return isRetried;
  }

  #turn(state) {
    clearTimeout(this.#slow);
    this.state = state;
    this.app.turned(this);
  }

  /** Shows what is at hand. */
  render() {
    const { card, view, refused } = this;
    const frame = this.#frame;
    showNotices(card.notices, noticesFor(this));
    const visible = frame && !refused ? frame.series.filter(({ key }) => isVisible(view, key)) : [];
    card.head(captionOf(view, frame));
    card.allowSaving(visible.length > 0);
    card.syncBoxes(view);
    card.tables.hidden = visible.length === 0;
    card.charts.classList.toggle("blank", frame === null || refused !== null);
    showMessage(card.message, messageFor(this, visible));
    if (!frame || refused) {
      card.legend.hidden = true;
      return;
    }
    this.#slotOf = this.#slots.assign(frame.series, view.split);
    if (!this.#isBusy) this.charts.show(frame, this.#slotOf, view);
    this.legend.render(frame, this.#slotOf, view);
    this.summary.render(visible, this.#slotOf);
    this.values.render(frame, visible, view);
  }
}
