// Takes a panel out of the page: the picture as PNG or SVG, the values as CSV; the address as a link.

import { csv } from "./api.js";
import { readTheme } from "./colours.js";
import { element } from "./dom.js";
import { time } from "./format.js";
import { compose } from "./picture.js";
import { SvgContext } from "./svg.js";

const SCALE = 2;
const FLASH_MS = 1_500;
const SAVES = { csv: saveCsv, png: savePng, svg: saveSvg };

/** Downloads what a panel shows (`Panel.shown`) as "csv", "png" or "svg", and says so on the button. */
export async function save(kind, shown, button) {
  if (!shown) return;
  try {
    await SAVES[kind](shown);
    flash(button, "Saved");
  } catch (error) {
    flash(button, "Failed");
    button.title = error.message;
  }
}

/** Puts the page's address on the clipboard, where the browser lets it. */
export async function copyLink(button) {
  try {
    await navigator.clipboard.writeText(location.href);
    flash(button, "Copied");
  } catch {
    flash(button, "See the address bar");
  }
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

async function savePng(shown) {
  const canvas = element("canvas");
  const ctx = canvas.getContext("2d");
  const picture = compose(ctx, shown, readTheme());
  canvas.width = picture.width * SCALE;
  canvas.height = Math.ceil(picture.height * SCALE);
  ctx.scale(SCALE, SCALE);
  picture.paint(ctx);
  const blob = await new Promise((resolve) => {
    canvas.toBlob(resolve, "image/png");
  });
  download(blob, shown, "png");
}

async function saveSvg(shown) {
  const picture = compose(new SvgContext(1, 1), shown, readTheme());
  const ctx = new SvgContext(picture.width, Math.ceil(picture.height));
  picture.paint(ctx);
  download(new Blob([ctx.text()], { type: "image/svg+xml" }), shown, "svg");
}

/** The values at the resolution chosen, as the server writes them. */
async function saveCsv(shown) {
  const { view, extent, points, frame } = shown;
  // Where the points themselves are drawn instead of windows with one each, they are what is saved.
  download(await csv(frame.raw ? { ...view, per: "raw" } : view, extent, points), shown, "csv");
}

function fileName({ view, frame }, ending) {
  const names = view.names
    .slice(0, 3)
    .map((name) => name.replace(/[^A-Za-z0-9_.-]+/g, "-").slice(0, 40))
    .join("+");
  const day = (ms) => time(ms, view.tz).slice(0, 16).replace(/[-:]/g, "").replace(" ", "T");
  const what = frame.raw ? "raw" : `${frame.agg}-per-${frame.per}`;
  return `${names || "metrics"}_${what}_${day(frame.from)}_${day(frame.to)}.${ending}`;
}

function download(blob, shown, ending) {
  const url = URL.createObjectURL(blob);
  const link = element("a", { href: url, download: fileName(shown, ending) });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
