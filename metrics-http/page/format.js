// Numbers, times, widths and series as text.

import { wallOf } from "./zone.js";

const SMALLEST_PLAIN = 1e-4;
const SMALLEST_SHORT = 1e9;
const LARGEST_PLAIN = 1e18;

/** A value for tables and tooltips: six significant digits, whole numbers in full below a thousand million. */
export function number(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "\u2013";
  const size = Math.abs(value);
  if (size !== 0 && (size < SMALLEST_PLAIN || size >= LARGEST_PLAIN))
    return minus(value.toExponential(5).replace(/\.?0+e/, "e"));
  if (size >= SMALLEST_SHORT) return short(value);
  if (Number.isInteger(value)) return minus(value.toLocaleString("en-US"));
  const digits = size < 1 ? 6 : Math.max(0, 6 - String(Math.floor(size)).length);
  return minus(value.toLocaleString("en-US", { maximumFractionDigits: Math.max(2, digits) }));
}

/** Decimals that tell apart values which spread over `span`: about a thousand steps of it; null among whole numbers. */
export function decimalsFor(span, whole) {
  if (whole || !(span > 0)) return null;
  const decimals = 3 - Math.floor(Math.log10(span) + 1e-9);
  return decimals > 8 ? null : Math.max(0, decimals);
}

/** A value with so many decimals, so that a column lines up; null: as `number` writes it. */
export function fixed(value, decimals) {
  if (
    decimals === null ||
    value === null ||
    value === undefined ||
    Number.isNaN(value) ||
    Math.abs(value) >= SMALLEST_SHORT
  )
    return number(value);
  return minus(value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
}

function minus(text) {
  return text.replace(/^-/, "\u2212");
}

const PREFIXES = [
  [1e15, "P"],
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];

function short(value) {
  const [unit, letter] = PREFIXES.find(([size]) => Math.abs(value) >= size);
  return minus((value / unit).toFixed(3) + letter);
}

/** A function that labels the ticks of a value axis alike: one unit, and as many decimals as the step needs. */
export function axisFormat(step, largest) {
  if (largest !== 0 && (largest < SMALLEST_PLAIN || largest >= 1e18)) {
    return (value) => (value === 0 ? "0" : minus(value.toExponential(1)));
  }
  const [unit, letter] = (largest >= 1e4 && PREFIXES.find(([size]) => largest >= size)) || [1, ""];
  const decimals = Math.min(12, Math.max(0, -Math.floor(Math.log10(step / unit) + 1e-9)));
  return (value) => {
    const text = (value / unit).toLocaleString("en-US", {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
    });
    return minus(Number(value) === 0 ? "0" : text + letter);
  };
}

/** "2024-02-03 14:30:00" on the zone's clock; parts of a second only where there are any. */
export function time(ms, zone) {
  const text = new Date(Math.round(wallOf(ms, zone))).toISOString().replace("T", " ");
  return text.endsWith(".000Z") ? text.slice(0, 19) : text.slice(0, 23);
}

/** Both ends of a range, to the second unless it is a matter of seconds. */
export function rangeText({ from, to }, zone, joint) {
  const cut = to - from < 10_000 ? 23 : 19;
  return `${time(from, zone).slice(0, cut)} ${joint} ${time(to, zone).slice(0, cut)}`;
}

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** A window's start with no more detail than its width has. */
export function windowTime(ms, zone, per) {
  const text = time(ms, zone);
  const midnight = text.endsWith(" 00:00:00");
  if (per === "month" && midnight) return text.slice(0, 7);
  if ((per === "day" || per === "week") && midnight)
    return `${WEEKDAYS[new Date(wallOf(ms, zone)).getUTCDay()]} ${text.slice(0, 10)}`;
  return text.endsWith(":00") && widthMs(per) >= 60_000 ? text.slice(0, 16) : text;
}

/** "14:30:05" on the zone's clock. */
export function clock(ms, zone) {
  return time(ms, zone).slice(11, 19);
}

const UNIT_MS = { us: 0.001, ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const NAMED_MS = {
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
  month: 2_592_000_000,
};
const DURATION = /^(?:\d+(?:us|ms|s|m|h|d|w))+$/;

/** A width such as "5m", "1h30m" or "hour" in ms (a month counts 30 days); 0 for "raw" and for what is none. */
export function widthMs(text) {
  if (Object.hasOwn(NAMED_MS, text)) return NAMED_MS[text];
  if (!DURATION.test(text)) return 0;
  let total = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(us|ms|s|m|h|d|w)/g)) total += Number(count) * UNIT_MS[unit];
  return total;
}

const SPELLED = [
  ["w", "week"],
  ["d", "day"],
  ["h", "hour"],
  ["m", "minute"],
  ["s", "second"],
];

/** A width in words: "5 minutes", "hour", "200 ms". */
export function widthText(per) {
  const match = /^(\d+)(us|ms|s|m|h|d|w)$/.exec(per);
  if (!match) return per;
  const word = SPELLED.find(([unit]) => unit === match[2])?.[1];
  if (!word) return `${match[1]} ${match[2]}`;
  return match[1] === "1" ? word : `${match[1]} ${word}s`;
}

/** A length of time in its two largest units: "2 h 30 min". */
export function spanText(ms) {
  const units = [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["min", 60_000],
    ["s", 1_000],
    ["ms", 1],
  ];
  const at = units.findIndex(([, size]) => ms >= size);
  if (at < 0) return "0 ms";
  const [unit, size] = units[at];
  const whole = Math.floor(ms / size);
  const rest = units[at + 1] ? Math.floor((ms - whole * size) / units[at + 1][1]) : 0;
  return rest > 0 ? `${whole} ${unit} ${rest} ${units[at + 1][0]}` : `${whole} ${unit}`;
}

/** A count with its noun. */
export function plural(count, noun, many = `${noun}s`) {
  return `${count.toLocaleString("en-US")} ${count === 1 ? noun : many}`;
}
