// Scales and their ticks: round numbers on the value axis, round clock and calendar times on the time axis.

import { instantOf, wallOf } from "./zone.js";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const LARGEST = Number.MAX_VALUE / 4;

/** A linear map of [from, to] to [start, end], with its inverse. */
export function linear(from, to, start, end) {
  const slope = (end - start) / (to - from || 1);
  const map = (value) => start + (value - from) * slope;
  map.invert = (place) => from + (place - start) / slope;
  map.from = from;
  map.to = to;
  return map;
}

/** The next of 1, 2, 5 times a power of ten that is at least `size`. */
export function niceStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  const factor = [1, 2, 5, 10].find((f) => f * power >= size * (1 - 1e-9));
  return factor * power;
}

/** A value axis around [low, high] with about `count` round ticks: { low, high, step, ticks }. */
export function valueAxis(low, high, count) {
  // Ends so far apart that their distance is no number any more.
  if (high - low === Infinity && Number.isFinite(low)) [low, high] = [Math.max(low, -LARGEST), Math.min(high, LARGEST)];
  if (!(high > low)) {
    const pad = low === 0 ? 1 : Math.abs(low) * 0.05;
    [low, high] = low === high ? [low - pad, high + pad] : [0, 1];
  }
  const step = niceStep((high - low) / Math.max(1, count));
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  const ticks = [];
  // Multiples rather than sums, so that no rounding error adds up and zero is zero.
  for (let i = first; i <= last && ticks.length < 50; i += 1) ticks.push(i * step);
  return { low: first * step, high: last * step, step, ticks };
}

const CLOCK_STEPS = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  SECOND,
  2 * SECOND,
  5 * SECOND,
  10 * SECOND,
  15 * SECOND,
  30 * SECOND,
  MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
];
const DAY_STEPS = [1, 2, 7, 14];
const MONTH_STEPS = [1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200];

/** Ticks of a time axis, at most about `count`: [{ at, label, strong }], strong where a larger unit begins. */
export function timeTicks(from, to, count, zone) {
  const smallest = (to - from) / Math.max(1, count);
  const clock = CLOCK_STEPS.find((step) => step >= smallest);
  if (clock) return clockTicks(from, to, clock, zone);
  const days = DAY_STEPS.find((step) => step * DAY >= smallest);
  if (days) return dayTicks(from, to, days, zone);
  const months = MONTH_STEPS.find((step) => step * 30.4 * DAY >= smallest) ?? MONTH_STEPS.at(-1);
  return monthTicks(from, to, months, zone);
}

/** Steps below a day: instants at which the zone's clock shows a multiple of the step. */
function clockTicks(from, to, step, zone) {
  // Zones are quarter hours off UTC, so a step is looked for wherever it may fall then.
  const stride = greatestDivisor(step, 15 * MINUTE);
  const ticks = [];
  for (let at = Math.ceil(from / stride) * stride; at <= to; at += stride) {
    const wall = wallOf(at, zone);
    if (((wall % step) + step) % step !== 0) continue;
    const midnight = ((wall % DAY) + DAY) % DAY === 0;
    ticks.push({ at, label: midnight ? dayLabel(wall) : clockLabel(wall, step), strong: midnight });
  }
  return ticks;
}

function greatestDivisor(a, b) {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

function clockLabel(wall, step) {
  const text = new Date(wall).toISOString();
  if (step < SECOND) return text.slice(14, 23);
  return step < MINUTE ? text.slice(11, 19) : text.slice(11, 16);
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function dayLabel(wall) {
  const date = new Date(wall);
  return `${MONTHS[date.getUTCMonth()]} ${date.getUTCDate()}`;
}

function dayTicks(from, to, step, zone) {
  const ticks = [];
  // 1970-01-05 was a Monday: steps of weeks start there.
  const phase = step >= 7 ? 4 : 0;
  let day = Math.ceil((Math.floor(wallOf(from, zone) / DAY) - phase) / step) * step + phase;
  for (; ticks.length < 500; day += step) {
    const at = instantOf(day * DAY, zone);
    if (at > to) break;
    const date = new Date(day * DAY);
    const newYear = date.getUTCMonth() === 0 && date.getUTCDate() === 1;
    const label = newYear ? String(date.getUTCFullYear()) : dayLabel(day * DAY);
    if (at >= from) ticks.push({ at, label, strong: date.getUTCDate() === 1 });
  }
  return ticks;
}

function monthTicks(from, to, step, zone) {
  const start = new Date(wallOf(from, zone));
  const ticks = [];
  let month = Math.floor((start.getUTCFullYear() * 12 + start.getUTCMonth()) / step) * step;
  for (; ticks.length < 500; month += step) {
    const wall = new Date(0);
    wall.setUTCFullYear(Math.floor(month / 12), month % 12, 1);
    const at = instantOf(wall.getTime(), zone);
    if (at > to) break;
    const january = month % 12 === 0;
    const label = january ? String(wall.getUTCFullYear()) : MONTHS[wall.getUTCMonth()];
    if (at >= from) ticks.push({ at, label, strong: january && step < 12 });
  }
  return ticks;
}
