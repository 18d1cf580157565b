// Hears from the server which metrics change, through one connection for the whole page (a browser allows six a
// server). Only says that something changed: the panels ask for what they draw. Without it they ask by the clock.

/** The server takes so many names a request. */
const MAX_NAMES = 100;
/** A server that refused the stream is asked again after so long. */
const REFUSED_PAUSE_MS = 60_000;
/** `windows` tells that windows of some metrics changed, `reset` that any of theirs may have. */
const EVENTS = ["windows", "reset"];
/** Least work for the server: what the windows hold is not read here. */
const ASKED = [
  ["per", "minute"],
  ["agg", "count"],
  ["interval", "1s"],
];

export class ChangeStream {
  #source = null;
  #address = null;
  #timer = 0;
  #isOpen = false;

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

  #open() {
    if (this.#address === null) return;
    const source = new EventSource(new URL(this.#address, document.baseURI));
    this.#source = source;
    source.addEventListener("open", () => this.#turn(true));
    source.addEventListener("error", () => {
      this.#turn(false);
      // The browser connects again by itself after a connection that broke, not after a refusal.
      if (source.readyState === EventSource.CLOSED && this.#source === source) {
        this.#timer = setTimeout(() => this.#open(), REFUSED_PAUSE_MS);
      }
    });
    for (const type of EVENTS) source.addEventListener(type, (event) => this.changed(namesIn(event.data)));
  }

  #close() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
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
