// The calls to the server, and what can go wrong with them.

import { mergedFilters } from "./filter.js";
import { widthMs } from "./format.js";
import { authorization } from "./token.js";

const TIMEOUT_MS = 30_000;
const MIN_POINTS = 20;
const MAX_POINTS = 4_000;
const SUMMARY = ["avg", "min", "max", "count", "last"];
const BELOW_SECOND = ["1ms", "2ms", "5ms", "10ms", "20ms", "50ms", "100ms", "200ms", "500ms"];
const FINE_SPAN_MS = 60_000;

/**
 * A call without the answer hoped for. `kind`: "gone" (nobody answers), "locked" (a good token is asked for), "refused"
 * (our request is wrong), "server" (its fault).
 */
export class ApiError extends Error {
  constructor(kind, message, status = 0) {
    super(message);
    this.kind = kind;
    this.status = status;
  }
}

async function call(path, { accept = "application/json", signal } = {}) {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  let response;
  try {
    const either = signal ? AbortSignal.any([signal, timeout]) : timeout;
    response = await fetch(new URL(path, document.baseURI), {
      headers: { Accept: accept, ...authorization() },
      cache: "no-store",
      signal: either,
    });
    if (response.ok) return accept === "application/json" ? await response.json() : await response.blob();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(
      "gone",
      timeout.aborted ? `no answer within ${TIMEOUT_MS / 1000} seconds` : "the connection failed",
    );
  }
  const { status } = response;
  const told = await response.json().catch(() => null);
  const message = typeof told?.message === "string" ? told.message : `status ${status}`;
  throw new ApiError(status >= 500 ? "server" : status === 401 ? "locked" : "refused", message, status);
}

/** Every metric's name, ascending. */
export async function metricNames() {
  const names = await call("v1/metrics");
  return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
}

/** The series of a metric: [{ name, labels, first, last, count }] with times in ms. */
export async function seriesOf(name) {
  const rows = await call(`v1/series?${new URLSearchParams({ name })}`);
  return rows.map((row) => ({ ...row, labels: row.labels ?? {}, first: instant(row.first), last: instant(row.last) }));
}

/** A time of an answer (ms, or RFC 3339) as ms. */
export function instant(value) {
  return typeof value === "number" ? value : Date.parse(value);
}

/** The answer to a view's query, drawn on `points` pixels, of the series that pass `filters`. Times come as ms. */
export async function query(view, extent, points, filters, signal) {
  const params = queryParams(view, extent, points, filters);
  params.append("epoch", "ms");
  return call(`v1/query?${params}`, { signal });
}

/** The view's values as CSV, at the resolution that was chosen, as a blob. */
export async function csv(view, extent, points, signal) {
  const params = queryParams(view, extent, points);
  if (view.per === "raw") params.delete("limit");
  else {
    params.set("agg", aggregates(view, []).join(","));
    if (view.per !== "auto") {
      params.set("per", view.per);
      params.delete("points");
    }
  }
  return call(`v1/query?${params}`, { accept: "text/csv", signal });
}

/**
 * What is asked for a view. `extent` is { from, to } as texts that the server reads and its length in ms.
 * Never more windows a series than pixels: a resolution that is too fine for the width gives way to `auto`.
 */
export function queryParams(view, extent, pixels, filters = mergedFilters(view.where)) {
  const points = Math.min(MAX_POINTS, Math.max(MIN_POINTS, Math.floor(pixels)));
  const params = new URLSearchParams();
  for (const name of view.names) params.append("name", name);
  params.append("from", extent.from);
  if (extent.to !== "now") params.append("to", extent.to);
  const per = drawnPer(view.per, extent.lengthMs, points);
  params.append("per", per);
  if (per === "raw") {
    // One more than fit, so that too many can be told from just enough.
    params.append("limit", String(points + 1));
  } else {
    if (per === "auto") params.append("points", String(view.per === "auto" ? Math.ceil(points / 2) : points));
    params.append("agg", aggregates(view, SUMMARY).join(","));
    if (view.groupBy !== "") params.append("group_by", view.groupBy);
  }
  for (const filter of filters) params.append("where", filter);
  params.append("tz", view.tz);
  return params;
}

function aggregates(view, more) {
  const band = view.agg === "avg" || view.agg === "median" ? ["min", "max"] : [];
  return [...new Set([view.agg, ...band, ...more])];
}

/** The resolution to ask for where `per` was chosen: the same, or `auto` when it cuts finer than `points`. */
export function drawnPer(per, lengthMs, points) {
  if (per === "raw") return "raw";
  if (per !== "auto") return lengthMs / widthMs(per) > points ? "auto" : per;
  // The server's own choice ends at a second; a closer look goes on in steps below.
  if (lengthMs > FINE_SPAN_MS) return "auto";
  return BELOW_SECOND.find((step) => lengthMs / widthMs(step) < points / 2) ?? "auto";
}
