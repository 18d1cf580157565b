// Hears from the server which metrics change, through one connection for the whole page (a browser allows six a
// server). Only says that something changed: the panels ask for what they draw. Without it they ask by the clock.
// Read with fetch, for an EventSource sends no token.

import { authorization } from "./token.js";

/** The server takes so many names a request. */
const MAX_NAMES = 100;
/** A server that refused the stream is asked again after so long. */
const REFUSED_PAUSE_MS = 60_000;
/** A stream that broke is asked for again after so long. */
const BROKEN_PAUSE_MS = 2_000;
/** Most characters of one event; a stream with a longer one is begun anew. */
const MAX_EVENT_CHARS = 8 << 20;
/** `windows` tells that windows of some metrics changed, `reset` that any of theirs may have. */
const EVENTS = ["windows", "reset"];
/** Least work for the server: what the windows hold is not read here. */
const ASKED = [
  ["per", "minute"],
  ["agg", "count"],
  ["interval", "1s"],
];

export class ChangeStream {
  #current = null;
  #address = null;
  #timer = 0;
  #isOpen = false;
  /** The place after which a stream that broke goes on. */
  #lastId = null;

  /** `changed(names)`: points of these metrics came or went (null: of any). `turned()`: it opened, or broke off. */
  constructor({ changed, turned }) {
    this.changed = changed;
    this.turned = turned;
  }

  /** Whether changes are told. */
  get isOpen() {
    return this.#isOpen;
  }

  /** Listens for changes of these metrics; to nothing where there are none, or more than the server takes. */
  watch(names) {
    const listed = [...new Set(names)].sort();
    const heard = listed.length > 0 && listed.length <= MAX_NAMES;
    const params = new URLSearchParams([...listed.map((name) => ["name", name]), ...ASKED]);
    const address = heard ? `v1/stream?${params}` : null;
    if (address === this.#address) return;
    this.#close();
    this.#address = address;
    this.#open();
  }

  async #open() {
    if (this.#address === null) return;
    const current = new AbortController();
    this.#current = current;
    let pause = BROKEN_PAUSE_MS;
    try {
      pause = await this.#follow(current.signal);
    } catch {
      // Broken, or given up: what comes next is the same.
    }
    if (this.#current !== current) return;
    this.#current = null;
    this.#timer = setTimeout(() => this.#open(), pause);
    this.#turn(false);
  }

  /** Reads events until the stream ends; gives how long to wait before the next try. */
  async #follow(signal) {
    const place = this.#lastId === null ? {} : { "Last-Event-ID": this.#lastId };
    const response = await fetch(new URL(this.#address, document.baseURI), {
      headers: { Accept: "text/event-stream", ...place, ...authorization() },
      cache: "no-store",
      signal,
    });
    if (!response.ok) {
      // A place that the server does not know any more must not be asked for again.
      this.#lastId = null;
      response.body?.cancel();
      return REFUSED_PAUSE_MS;
    }
    this.#turn(true);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) return BROKEN_PAUSE_MS;
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      if (rest.length > MAX_EVENT_CHARS) {
        reader.cancel();
        return BROKEN_PAUSE_MS;
      }
      events.forEach((event) => this.#take(event));
    }
  }

  /** One event: lines of `field: value`; those that begin with a colon only keep the connection alive. */
  #take(text) {
    const fields = {};
    for (const line of text.split("\n")) {
      const at = line.indexOf(":");
      if (at <= 0) continue;
      const field = line.slice(0, at);
      const value = line.slice(at + 1).replace(/^ /, "");
      fields[field] = field === "data" && fields.data !== undefined ? `${fields.data}\n${value}` : value;
    }
    if (fields.id !== undefined) this.#lastId = fields.id;
    if (EVENTS.includes(fields.event)) this.changed(namesIn(fields.data));
  }

  #close() {
    clearTimeout(this.#timer);
    this.#current?.abort();
    this.#current = null;
    this.#lastId = null;
    this.#isOpen = false;
  }

  #turn(isOpen) {
    if (this.#isOpen === isOpen) return;
    this.#isOpen = isOpen;
    this.turned();
  }
}

/** The metrics that an event is about, or null where it may be any. */
function namesIn(data) {
  try {
    const { names } = JSON.parse(data);
    return Array.isArray(names) ? names : null;
  } catch {
    return null;
  }
}
