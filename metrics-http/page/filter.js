// Label filters (host=a, host!=a, host=~web.*, host!~web.*): reading them, joining them, and keeping an answer small.

const SHAPE = /^([^=!~]+)(=~|!~|!=|=)([^]*)$/;
const MAX_FILTER_CHARS = 4_000;

/** Whether a text can be a label filter. */
export function isFilter(text) {
  return SHAPE.test(text);
}

function escaped(value) {
  return value.replace(/[\\^$.|?*+()[\]{}#&\-~]/g, "\\$&");
}

/**
 * Filters with "or" among the values of one label: host=a and host=b become host=~a|b. All others must hold together.
 */
export function mergedFilters(filters) {
  const values = new Map();
  const others = [];
  for (const text of filters) {
    const [, label, operator, value] = SHAPE.exec(text) ?? [];
    if (operator !== "=") others.push(text);
    else values.set(label, [...(values.get(label) ?? []), value]);
  }
  const merged = [...values].map(([label, list]) =>
    list.length === 1 ? `${label}=${list[0]}` : `${label}=~${list.map(escaped).join("|")}`,
  );
  return [...merged, ...others];
}

/** A function that tells whether labels pass a filter. A pattern that only the server understands lets all pass. */
function testOf(text) {
  const [, label, operator, value] = SHAPE.exec(text) ?? [];
  const of = (labels) => labels[label] ?? "";
  if (operator === "=") return (labels) => of(labels) === value;
  if (operator === "!=") return (labels) => of(labels) !== value;
  try {
    const pattern = new RegExp(`^(?:${value})$`, "su");
    return (labels) => pattern.test(of(labels)) === (operator === "=~");
  } catch {
    return () => true;
  }
}

/**
 * The filters to ask with, so that not many more than `most` lines come back, and how many there are in all.
 * `series`: those of the view's metrics; `isFirst(name, labels)`: whether a line must be among those that come.
 */
export function narrowed(series, view, most, isFirst) {
  const where = mergedFilters(view.where);
  const tests = where.map(testOf);
  const lines = new Map();
  for (const { name, labels } of series) {
    if (!tests.every((test) => test(labels))) continue;
    const line = { name, labels: groupedLabels(labels, view) };
    lines.set(JSON.stringify([name, Object.entries(line.labels).sort()]), line);
  }
  if (lines.size <= most) return { where, total: lines.size };
  const kept = firstOf([...lines.values()], most, isFirst);
  const labels = new Set([...lines.values()].flatMap((line) => Object.keys(line.labels)));
  const more = [...labels].map((label) => {
    const valuesOf = (list) => new Set(list.map((line) => line.labels[label] ?? ""));
    const values = valuesOf(kept);
    return values.size < valuesOf([...lines.values()]).size ? `${label}=~${[...values].map(escaped).join("|")}` : "";
  });
  return {
    where: [...where, ...more.filter((text) => text !== "" && text.length <= MAX_FILTER_CHARS)],
    total: lines.size,
  };
}

/** The labels that tell a view's lines apart. */
export function groupedLabels(labels, { groupBy, per }) {
  if (per === "raw" || groupBy === "*") return labels;
  const wanted = groupBy.split(",");
  return Object.fromEntries(Object.entries(labels).filter(([label]) => wanted.includes(label)));
}

/** The first lines: those that must be, then in turn of each metric, so that none is crowded out. */
function firstOf(lines, most, isFirst) {
  const seen = new Map();
  const ranked = lines.map((line) => {
    const rank = seen.get(line.name) ?? 0;
    seen.set(line.name, rank + 1);
    return { line, rank: isFirst(line.name, line.labels) ? -1 : rank };
  });
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .slice(0, most)
    .map(({ line }) => line);
}
