// The picture of a panel for a file: its title, its charts and their legend on one sheet.

import { COLOURS, dashOf } from "./colours.js";
import { layoutOf, paint } from "./draw.js";

const WIDTH = 1200;
const CHART_HEIGHT = 400;
const MARGIN = 20;
const HEAD = 52;
const CHART_TITLE = 22;
const LEGEND_LINE = 20;
const MAX_LEGEND_WIDTH = 320;

/**
 * The sheet of what a panel shows: { width, height, paint(ctx) }. `measuring`: a context to measure texts with; the
 * one that is painted on may be another.
 */
export function compose(measuring, { charts, slots, caption }, theme) {
  const groups = charts.groups();
  const legend = layoutLegend(
    measuring,
    theme,
    groups.flatMap(({ series }) => series),
  );
  const titled = groups.length > 1 ? CHART_TITLE : 0;
  const size = { width: WIDTH - 16, height: CHART_HEIGHT / (titled ? 1.6 : 1) };
  const height = HEAD + groups.length * (size.height + titled) + legend.height + MARGIN;
  const scenes = groups.map(({ series }) => ({ ...charts.scene(series), theme, highlight: null, ...size }));
  const left = Math.max(...scenes.map((scene) => layoutOf(measuring, scene).left));
  const paintAll = (ctx) => {
    ctx.fillStyle = theme.card;
    ctx.fillRect(0, 0, WIDTH, height);
    write(ctx, `600 16px ${theme.font}`, theme.ink, caption.title, MARGIN, 26, WIDTH - 2 * MARGIN);
    write(ctx, `12px ${theme.font}`, theme.dim, caption.detail, MARGIN, 44, WIDTH - 2 * MARGIN);
    let y = HEAD;
    groups.forEach(({ title }, i) => {
      if (title !== null) {
        write(ctx, `600 12px ${theme.font}`, theme.ink, title, MARGIN, y + 14, WIDTH - 2 * MARGIN);
        y += titled;
      }
      ctx.save();
      ctx.translate(8, y);
      paint(ctx, { ...scenes[i], left });
      ctx.restore();
      y += size.height;
    });
    paintLegend(ctx, theme, legend, slots, y + 6);
  };
  return { width: WIDTH, height, paint: paintAll };
}

function write(ctx, font, colour, text, x, y, width) {
  ctx.font = font;
  ctx.fillStyle = colour;
  ctx.textAlign = "left";
  ctx.textBaseline = "alphabetic";
  ctx.fillText(shortened(ctx, text, width), x, y);
}

/** A text cut to a width, with an ellipsis where it was. */
function shortened(ctx, text, width) {
  if (ctx.measureText(text).width <= width) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (ctx.measureText(`${text.slice(0, middle)}\u2026`).width <= width) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low)}\u2026`;
}

function layoutLegend(ctx, theme, list) {
  ctx.font = `12px ${theme.font}`;
  const items = [];
  let [x, line] = [MARGIN, 0];
  for (const series of list) {
    const text = shortened(ctx, series.title, MAX_LEGEND_WIDTH);
    const width = ctx.measureText(text).width + 40;
    if (x + width > WIDTH - MARGIN && x > MARGIN) [x, line] = [MARGIN, line + 1];
    items.push({ series, text, x, line });
    x += width;
  }
  return { items, height: items.length > 0 ? (line + 1) * LEGEND_LINE + 6 : 0 };
}

function paintLegend(ctx, theme, { items }, slots, top) {
  for (const { series, text, x, line } of items) {
    const y = top + line * LEGEND_LINE + 10;
    const slot = slots.get(series.key);
    ctx.strokeStyle = theme.series[slot % COLOURS];
    ctx.lineWidth = 3;
    ctx.setLineDash(dashOf(slot));
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.lineTo(x + 16, y);
    ctx.stroke();
    ctx.setLineDash([]);
    write(ctx, `12px ${theme.font}`, theme.ink, text, x + 22, y + 4, MAX_LEGEND_WIDTH);
  }
}
