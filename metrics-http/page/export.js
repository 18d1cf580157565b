// Takes the view out of the page: the picture as PNG, the values as CSV, the address as a link.

import { csv } from "./api.js";
import { dashOf, COLOURS, readTheme } from "./colours.js";
import { layoutOf, paint } from "./draw.js";
import { byId, element } from "./dom.js";
import { time } from "./format.js";

const SCALE = 2;
const WIDTH = 1200;
const PANEL_HEIGHT = 400;
const MARGIN = 20;
const HEAD = 52;
const PANEL_TITLE = 22;
const LEGEND_LINE = 20;
const MAX_LEGEND_WIDTH = 320;
const FLASH_MS = 1_500;

/** Wires the buttons. `app.shown`: what is on the screen, { view, frame, slots, panels, caption, extent, points }. */
export function bindExports(app) {
  const bind = (id, act) =>
    byId(id).addEventListener("click", async () => {
      try {
        flash(byId(id), await act(app.shown));
      } catch (error) {
        flash(byId(id), "Failed");
        byId(id).title = error.message;
      }
    });
  bind("save-png", savePng);
  bind("save-csv", saveCsv);
  bind("copy-link", copyLink);
}

/** Shows a word on a button for a moment. */
function flash(button, word) {
  button.dataset.label ??= button.textContent;
  button.textContent = word;
  clearTimeout(Number(button.dataset.timer));
  button.dataset.timer = String(
    setTimeout(() => {
      button.textContent = button.dataset.label;
    }, FLASH_MS),
  );
}

/** Downloads the picture of what the panels show, with its title and legend. */
async function savePng({ panels, frame, slots, view, caption }) {
  const groups = panels.groups();
  const theme = readTheme();
  const canvas = document.createElement("canvas");
  const ctx = canvas.getContext("2d");
  const legend = layoutLegend(
    ctx,
    theme,
    groups.flatMap(({ series }) => series),
  );
  const titled = groups.length > 1 ? PANEL_TITLE : 0;
  const size = { width: WIDTH - 16, height: PANEL_HEIGHT / (titled ? 1.6 : 1) };
  const height = HEAD + groups.length * (size.height + titled) + legend.height + MARGIN;
  canvas.width = WIDTH * SCALE;
  canvas.height = Math.ceil(height * SCALE);
  ctx.scale(SCALE, SCALE);
  ctx.fillStyle = theme.card;
  ctx.fillRect(0, 0, WIDTH, height);
  write(ctx, `600 16px ${theme.font}`, theme.ink, caption.title, MARGIN, 26, WIDTH - 2 * MARGIN);
  write(ctx, `12px ${theme.font}`, theme.dim, caption.detail, MARGIN, 44, WIDTH - 2 * MARGIN);
  const scenes = groups.map(({ series }) => ({ ...panels.scene(series), theme, highlight: null, ...size }));
  const left = Math.max(...scenes.map((scene) => layoutOf(ctx, scene).left));
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
  const blob = await new Promise((resolve) => {
    canvas.toBlob(resolve, "image/png");
  });
  download(blob, `${fileStem(view, frame)}.png`);
  return "Saved";
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

/** Downloads the values at the resolution chosen, as the server writes them. */
async function saveCsv({ view, extent, points, frame }) {
  download(await csv(view, extent, points), `${fileStem(view, frame)}.csv`);
  return "Saved";
}

/** Puts the page's address on the clipboard, where the browser lets it. */
async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    return "Copied";
  } catch {
    return "See the address bar";
  }
}

function fileStem(view, frame) {
  const names = view.names
    .slice(0, 3)
    .map((name) => name.replace(/[^A-Za-z0-9_.-]+/g, "-").slice(0, 40))
    .join("+");
  const day = (ms) => time(ms, view.tz).slice(0, 16).replace(/[-:]/g, "").replace(" ", "T");
  const what = frame.raw ? "raw" : `${view.agg}-per-${frame.per}`;
  return `${names || "metrics"}_${what}_${day(frame.from)}_${day(frame.to)}`;
}

function download(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
