// Keeps a panel fresh: asks again as it is told or every few seconds while it is looked at, less and less often while
// nobody answers.

const MIN_INTERVAL_MS = 2_000;
const MAX_INTERVAL_MS = 30_000;
const MIN_GAP_MS = 1_000;
const MAX_GAP_MS = 10_000;
const FIRST_RETRY_MS = 1_000;

/** How often a range that ends now is asked for: about twice per pixel-wide step, between 2 and 30 seconds. */
export function intervalFor(lengthMs, points) {
  return Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, lengthMs / points / 2));
}

/** How long to wait at least between two answers to changes, however many changes there are. */
export function gapFor(lengthMs, points) {
  return Math.min(MAX_GAP_MS, Math.max(MIN_GAP_MS, lengthMs / points / 4));
}

/**
 * Runs `task(signal)` now, again on `wake` or `nudge`, and by itself after the ms that it returned (null: not by
 * itself). A task that throws is tried again if `retry(error)` says so, with growing pauses.
 */
export class Loop {
  #timer = 0;
  #timerAt = Infinity;
  #current = null;
  #running = false;
  #startedAt = -Infinity;
  /** When the task is to run again because of a nudge that came while it ran. */
  #nudgedFor = Infinity;
  #failures = 0;
  #ended = false;

  constructor(task, retry) {
    this.task = task;
    this.retry = retry;
    this.onVisible = () => {
      if (!document.hidden) this.wake();
    };
    this.onOnline = () => this.wake();
    document.addEventListener("visibilitychange", this.onVisible);
    addEventListener("online", this.onOnline);
  }

  /** Runs the task now; one that is under way is given up. */
  async wake() {
    if (this.#ended) return;
    this.#clear();
    this.#current?.abort();
    const current = new AbortController();
    this.#current = current;
    this.#startedAt = performance.now();
    this.#nudgedFor = Infinity;
    this.#running = true;
    let pause;
    try {
      pause = await this.task(current.signal);
      if (current.signal.aborted) return;
      this.#failures = 0;
    } catch (error) {
      if (current.signal.aborted) return;
      pause = null;
      if (this.retry(error)) {
        pause = Math.min(MAX_INTERVAL_MS, FIRST_RETRY_MS * 2 ** this.#failures);
        this.#failures += 1;
      }
    }
    this.#running = false;
    if (pause !== null) this.#runAt(performance.now() + pause);
    if (this.#nudgedFor < Infinity) this.#runAt(this.#nudgedFor);
  }

  /** Runs the task again: not before it is done, and not within `gap` ms of its last start. */
  nudge(gap) {
    const at = this.#startedAt + gap;
    if (this.#running) this.#nudgedFor = Math.min(this.#nudgedFor, at);
    else this.#runAt(at);
  }

  /** Ends it for good. */
  end() {
    this.#ended = true;
    this.#clear();
    this.#current?.abort();
    document.removeEventListener("visibilitychange", this.onVisible);
    removeEventListener("online", this.onOnline);
  }

  #runAt(at) {
    if (document.hidden || at >= this.#timerAt) return;
    this.#clear();
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.wake(), Math.max(0, at - performance.now()));
  }

  #clear() {
    clearTimeout(this.#timer);
    this.#timerAt = Infinity;
  }
}
