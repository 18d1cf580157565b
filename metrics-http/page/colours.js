// The palette: which series has which colour, and the theme's colours for the canvas.

import { element } from "./dom.js";

export const COLOURS = 10;
const DASHES = [[], [7, 3], [2, 3]];

/** Gives each series a slot and keeps it for as long as the series is shown: a refresh never repaints a line. */
export class Slots {
  #groups = new Map();

  /** The slots of some series, by key. `split`: counted anew for each metric, which then has a chart to itself. */
  assign(list, split) {
    const all = new Map();
    const groups = new Map();
    for (const { key, name } of list) {
      const group = split ? `of ${name}` : "";
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(key);
    }
    for (const group of this.#groups.keys()) if (!groups.has(group)) this.#groups.delete(group);
    for (const [group, keys] of groups) {
      const slots = assignFree(keys, this.#groups.get(group) ?? new Map());
      this.#groups.set(group, slots);
      for (const [key, slot] of slots) all.set(key, slot);
    }
    return all;
  }
}

/** Slots for the keys: the ones they had, else the lowest that are free. Keys that are gone give theirs back. */
function assignFree(keys, before) {
  const taken = new Set(keys.filter((key) => before.has(key)).map((key) => before.get(key)));
  let next = 0;
  return new Map(
    keys.map((key) => {
      if (before.has(key)) return [key, before.get(key)];
      while (taken.has(next)) next += 1;
      taken.add(next);
      return [key, next];
    }),
  );
}

/** The line pattern of a slot: each further ten series have another one. */
export function dashOf(slot) {
  return DASHES[Math.floor(slot / COLOURS) % DASHES.length];
}

/** The class names that give an element the colour and pattern of a slot. */
export function slotClasses(slot) {
  return [`slot-${slot % COLOURS}`, `dash-${Math.floor(slot / COLOURS) % DASHES.length}`];
}

/** The colours of the theme that is on, read from the style sheet. */
export function readTheme() {
  // A variable holds both themes' colours: which one it stands for shows where it is used.
  const probe = element("span", { hidden: true });
  document.body.append(probe);
  const style = getComputedStyle(probe);
  const read = (name) => {
    probe.style.color = `var(${name})`;
    return style.color;
  };
  const theme = {
    ink: read("--ink"),
    dim: read("--dim"),
    grid: read("--grid"),
    axis: read("--line-strong"),
    card: read("--card"),
    accent: read("--accent"),
    select: read("--select"),
    font: style.getPropertyValue("--font").trim(),
    series: Array.from({ length: COLOURS }, (_, i) => read(`--series-${i}`)),
  };
  probe.remove();
  return theme;
}

/** Calls back whenever the system changes between light and dark, or the resolution of the screen changes. */
export function onThemeChange(callback) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", callback);
  let resolution = null;
  const watch = () => {
    resolution = matchMedia(`(resolution: ${devicePixelRatio}dppx)`);
    resolution.addEventListener(
      "change",
      () => {
        watch();
        callback();
      },
      { once: true },
    );
  };
  watch();
}
