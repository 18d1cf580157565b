// Ranges of time: from the view's choice to what the server is asked, and from a gesture to the next choice.

import { widthMs } from "./format.js";
import { PRESETS } from "./state.js";

const MIN_SPAN_MS = 100;
const MAX_SPAN_MS = 400 * 365 * 86_400_000;
const LATE_MS = 3_600_000;
const YOUNG_MS = 900_000;

/** First and last time of some series ({ first, last } in ms), or null where there is none. */
export function coverage(series) {
  if (series.length === 0) return null;
  return { first: Math.min(...series.map(({ first }) => first)), last: Math.max(...series.map(({ last }) => last)) };
}

/** What to ask for: { from, to, lengthMs }, the ends as the server reads them. `extent`: the data's own, or null. */
export function extentOf(range, extent) {
  if (range.last) return { from: `now-${range.last}`, to: "now", lengthMs: widthMs(range.last) };
  const [from, to] = range.all ? allOf(extent) : [range.from, range.to];
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString(), lengthMs: to - from };
}

/** What a range spans by itself, { from, to }; null for all data, whose ends only the store knows. */
export function spanOf(range) {
  if (range.all) return null;
  const now = Date.now();
  return range.last ? { from: now - widthMs(range.last), to: now } : { from: range.from, to: range.to };
}

/** All data: to just after the last point, for the end is not included. */
function allOf(extent) {
  if (!extent) return [Date.now() - LATE_MS, Date.now()];
  const from = Math.floor(extent.first);
  const to = Math.floor(extent.last) + 1;
  return to - from >= MIN_SPAN_MS ? [from, to] : [from - LATE_MS / 2, to + LATE_MS / 2];
}

/** Whether new points may still fall into a range. */
export function isOpen(range) {
  return range.last !== undefined || range.all === true || range.to > Date.now();
}

/** The range to begin with: the last minutes or the last hour where the data is alive, else all of it. */
export function firstRange(extent) {
  const now = Date.now();
  if (!extent || extent.last < now - LATE_MS) return { all: true };
  return { last: extent.first > now - YOUNG_MS ? "15m" : "1h" };
}

/** A range between two times, whole milliseconds, never shorter than can be told apart. */
export function between(from, to) {
  const middle = (from + to) / 2;
  const half = Math.min(MAX_SPAN_MS, Math.max(MIN_SPAN_MS, to - from)) / 2;
  return { from: Math.round(middle - half), to: Math.round(middle + half) };
}

/** A range wider or narrower by a factor, around a time that keeps its place. */
export function scaled({ from, to }, factor, around) {
  const at = around ?? (from + to) / 2;
  return between(at - (at - from) * factor, at + (to - at) * factor);
}

/** A preset's range. */
export function presetRange(preset) {
  return preset === "all" ? { all: true } : { last: preset };
}

/** The preset that a range is, or null. */
export function presetOf(range) {
  if (range.all) return "all";
  return PRESETS.includes(range.last) ? range.last : null;
}
