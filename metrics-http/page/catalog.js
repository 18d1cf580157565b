// What the store has: the metrics' names, and the series of those that are looked at. Asked for again as they age.

import { metricNames, seriesOf } from "./api.js";
import { coverage } from "./range.js";

const MAX_AGE_MS = 15_000;
const MAX_AGE_MANY_MS = 300_000;
const MANY_SERIES = 5_000;
const MAX_LABEL_PAIRS = 5_000;

export class Catalog {
  names = [];
  #namesAt = -Infinity;
  #series = new Map();
  /** What is being asked for already: several panels share one answer. */
  #pending = new Map();

  /** Whether the names have ever come. */
  get isLoaded() {
    return this.#namesAt > 0;
  }

  has(name) {
    return this.names.includes(name);
  }

  /** Reads the names, where they are old, there are none, or one that is wanted is not among them. */
  async loadNames(wanted) {
    const unknown = wanted.some((name) => !this.has(name));
    if (!unknown && this.names.length > 0 && Date.now() - this.#namesAt < MAX_AGE_MS) return;
    await this.#once("names", async () => {
      this.names = await metricNames();
      this.#namesAt = Date.now();
      for (const name of this.#series.keys()) if (!this.has(name)) this.#series.delete(name);
    });
  }

  /** Reads the series of a metric, where they are old (or `always`; but very many are kept for minutes). */
  async loadSeries(name, always) {
    const found = this.#series.get(name);
    const most = (found?.list.length ?? 0) > MANY_SERIES ? MAX_AGE_MANY_MS : MAX_AGE_MS;
    if (found && Date.now() - found.at < (always && most === MAX_AGE_MS ? 0 : most)) return;
    await this.#once(`series ${name}`, async () => {
      const list = await seriesOf(name);
      this.#series.set(name, { at: Date.now(), list });
    });
  }

  /** Runs a task unless it is running: then waits for that. */
  async #once(key, task) {
    if (!this.#pending.has(key))
      this.#pending.set(
        key,
        task().finally(() => this.#pending.delete(key)),
      );
    await this.#pending.get(key);
  }

  /** The series of some metrics. */
  listed(names) {
    return names.flatMap((name) => this.#series.get(name)?.list ?? []);
  }

  /** First and last time of some metrics in ms, or null. */
  coverage(names) {
    return coverage(this.listed(names));
  }

  /** The labels that some metrics have. */
  labelNames(names) {
    return [...new Set(this.listed(names).flatMap(({ labels }) => Object.keys(labels)))].sort();
  }

  /** The labels of some metrics with their values, as filters. */
  labelPairs(names) {
    const pairs = new Set();
    for (const { labels } of this.listed(names)) {
      for (const [label, value] of Object.entries(labels)) pairs.add(`${label}=${value}`);
      if (pairs.size >= MAX_LABEL_PAIRS) break;
    }
    return [...pairs].sort();
  }
}
