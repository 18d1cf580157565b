// Keeps the page fresh: asks again every few seconds while it is looked at, less and less often while nobody answers.

const MIN_INTERVAL_MS = 2_000;
const MAX_INTERVAL_MS = 30_000;
const FIRST_RETRY_MS = 1_000;

/** How often a range that ends now is asked for: about twice per pixel-wide step, between 2 and 30 seconds. */
export function intervalFor(lengthMs, points) {
  return Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, lengthMs / points / 2));
}

/**
 * Runs `task(signal)` now, again on `wake`, and by itself after the ms that it returned (null: not by itself).
 * A new run ends the one under way. A task that throws is tried again if `retry(error)` says so, with growing pauses.
 */
export class Loop {
  #timer = 0;
  #current = null;
  #failures = 0;

  constructor(task, retry) {
    this.task = task;
    this.retry = retry;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.wake();
    });
    addEventListener("online", () => this.wake());
  }

  /** Runs the task now. */
  async wake() {
    clearTimeout(this.#timer);
    this.#current?.abort();
    const current = new AbortController();
    this.#current = current;
    let pause;
    try {
      pause = await this.task(current.signal);
      if (current.signal.aborted) return;
      this.#failures = 0;
    } catch (error) {
      if (current.signal.aborted) return;
      if (!this.retry(error)) return;
      pause = Math.min(MAX_INTERVAL_MS, FIRST_RETRY_MS * 2 ** this.#failures);
      this.#failures += 1;
    }
    if (pause !== null && !document.hidden) this.#timer = setTimeout(() => this.wake(), pause);
  }
}
