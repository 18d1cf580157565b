// Instants (ms since 1970 UTC) and the wall clock of a time zone.
// A "wall" number is the clock's reading written as if it were UTC, so that its date parts come from getUTC*.

const QUARTER_MS = 900_000;
const MAX_CACHED_OFFSETS = 20_000;

const formatters = new Map();
const offsets = new Map();

/** The browser's own zone. */
export function localZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return isZone(zone) ? zone : "UTC";
}

/** Whether the browser knows this zone by this name. */
export function isZone(zone) {
  if (typeof zone !== "string" || !/^[A-Za-z0-9_+\-/]{1,64}$/.test(zone)) return false;
  try {
    formatter(zone);
    return true;
  } catch {
    return false;
  }
}

/** Every zone to choose from, UTC first. */
export function zoneNames() {
  const all = typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];
  return ["UTC", ...all.filter((zone) => zone !== "UTC" && zone.includes("/"))];
}

function formatter(zone) {
  let found = formatters.get(zone);
  if (!found) {
    found = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      era: "short",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formatters.set(zone, found);
  }
  return found;
}

/** How far the zone's clock is ahead of UTC at an instant, in ms. Offsets change at quarter hours at the soonest. */
export function offsetAt(ms, zone) {
  if (zone === "UTC") return 0;
  const quarter = Math.floor(ms / QUARTER_MS);
  const key = `${zone} ${quarter}`;
  let offset = offsets.get(key);
  if (offset === undefined) {
    if (offsets.size >= MAX_CACHED_OFFSETS) offsets.clear();
    offset = computeOffset(quarter * QUARTER_MS, zone);
    offsets.set(key, offset);
  }
  return offset;
}

function computeOffset(ms, zone) {
  const part = {};
  for (const { type, value } of formatter(zone).formatToParts(ms)) part[type] = value;
  const year = part.era.startsWith("B") ? 1 - Number(part.year) : Number(part.year);
  const wall = new Date(0);
  wall.setUTCFullYear(year, Number(part.month) - 1, Number(part.day));
  wall.setUTCHours(Number(part.hour), Number(part.minute), Number(part.second));
  return wall.getTime() - ms;
}

/** What the zone's clock shows at an instant. */
export function wallOf(ms, zone) {
  return ms + offsetAt(ms, zone);
}

/** When the zone's clock shows a wall time: the earlier of two, and just after the jump when it never does. */
export function instantOf(wall, zone) {
  const before = offsetAt(wall - 86_400_000, zone);
  const after = offsetAt(wall + 86_400_000, zone);
  for (const offset of before >= after ? [before, after] : [after, before]) {
    if (wallOf(wall - offset, zone) === wall) return wall - offset;
  }
  return wall - before;
}

/** "+02:00" for the zone's offset at an instant. */
export function offsetText(ms, zone) {
  const minutes = Math.round(offsetAt(ms, zone) / 60_000);
  const two = (n) => String(n).padStart(2, "0");
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "\u2212" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** The text of a datetime-local field for an instant. */
export function fieldText(ms, zone) {
  return new Date(Math.floor(wallOf(ms, zone) / 1000) * 1000).toISOString().slice(0, 19);
}

/** The instant that the text of a datetime-local field means, or NaN. */
export function fieldInstant(text, zone) {
  const wall = Date.parse(`${text.length === 16 ? `${text}:00` : text}Z`);
  return Number.isNaN(wall) ? NaN : instantOf(wall, zone);
}
