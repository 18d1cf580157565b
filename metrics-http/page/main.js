// The page: holds the view, loads what it needs, and hands the answer to whoever shows it.

import { query } from "./api.js";
import { Catalog } from "./catalog.js";
import { onThemeChange, Slots } from "./colours.js";
import { Controls } from "./controls.js";
import { byId, isTyping } from "./dom.js";
import { fillEmptyStore } from "./empty.js";
import { bindExports } from "./export.js";
import { narrowed } from "./filter.js";
import { keyOf, MAX_SERIES, readFrame } from "./frame.js";
import { clock } from "./format.js";
import { Legend } from "./legend.js";
import { intervalFor, Loop } from "./live.js";
import { captionOf, messageFor, noticesFor, showMessage, showNotices } from "./notices.js";
import { Panels } from "./panels.js";
import { between, extentOf, firstRange, isOpen, scaled } from "./range.js";
import { decodeView, isolated, isVisible, sameRange, toggled, trail } from "./state.js";
import { Summary, Values } from "./table.js";

const EMPTY_PAUSE_MS = 3_000;
const UNKNOWN_PAUSE_MS = 5_000;
const SLOW_MS = 400;
/** What of a view is drawn from the answer at hand. */
const LOCAL = new Set(["hide", "only", "zero", "band", "split"]);

class App {
  view = decodeView(location.search);
  catalog = new Catalog();
  #slots = new Slots();
  #slotOf = new Map();
  #frame = null;
  /** Since when and why nobody answers, or null. */
  gone = null;
  /** What the server says is wrong with the view, or null. */
  refused = null;
  #asked = { extent: null, points: 0 };
  #slow = 0;

  constructor() {
    const highlight = (key) => this.panels.highlight(key);
    this.panels = new Panels(byId("panels"), {
      zoom: (from, to) => this.setRange(between(from, to)),
      back: () => this.zoomBack(),
      panned: (ms) => this.#moveBy(ms),
      scale: (factor, around) => this.scale(factor, around),
      say: (text) => {
        byId("spoken").textContent = text;
      },
    });
    this.legend = new Legend(byId("legend"), {
      highlight,
      toggle: (key) => this.change(toggled(this.view, key)),
      isolate: (key) => this.change(isolated(this.view, key)),
      showAll: () => this.change({ hide: [], only: [] }),
    });
    this.summary = new Summary(byId("summary"), { highlight });
    this.values = new Values(byId("values"));
    this.controls = new Controls(this);
    this.loop = new Loop(
      (signal) => this.#load(signal),
      (error) => this.#failed(error),
    );
    this.#listen();
    this.controls.sync();
    this.loop.wake();
  }

  #listen() {
    addEventListener("popstate", () => {
      this.view = decodeView(location.search);
      this.#changed();
    });
    addEventListener("keydown", (event) => {
      if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "/") byId("metric").focus();
      else if (event.key === "Backspace") this.zoomBack();
      else return;
      event.preventDefault();
    });
    onThemeChange(() => this.panels.repaint());
    let settled = 0;
    new ResizeObserver(() => {
      this.panels.draw();
      clearTimeout(settled);
      settled = setTimeout(() => {
        if (this.#frame && Math.abs(this.panels.width / this.#asked.points - 1) > 0.25) this.loop.wake();
      }, 300);
    }).observe(byId("panels"));
    bindExports(this);
  }

  /** What is on the screen and how it was asked for, or null before the first answer. */
  get shown() {
    const { view, panels } = this;
    return (
      this.#frame && {
        view,
        panels,
        frame: this.#frame,
        slots: this.#slotOf,
        caption: captionOf(view, this.#frame),
        ...this.#asked,
      }
    );
  }

  /** The time that is drawn, or null before the first answer. */
  get bounds() {
    return this.#frame && { from: this.#frame.from, to: this.#frame.to };
  }

  /** Changes the view; asks the server only where the answer at hand does not hold what is wanted. */
  change(patch) {
    const local = Object.keys(patch).every((key) => LOCAL.has(key));
    this.view = { ...this.view, ...patch };
    trail.write(this.view, local ? "replace" : "push");
    if (local) {
      this.controls.sync();
      this.#render();
    } else this.#changed();
  }

  /** Goes to a range; "back" returns to `ranges`, by default to the ones before and the present one. */
  setRange(range, ranges = [...trail.ranges, this.view.range]) {
    if (sameRange(range, this.view.range)) return;
    this.view = { ...this.view, range };
    trail.write(this.view, "push", ranges);
    // The answer at hand is shown in the new range until its own comes.
    if (this.#frame && range.to) this.#frame = { ...this.#frame, from: range.from, to: range.to };
    this.#changed();
  }

  /** Asks the server again, now. */
  retry() {
    this.loop.wake();
  }

  /** Returns to the range before the last zoom. */
  zoomBack() {
    const { ranges } = trail;
    if (ranges.length > 0) this.setRange(ranges.at(-1), ranges.slice(0, -1));
  }

  /** Moves the range by a share of its length. */
  shift(share) {
    if (this.bounds) this.#moveBy((this.bounds.to - this.bounds.from) * share);
  }

  #moveBy(ms) {
    if (this.bounds) this.setRange(between(this.bounds.from + ms, this.bounds.to + ms));
  }

  /** Makes the range longer or shorter around a time. */
  scale(factor, around = null) {
    if (this.bounds) this.setRange(scaled(this.bounds, factor, around));
  }

  #changed() {
    this.refused = null;
    this.controls.sync();
    this.#render();
    this.loop.wake();
  }

  /** Loads names, series and values, draws them, and returns after how many ms to do so again (null: not by itself). */
  async #load(signal) {
    clearTimeout(this.#slow);
    this.#slow = setTimeout(() => this.#status("loading"), SLOW_MS);
    const { catalog } = this;
    await catalog.loadNames(this.view.names, signal);
    const empty = catalog.names.length === 0;
    byId("empty").hidden = !empty;
    byId("workspace").hidden = empty;
    if (empty) {
      if (byId("empty").childElementCount === 0) fillEmptyStore(byId("empty"));
      this.#frame = null;
      this.#answered();
      return EMPTY_PAUSE_MS;
    }
    if (this.view.names.length === 0 && !location.search) await this.#begin(signal);
    const known = this.view.names.filter((name) => catalog.has(name));
    if (known.length === 0) {
      this.#frame = null;
      this.#answered();
      return UNKNOWN_PAUSE_MS;
    }
    return this.#loadValues({ ...this.view, names: known }, signal);
  }

  async #loadValues(view, signal) {
    const { catalog } = this;
    const points = this.panels.width;
    const described = Promise.all(view.names.map((name) => catalog.loadSeries(name, view.range.all === true, signal)));
    if (view.range.all || view.groupBy !== "" || view.per === "raw") await described;
    const extent = extentOf(view.range, catalog.coverage(view.names));
    const isFirst = (name, labels) => view.only.includes(keyOf(name, labels));
    const { where, total } = narrowed(catalog.listed(view.names), view, MAX_SERIES, isFirst);
    const [answer] = await Promise.all([query(view, extent, points, where, signal), described]);
    this.#asked = { extent, points };
    if (!this.panels.busy) this.#frame = readFrame(answer, view, Math.floor(points), total > MAX_SERIES ? total : 0);
    this.#answered();
    return view.live && isOpen(view.range) ? intervalFor(extent.lengthMs, points) : null;
  }

  /** The first look at a store: its first metric, at a time when it has points. */
  async #begin(signal) {
    const names = this.catalog.names.slice(0, 1);
    await this.catalog.loadSeries(names[0], false, signal);
    this.view = { ...this.view, names, range: firstRange(this.catalog.coverage(names)) };
    trail.write(this.view, "replace");
  }

  #answered() {
    this.gone = null;
    this.refused = null;
    if (this.catalog.names.length === 0) this.#status("waiting");
    else this.#status(this.view.live && isOpen(this.view.range) ? "live" : "still");
    this.controls.sync();
    this.#render();
  }

  /** Shows what went wrong; true when it is worth another try. */
  #failed(error) {
    const kind = error.kind ?? "page";
    const retried = kind === "gone" || kind === "server";
    if (retried)
      this.gone = { kind, since: this.gone?.since ?? Date.now(), message: error.message, kept: this.#frame !== null };
    else
      this.refused =
        kind === "page"
          ? `This page could not read the answer: ${error.message}`
          : `The server refused this: ${error.message}`;
    if (byId("empty").hidden) byId("workspace").hidden = false;
    else if (retried) byId("status").title = error.message;
    this.#status(retried ? "gone" : "refused");
    this.#render();
    return retried;
  }

  #status(state) {
    clearTimeout(this.#slow);
    const text = {
      loading: "loading",
      waiting: "waiting for a first point",
      live: `live, ${clock(Date.now(), this.view.tz)}`,
      still: `read at ${clock(Date.now(), this.view.tz)}`,
      gone: "server gone, trying again",
      refused: "refused",
    }[state];
    byId("status").dataset.state = state;
    byId("status-text").textContent = text;
  }

  #render() {
    const frame = this.#frame;
    showNotices(byId("notices"), noticesFor(this));
    const visible = frame && !this.refused ? frame.series.filter(({ key }) => isVisible(this.view, key)) : [];
    const { title, detail } = captionOf(this.view, frame);
    byId("caption").textContent = title;
    byId("subcaption").textContent = detail;
    document.title =
      this.view.names.length > 0 ? `${this.view.names.slice(0, 3).join(", ")} \u2013 metrics` : "metrics";
    for (const id of ["save-csv", "save-png"]) byId(id).disabled = visible.length === 0;
    byId("tables").hidden = visible.length === 0;
    byId("panels").classList.toggle("blank", frame === null || this.refused !== null);
    showMessage(byId("message"), messageFor(this, visible));
    if (!frame || this.refused) {
      byId("legend").hidden = true;
      return;
    }
    this.controls.syncDates();
    this.#slotOf = this.#slots.assign(frame.series, this.view.split);
    if (!this.panels.busy) this.panels.show(frame, this.#slotOf, this.view);
    this.legend.render(frame, this.#slotOf, this.view);
    this.summary.render(visible, this.#slotOf);
    this.values.render(frame, visible, this.view);
  }
}

export const app = new App();
