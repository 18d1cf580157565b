// Paints one panel onto a 2D context: axes, bands, lines. Knows nothing of the page: a PNG is drawn by the same code.

import { dashOf, COLOURS } from "./colours.js";
import { axisFormat } from "./format.js";
import { linear, timeTicks, valueAxis } from "./scale.js";

const FONT_PX = 11;
const TOP = 10;
const RIGHT = 14;
const BOTTOM = 24;
const TICK_GAP_Y = 44;
const TICK_GAP_X = 72;
/** Bands hide each other where there are many: more series than this are drawn without. */
const MAX_BANDS = 6;
const DOT_SPACING = 22;
/** From so many samples on, lines are a pixel wide and drawn in pieces: wider or whole they take ten times as long. */
const DENSE = 6_000;
const PIECE = 50;

/** Whether a scene draws the min/max band of a series. */
export function hasBand(scene, series) {
  return (
    scene.band &&
    series.min !== null &&
    series.max !== null &&
    (scene.series.length <= MAX_BANDS || series.key === scene.highlight)
  );
}

/**
 * Where things are: { x, y, left, right, top, bottom, format, axis } for a scene
 * { width, height, frame, series, slots, zone, theme, zero, band, highlight, left }, where `left` is the least room
 * for the labels of the values.
 */
export function layoutOf(ctx, scene) {
  const top = TOP;
  const bottom = scene.height - BOTTOM;
  const [low, high] = extentOf(scene);
  const axis = valueAxis(low, high, Math.max(2, Math.round((bottom - top) / TICK_GAP_Y)));
  const format = axisFormat(axis.step, Math.max(Math.abs(axis.low), Math.abs(axis.high)));
  ctx.font = fontOf(scene);
  const own = Math.ceil(Math.max(28, ...axis.ticks.map((tick) => ctx.measureText(format(tick)).width))) + 12;
  const left = Math.max(own, scene.left ?? 0);
  const right = scene.width - RIGHT;
  const { from, to } = scene.frame;
  return {
    top,
    bottom,
    left,
    right,
    axis,
    format,
    x: linear(from, to, left, right),
    y: linear(axis.low, axis.high, bottom, top),
  };
}

function fontOf(scene) {
  return `${FONT_PX}px ${scene.theme.font || "sans-serif"}`;
}

function extentOf(scene) {
  let [low, high] = [Infinity, -Infinity];
  const take = (column) => {
    for (const value of column) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  };
  for (const series of scene.series) {
    take(series.values);
    if (scene.series.length <= MAX_BANDS && hasBand(scene, series)) {
      take(series.min);
      take(series.max);
    }
  }
  const fromZero = scene.zero || scene.frame.agg === "count" || scene.frame.agg === "sum";
  return fromZero ? [Math.min(0, low), Math.max(0, high)] : [low, high];
}

/** Paints a scene and returns its layout. */
export function paint(ctx, scene) {
  const layout = layoutOf(ctx, scene);
  paintAxes(ctx, scene, layout);
  ctx.save();
  ctx.beginPath();
  ctx.rect(layout.left, layout.top - 4, layout.right - layout.left + 3, layout.bottom - layout.top + 5);
  ctx.clip();
  const ordered = [...scene.series].sort(
    (a, b) => Number(a.key === scene.highlight) - Number(b.key === scene.highlight),
  );
  for (const series of ordered) if (hasBand(scene, series)) paintBand(ctx, scene, layout, series);
  for (const series of ordered) paintSeries(ctx, scene, layout, series);
  ctx.restore();
  return layout;
}

function paintAxes(ctx, scene, layout) {
  const { theme, frame, zone } = scene;
  const { left, right, top, bottom } = layout;
  ctx.lineWidth = 1;
  ctx.font = fontOf(scene);
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  for (const tick of layout.axis.ticks) {
    const y = Math.round(layout.y(tick)) + 0.5;
    ctx.strokeStyle = tick === 0 && layout.axis.low < 0 ? theme.axis : theme.grid;
    segment(ctx, left, y, right, y);
    ctx.fillStyle = theme.dim;
    ctx.fillText(layout.format(tick), left - 8, y);
  }
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  const ticks = timeTicks(frame.from, frame.to, (right - left) / TICK_GAP_X, zone);
  const marked = ticks.filter((tick) => tick.strong).length * 3 < ticks.length;
  let free = 0;
  for (const tick of ticks) {
    const x = Math.round(layout.x(tick.at)) + 0.5;
    ctx.strokeStyle = tick.strong && marked ? theme.axis : theme.grid;
    segment(ctx, x, top, x, bottom + 4);
    const half = ctx.measureText(tick.label).width / 2;
    const place = Math.min(Math.max(x, half + 2), scene.width - half - 2);
    if (place - half < free) continue;
    free = place + half + 8;
    ctx.fillStyle = tick.strong ? theme.ink : theme.dim;
    ctx.fillText(tick.label, place, bottom + 8);
  }
  ctx.strokeStyle = theme.axis;
  segment(ctx, left, bottom + 0.5, right, bottom + 0.5);
}

function segment(ctx, x1, y1, x2, y2) {
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}

/** The runs of samples that are joined: [first, last] indexes, split at gaps and at missing values. */
export function runsOf(series) {
  const { start, values, gap } = series;
  const runs = [];
  let first = -1;
  for (let i = series.cut ? 1 : 0; i < values.length; i += 1) {
    const missing = Number.isNaN(values[i]);
    if (first >= 0 && (missing || start[i] - start[i - 1] > gap)) {
      runs.push([first, i - 1]);
      first = -1;
    }
    if (first < 0 && !missing) first = i;
  }
  if (first >= 0) runs.push([first, values.length - 1]);
  return runs;
}

function colourOf(scene, series) {
  return scene.theme.series[scene.slots.get(series.key) % COLOURS];
}

function paintBand(ctx, scene, { x, y }, series) {
  ctx.fillStyle = colourOf(scene, series);
  ctx.strokeStyle = ctx.fillStyle;
  const { time, min, max } = series;
  const strength = scene.series.length <= 2 ? 0.2 : 0.13;
  const faded = scene.highlight !== null && series.key !== scene.highlight;
  for (const [first, last] of runsOf(series)) {
    ctx.globalAlpha = faded ? strength / 3 : strength;
    if (first === last) {
      ctx.lineWidth = 3;
      segment(ctx, x(time[first]), y(min[first]), x(time[first]), y(max[first]));
      continue;
    }
    ctx.beginPath();
    for (let i = first; i <= last; i += 1) ctx.lineTo(x(time[i]), y(max[i]));
    for (let i = last; i >= first; i -= 1) ctx.lineTo(x(time[i]), y(min[i]));
    ctx.fill();
  }
  ctx.globalAlpha = 1;
}

function paintSeries(ctx, scene, layout, series) {
  const { x, y } = layout;
  const chosen = series.key === scene.highlight;
  ctx.strokeStyle = colourOf(scene, series);
  ctx.fillStyle = ctx.strokeStyle;
  const isDense = scene.series.reduce((sum, { time }) => sum + time.length, 0) > DENSE;
  ctx.lineWidth = chosen ? 2.5 : isDense ? 1 : 1.5;
  ctx.lineJoin = "bevel";
  ctx.lineCap = "butt";
  ctx.globalAlpha = scene.highlight !== null && !chosen ? 0.25 : 1;
  const dash = dashOf(scene.slots.get(series.key));
  const { time, values } = series;
  const dotted = x(time[time.length - 1]) - x(time[0]) > (time.length - 1) * DOT_SPACING;
  for (const [first, last] of runsOf(series)) {
    const partial = series.growing && last === time.length - 1;
    const solid = partial ? last - 1 : last;
    ctx.setLineDash(dash);
    const piece = isDense ? PIECE : Infinity;
    for (let from = first; from < solid || from === first; from += piece) {
      ctx.beginPath();
      for (let i = from; i <= Math.min(solid, from + piece); i += 1) ctx.lineTo(x(time[i]), y(values[i]));
      ctx.stroke();
    }
    if (partial && last > first) {
      // The window that is still filling: a hint of where it stands.
      ctx.setLineDash([2, 3]);
      segment(ctx, x(time[last - 1]), y(values[last - 1]), x(time[last]), y(values[last]));
    }
    ctx.setLineDash([]);
    if (dotted) for (let i = first; i <= last; i += 1) dot(ctx, x(time[i]), y(values[i]), 2.5);
    else if (first === last) dot(ctx, x(time[first]), y(values[first]), 1.75);
  }
  ctx.globalAlpha = 1;
}

function dot(ctx, x, y, radius) {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fill();
}

/** Paints the crosshair at a time: a line, and a ring on each [series, index]. */
export function paintCrosshair(ctx, scene, layout, at, marks) {
  const x = Math.round(layout.x(at)) + 0.5;
  ctx.lineWidth = 1;
  ctx.strokeStyle = scene.theme.dim;
  ctx.globalAlpha = 0.6;
  segment(ctx, x, layout.top, x, layout.bottom);
  ctx.globalAlpha = 1;
  ctx.lineWidth = 2;
  for (const [series, i] of marks) {
    ctx.beginPath();
    ctx.arc(layout.x(series.time[i]), layout.y(series.values[i]), 4, 0, 2 * Math.PI);
    ctx.fillStyle = colourOf(scene, series);
    ctx.fill();
    ctx.strokeStyle = scene.theme.card;
    ctx.stroke();
  }
}

/** Paints the span that is being dragged over, between two places on the x axis. */
export function paintSelection(ctx, scene, layout, a, b) {
  const left = Math.max(layout.left, Math.min(a, b));
  const right = Math.min(layout.right, Math.max(a, b));
  ctx.fillStyle = scene.theme.select;
  ctx.fillRect(left, layout.top, right - left, layout.bottom - layout.top);
  ctx.strokeStyle = scene.theme.accent;
  ctx.lineWidth = 1;
  for (const edge of [left, right])
    segment(ctx, Math.round(edge) + 0.5, layout.top, Math.round(edge) + 0.5, layout.bottom);
}
