// The page: holds what all panels share, and its address.

import { metricNames } from "./api.js";
import { Catalog } from "./catalog.js";
import { onThemeChange } from "./colours.js";
import { Controls } from "./controls.js";
import { byId, isTyping } from "./dom.js";
import { fillEmptyStore } from "./empty.js";
import { copyLink } from "./export.js";
import { clock } from "./format.js";
import { Gestures } from "./gestures.js";
import { Lock } from "./lock.js";
import { goneNotice, showNotices } from "./notices.js";
import { Panel } from "./panel.js";
import { between, isOpen, scaled, spanOf } from "./range.js";
import { decodeView, emptyPanel, MAX_PANELS, sameRange, trail } from "./state.js";
import { ChangeStream } from "./stream.js";
import { bindTheme } from "./theme.js";
import { Times } from "./times.js";
import { forgetToken, hasToken } from "./token.js";

const SLIDE_MIN_MS = 1_000;

class App {
  catalog = new Catalog();
  /** The range, the zone, and whether it follows what is written. */
  time = null;
  panels = [];
  /** The panel whose choices the fields show. */
  selected = null;
  /** The element with the fields: it stands in the selected panel, and may go out of the page with it. */
  #fields = byId("controls");
  #gestures = new Gestures(this);
  #lefts = new Map();
  #left = 0;
  #stream = new ChangeStream({
    changed: (names) => this.panels.forEach((panel) => panel.touched(names)),
    turned: () => this.panels.forEach((panel) => panel.touched(null)),
  });

  #lock = new Lock(byId("lock"), { check: () => metricNames(), opened: () => this.#opened() });

  constructor() {
    this.controls = new Controls(this);
    this.times = new Times(this);
    this.#restore();
    this.#listen();
  }

  /** What the charts call. */
  get gestures() {
    return this.#gestures.actions;
  }

  get isRolling() {
    return this.#gestures.isRolling;
  }

  /** Whether the server tells of changes. */
  get isTold() {
    return this.#stream.isOpen;
  }

  /** Whether nobody has chosen anything yet. */
  get isUntouched() {
    return !location.search && this.panels.length === 1 && this.panels[0].own.names.length === 0;
  }

  /** The time that is drawn, or null before the first answer. */
  get bounds() {
    const drawn = this.selected.bounds ?? this.panels.find((panel) => panel.bounds)?.bounds;
    return drawn ?? spanOf(this.time.range);
  }

  /** Brings the panels in line with the address. */
  #restore() {
    const { time, panels } = decodeView(location.search);
    this.time = time;
    while (this.panels.length > panels.length) this.#drop(this.panels.at(-1));
    panels.forEach((own, i) => {
      if (this.panels[i]) this.panels[i].own = own;
      else this.#add(own);
    });
    if (!this.panels.includes(this.selected)) this.selected = this.panels[0];
    this.#arrange();
    this.#timeChanged();
  }

  #add(own) {
    const panel = new Panel(this, own);
    this.panels.push(panel);
    byId("panels").append(panel.card.root);
    this.#resizes.observe(panel.card.charts);
    return panel;
  }

  #drop(panel) {
    this.panels = this.panels.filter((other) => other !== panel);
    this.#lefts.delete(panel);
    panel.remove();
  }

  #resizes = new ResizeObserver((entries) => {
    for (const panel of this.panels) if (entries.some(({ target }) => target === panel.card.charts)) panel.resized();
  });

  #listen() {
    addEventListener("popstate", () => this.#restore());
    addEventListener("keydown", (event) => {
      if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "/") byId("metric").focus();
      else if (event.key === "Backspace") this.zoomBack();
      else return;
      event.preventDefault();
    });
    const repaint = () => this.panels.forEach(({ charts }) => charts.repaint());
    onThemeChange(repaint);
    bindTheme(byId("theme"), repaint);
    document.addEventListener("visibilitychange", () => this.#listenForChanges());
    byId("copy-link").addEventListener("click", (event) => copyLink(event.currentTarget));
    byId("add-panel").addEventListener("click", () => this.addPanel());
    byId("forget").addEventListener("click", () => {
      forgetToken();
      // With the page goes what was drawn.
      location.reload();
    });
    const slide = () => {
      if (this.isTold) for (const panel of this.panels) panel.slide();
      const { bounds } = this.selected;
      const step = bounds ? (bounds.to - bounds.from) / this.selected.charts.width : 0;
      setTimeout(slide, Math.max(SLIDE_MIN_MS, Math.min(step, 60_000)));
    };
    slide();
  }

  /** Adds a panel for the same time, and lets its metrics be chosen. */
  addPanel() {
    if (this.panels.length >= MAX_PANELS) return;
    const panel = this.#add(emptyPanel());
    this.write("push");
    this.select(panel, true);
    panel.changed();
  }

  /** Removes a panel. */
  removePanel(panel) {
    if (this.panels.length < 2) return;
    const at = this.panels.indexOf(panel);
    this.#drop(panel);
    if (this.selected === panel) this.selected = this.panels[Math.min(at, this.panels.length - 1)];
    this.#arrange();
    this.write("push");
    this.#listenForChanges();
    this.selected.card.buttons.edit.focus();
  }

  /** Moves a panel by so many places. */
  movePanel(panel, places) {
    const at = this.panels.indexOf(panel);
    const to = Math.min(this.panels.length - 1, Math.max(0, at + places));
    if (at === to) return;
    this.panels.splice(to, 0, ...this.panels.splice(at, 1));
    const { activeElement } = document;
    byId("panels").append(...this.panels.map(({ card }) => card.root));
    this.#arrange();
    this.write("push");
    activeElement?.focus();
  }

  /** Gives the fields to a panel; with `focus`, to choose its metrics at once. */
  select(panel, focus = false) {
    this.selected = panel;
    this.#arrange();
    if (focus) byId("metric").focus();
  }

  /** Puts the fields into the selected panel and marks the places. */
  #arrange() {
    const { panels, selected } = this;
    byId("panels").classList.toggle("many", panels.length > 1);
    const home = selected.card.root;
    if (this.#fields.parentElement !== home) home.prepend(this.#fields);
    panels.forEach((panel, i) => panel.card.place(i, panels.length, panel === selected));
    byId("add-panel").disabled = panels.length >= MAX_PANELS;
    this.controls.sync();
  }

  /** Writes the view into the address. */
  write(how, ranges) {
    trail.write({ time: this.time, panels: this.panels.map(({ own }) => own) }, how, ranges);
  }

  /** Changes the zone, or whether the page is live. */
  changeTime(patch) {
    this.time = { ...this.time, ...patch };
    this.write("push");
    this.#timeChanged();
  }

  /** Goes to a range; "back" returns to `ranges`, by default to the ones before and the present one. */
  setRange(range, ranges = [...trail.ranges, this.time.range]) {
    if (sameRange(range, this.time.range)) {
      for (const { charts } of this.panels) charts.draw();
      return;
    }
    this.time = { ...this.time, range };
    this.write("push", ranges);
    this.#timeChanged(range.to ? { from: range.from, to: range.to } : null);
  }

  #timeChanged(range = null) {
    this.times.sync();
    for (const panel of this.panels) panel.changed(range);
    this.#listenForChanges();
  }

  /** The first look at a store: its range is chosen with its metric. */
  begin(range) {
    this.time = { ...this.time, range };
    this.write("replace");
    this.times.sync();
  }

  #listenForChanges() {
    const { live, range } = this.time;
    const wanted = live && isOpen(range) && !document.hidden;
    const names = wanted ? this.panels.flatMap(({ own }) => own.names) : [];
    this.#stream.watch(names.filter((name) => this.catalog.has(name)));
  }

  /** Asks the server again, now. */
  retry() {
    for (const panel of this.panels) panel.loop.wake();
  }

  /** Asks for a token in place of everything; one that was not good is forgotten, and told why. */
  shut(message) {
    this.#lock.shut(hasToken() ? message : "");
    forgetToken();
    this.showStore();
  }

  #opened() {
    // A stream that was refused is asked for again at once.
    this.#stream.watch([]);
    this.showStore();
    this.retry();
  }

  /** Returns to the range before the last zoom. */
  zoomBack() {
    const { ranges } = trail;
    if (ranges.length > 0) this.setRange(ranges.at(-1), ranges.slice(0, -1));
  }

  /** Moves the range by a share of its length. */
  shift(share) {
    if (!this.bounds) return;
    const { from, to } = this.bounds;
    this.setRange(between(from + (to - from) * share, to + (to - from) * share));
  }

  /** Makes the range longer or shorter around a time. */
  scale(factor, around = null) {
    if (this.bounds) this.setRange(scaled(this.bounds, factor, around));
  }

  /** The room for the labels of the values, the same in every chart, given what one panel needs. */
  align(panel, left) {
    this.#lefts.set(panel, left);
    const most = Math.max(...this.#lefts.values());
    if (most !== this.#left) {
      this.#left = most;
      for (const other of this.panels) if (other !== panel) other.charts.draw();
    }
    return most;
  }

  /** Brings the fields in line, where a panel's view or metrics changed. */
  syncControls(panel) {
    if (panel === this.selected) this.controls.sync();
  }

  /** Has a text read aloud. */
  say(text) {
    byId("spoken").textContent = text;
  }

  /** Shows the panels, or how a first point gets in: which, the metrics' names tell. */
  showStore() {
    const isEmpty = this.catalog.isLoaded && this.catalog.names.length === 0;
    const { isShut } = this.#lock;
    byId("empty").hidden = !isEmpty || isShut;
    byId("workspace").hidden = isEmpty || isShut;
    byId("forget").hidden = !hasToken();
    if (isEmpty && byId("empty").childElementCount === 0) fillEmptyStore(byId("empty"));
  }

  /** Shows the state of the page after a panel's has changed. */
  turned(panel) {
    const { panels } = this;
    const gone = panels.map((each) => each.gone).filter((each) => each !== null);
    // Who is answered again tells the others, who wait longer and longer.
    if (!panel.gone && panel.state !== "loading") for (const each of panels) if (each.gone) each.loop.nudge(0);
    const since = Math.min(...gone.map((each) => each.since));
    const first = gone.find((each) => each.since === since);
    showNotices(byId("notices"), first ? [goneNotice(first, this.time.tz, () => this.retry())] : []);
    const states = ["locked", "gone", "refused", "loading", "waiting", "live", "still"];
    this.#status(states.find((state) => panels.some((each) => each.state === state)));
    this.#listenForChanges();
    this.times.syncDates();
    const { names } = panels[0].own;
    document.title = names.length > 0 ? `${names.slice(0, 3).join(", ")} \u2013 metrics` : "metrics";
  }

  #status(state) {
    const now = clock(Date.now(), this.time.tz);
    const text = {
      loading: "loading",
      waiting: "waiting for a first point",
      live: `as of ${now}`,
      still: `as of ${now}`,
      gone: "server gone, trying again",
      locked: "asks for a token",
      refused: "refused",
    }[state];
    byId("status").dataset.state = state;
    byId("status-text").textContent = text;
    byId("status").title =
      state === "live" ? (this.isTold ? "Told of changes as they are written" : "Asks every few seconds") : "";
  }
}

export const app = new App();
