// A query's answer as the page draws it: typed columns, gaps, keys and titles, figures over the whole range.

import { instant } from "./api.js";
import { decimalsFor, widthMs } from "./format.js";

/** Most series that are drawn; more are counted and named. */
export const MAX_SERIES = 60;
/** Aggregates whose last window counts only what has happened so far, and whose first only what lies in the range. */
const GROWING = new Set(["sum", "count", "increase"]);
const BANDED = new Set(["avg", "median"]);
const GAP_WINDOWS = 1.5;
const GAP_THIN_WINDOWS = 2.5;
/** Points at irregular times: their distance says less. */
const GAP_RAW = 4;
/** Of regular ones a single one may be lost: that is no gap yet. */
const GAP_REGULAR = 2.5;
const REGULAR = 1.1;

/**
 * Reads an answer for a view: { from, to, per, raw, agg, stepMs, total, isSketch, series }; `total`: how many lines
 * there are where not all were asked for. A series has { key, name, labels, title, time, start, values, min, max, gap,
 * growing, cut, summary, decimals, figures }; its columns are Float64Arrays with NaN for what is missing.
 */
export function readFrame(answer, view, total) {
  const raw = answer.per === "raw";
  const frame = {
    from: instant(answer.from),
    to: instant(answer.to),
    per: answer.per,
    raw,
    agg: raw ? "value" : view.agg,
    stepMs: widthMs(answer.per),
    total: Math.max(total, answer.series.length),
    series: [],
  };
  frame.series = answer.series.slice(0, MAX_SERIES).map((found) => readSeries(found, frame));
  frame.isSketch = answer.series.some((series) => series.quantiles?.[view.agg] === "sketch");
  const titles = titlesOf(frame.series);
  frame.series.forEach((series, i) => {
    series.title = titles[i];
  });
  setDecimals(frame.series);
  return frame;
}

function readSeries(found, frame) {
  const column = (name) =>
    Array.isArray(found[name]) ? Float64Array.from(found[name], (value) => value ?? NaN) : null;
  const time = Float64Array.from(found.time, instant);
  const columns = { time, values: column(frame.agg) ?? new Float64Array(time.length).fill(NaN) };
  for (const name of ["min", "max", "avg", "count", "last"]) columns[name] = column(name);
  if (time.length > 1 && time[0] > time[time.length - 1]) for (const each of Object.values(columns)) each?.reverse();
  const grows = GROWING.has(frame.agg) && time.length > 2;
  const growing = grows && columns.time[time.length - 1] + frame.stepMs > frame.to;
  const cut = grows && columns.time[0] < frame.from;
  const banded = BANDED.has(frame.agg);
  return {
    key: keyOf(found.name, found.labels ?? {}),
    name: found.name,
    labels: found.labels ?? {},
    // A window that began before the range holds only points of the range: it is drawn from the range's start.
    time: columns.time.map((at) => Math.max(at, frame.from)),
    start: columns.time,
    values: columns.values,
    min: banded ? columns.min : null,
    max: banded ? columns.max : null,
    gap: gapOf(columns, frame),
    growing,
    cut,
    summary: frame.raw ? summaryOfPoints(columns.values) : summaryOfWindows(columns),
  };
}

/** Gives all series of a metric the same number of decimals, for their values and for their figures. */
function setDecimals(list) {
  for (const name of new Set(list.map((series) => series.name))) {
    const alike = list.filter((series) => series.name === name);
    const values = spreadOf(alike.map((series) => series.values));
    const figures = spreadOf(alike.map(({ summary }) => (summary ? [summary.min, summary.max, summary.last] : [])));
    const average = decimalsFor(figures.size, false);
    for (const series of alike) {
      series.decimals = decimalsFor(values.size, values.whole);
      series.figures = { average, other: decimalsFor(figures.size, figures.whole) };
    }
  }
}

/** How far the numbers within a list lie apart at most, and whether all of them are whole. */
function spreadOf(lists) {
  let [size, whole] = [0, true];
  for (const list of lists) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of list) {
      if (Number.isNaN(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
      whole &&= Number.isInteger(value);
    }
    size = Math.max(size, high - low);
  }
  return { size, whole };
}

/** The text that names a series in a link: name{label=value,...}, labels sorted. */
export function keyOf(name, labels) {
  const pairs = Object.keys(labels)
    .sort()
    .map((label) => `${label}=${labels[label]}`);
  return pairs.length > 0 ? `${name}{${pairs.join(",")}}` : name;
}

/**
 * How far two neighbours may lie apart and still be joined. A window that is missing is a gap; where a series has a
 * point only every few windows, its own usual distance is the measure. With about one point a window a single window
 * comes out empty by chance (a point every 15 s, in windows of 10 s): that is no gap yet.
 */
function gapOf({ time, count }, frame) {
  if (time.length < 2) return Infinity;
  const steps = new Float64Array(time.length - 1);
  for (let i = 0; i < steps.length; i += 1) steps[i] = time[i + 1] - time[i];
  const usual = steps.sort()[Math.floor((steps.length - 1) * 0.75)];
  if (frame.raw) return usual * (usual <= steps[Math.floor(steps.length / 10)] * REGULAR ? GAP_REGULAR : GAP_RAW);
  const points = count ? count.reduce((sum, one) => sum + one, 0) : Infinity;
  return Math.max(usual, frame.stepMs) * (points >= 2 * time.length ? GAP_WINDOWS : GAP_THIN_WINDOWS);
}

function summaryOfPoints(values) {
  let [sum, count, min, max] = [0, 0, Infinity, -Infinity];
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count += 1;
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return count > 0 ? { avg: sum / count, min, max, last: values[values.length - 1], count } : null;
}

/** Figures over all points of the range: the average weighs each window by its count. */
function summaryOfWindows({ avg, min, max, count, last, time }) {
  if (!avg || !count || !min || !max || !last) return null;
  let [sum, points, low, high, latest] = [0, 0, Infinity, -Infinity, NaN];
  for (let i = 0; i < time.length; i += 1) {
    if (!(count[i] > 0)) continue;
    sum += avg[i] * count[i];
    points += count[i];
    low = Math.min(low, min[i]);
    high = Math.max(high, max[i]);
    latest = last[i];
  }
  return points > 0 ? { avg: sum / points, min: low, max: high, last: latest, count: points } : null;
}

/** Short titles: what all series share is left out, the name first where there is more than one. */
function titlesOf(list) {
  const names = new Set(list.map((series) => series.name));
  const shared = (label) => list.length > 1 && list.every((series) => series.labels[label] === list[0].labels[label]);
  return list.map(({ name, labels }) => {
    const pairs = Object.keys(labels)
      .sort()
      .filter((label) => !shared(label))
      .map((label) => `${label}=${labels[label]}`);
    if (pairs.length === 0) return name;
    return names.size > 1 ? `${name}  ${pairs.join(" ")}` : pairs.join(" ");
  });
}

/** The index of the sample nearest to a time, or -1 in an empty series. */
export function nearest(time, at) {
  let [low, high] = [0, time.length - 1];
  if (high < 0) return -1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (time[middle] < at) low = middle + 1;
    else high = middle;
  }
  return low > 0 && at - time[low - 1] <= time[low] - at ? low - 1 : low;
}

/** The index of a series' sample that belongs to a time on the crosshair, or -1 where it has none. */
export function sampleAt(series, at, reach) {
  const i = nearest(series.time, at);
  return i >= 0 && Math.abs(series.time[i] - at) <= reach && !Number.isNaN(series.values[i]) ? i : -1;
}
