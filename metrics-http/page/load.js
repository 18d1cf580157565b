// What a panel draws, asked of the server: windows as narrow as the pixels can show, or the points where they are few.

import { query } from "./api.js";
import { groupedLabels, narrowed } from "./filter.js";
import { keyOf, MAX_SERIES, readFrame } from "./frame.js";
import { extentOf } from "./range.js";

/** Aggregates whose value for a window with one point is that point's own. */
const OF_ONE_POINT = /^(?:avg|min|max|first|last|median|p[\d.]+)$/;

/** Asks for one view; remembers what was found, so that the next answer takes one round trip. */
export class Loader {
  #sparse = false;

  constructor(catalog) {
    this.catalog = catalog;
  }

  /** The frame of a view on so many pixels: { frame, extent, points }. */
  async load(view, points, signal) {
    const { catalog } = this;
    const described = Promise.all(view.names.map((name) => catalog.loadSeries(name, view.range.all === true)));
    // Whoever waits for it sees its failure; it may also come after this load was given up.
    described.catch(() => {});
    if (view.range.all || view.groupBy !== "" || view.per === "raw" || this.#sparse) await described;
    signal.throwIfAborted();
    const extent = extentOf(view.range, catalog.coverage(view.names));
    const asked = { extent, points, signal };
    if (view.per === "raw") {
      const frame = await this.#raw(view, asked);
      if (frame) return { frame, extent, points };
      // More points than pixels: averages with the least and greatest value behind them lose no peak.
      view = { ...view, per: "auto", groupBy: "*", agg: "avg" };
    }
    return { frame: await this.#windows(view, asked, described), extent, points };
  }

  /** The points of each series, or null where there are more than pixels. */
  async #raw(view, { extent, points, signal }) {
    const { where, total } = this.#lines(view);
    const answer = await query(view, extent, points, where, signal);
    if (answer.series.some((series) => series.time.length > points)) return null;
    return readFrame(answer, view, total);
  }

  async #windows(view, asked, described) {
    const { extent, points, signal } = asked;
    const { where, total } = this.#lines(view);
    const early = this.#sparse ? this.#points(view, where, asked) : null;
    // Where the windows fail, nobody waits for the points any more.
    early?.catch(() => {});
    const [answer] = await Promise.all([query(view, extent, points, where, signal), described]);
    this.#sparse = this.#isSparse(view, answer);
    const found = this.#sparse ? await (early ?? this.#points(view, where, asked)) : null;
    return readFrame(found ?? answer, view, total);
  }

  /** The points behind windows that hold one each, as the same lines at their own times; null where that fails. */
  async #points(view, where, { extent, points, signal }) {
    try {
      const answer = await query({ ...view, per: "raw" }, extent, points, where, signal);
      if (answer.series.some((series) => series.time.length > points)) return null;
      const series = answer.series.map((each) => ({ ...each, labels: groupedLabels(each.labels ?? {}, view) }));
      return { ...answer, series };
    } catch (error) {
      if (signal.aborted) throw error;
      return null;
    }
  }

  /** Whether every window was chosen by the server, holds at most one point, and every line is one series. */
  #isSparse(view, answer) {
    if (view.per !== "auto" || !OF_ONE_POINT.test(view.agg) || answer.series.length === 0) return false;
    if (!answer.series.every(({ count }) => Array.isArray(count) && count.every((points) => points <= 1))) return false;
    const known = this.catalog.listed(view.names);
    const count = (per) => narrowed(known, { ...view, per }, Infinity, () => false).total;
    return count("raw") <= MAX_SERIES && count("raw") === count("auto");
  }

  /** The filters that keep an answer small, and how many lines there are in all where that is more than are drawn. */
  #lines(view) {
    const isFirst = (name, labels) => view.only.includes(keyOf(name, labels));
    const { where, total } = narrowed(this.catalog.listed(view.names), view, MAX_SERIES, isFirst);
    return { where, total: total > MAX_SERIES ? total : 0 };
  }
}
