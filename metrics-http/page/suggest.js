// "Did you mean": names near to one that does not exist.

const MAX_SUGGESTIONS = 3;

/** The known names nearest to a text, at most three edits in ten letters away. */
export function closest(text, known) {
  const most = Math.max(2, Math.ceil(text.length * 0.3));
  return known
    .map((name) => [editDistance(text.toLowerCase(), name.toLowerCase(), most), name])
    .filter(([distance]) => distance <= most)
    .sort((a, b) => a[0] - b[0])
    .slice(0, MAX_SUGGESTIONS)
    .map(([, name]) => name);
}

/** Levenshtein's distance, given up on (as Infinity) once it is above `most`. */
function editDistance(a, b, most) {
  if (Math.abs(a.length - b.length) > most) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + Number(a[i - 1] !== b[j - 1]));
    }
    if (Math.min(...next) > most) return Infinity;
    row = next;
  }
  return row[b.length];
}
