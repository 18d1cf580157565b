// Values under the pointer, and curves that the legend hides and shows. Texts go in as text, never as markup.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const svg = document.querySelector("svg");
const tip = document.querySelector("output");
const [left, right, top_, bottom] = data.edges;
const hidden = new Set();
/** A point further than this share of the chart from the time pointed at is none of it. */
const REACH = 1 / 50;

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", timeZone: data.zone });
const number = (value) => Number(value.toPrecision(6)).toLocaleString();

const line = document.createElementNS(svg.namespaceURI, "path");
line.setAttribute("class", "pointer");
svg.append(line);

/** The point of a curve that is nearest in time. */
function nearest(points, at) {
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < at) low = middle + 1;
    else high = middle;
  }
  const before = points[Math.max(low - 1, 0)];
  return low > 0 && at - before[0] < points[low][0] - at ? before : points[low];
}

function show(event) {
  const box = svg.getBoundingClientRect();
  const scale = svg.viewBox.baseVal.width / box.width;
  const x = (event.clientX - box.left) * scale;
  if (x < left || x > right) return leave();
  const span = data.to - data.from;
  const pointed = data.from + ((x - left) / (right - left)) * span;
  const found = data.curves
    .filter(({ points }, index) => !hidden.has(index) && points.length > 0)
    .map(({ label, points }) => ({ label, point: nearest(points, pointed) }))
    .filter(({ point }) => Math.abs(point[0] - pointed) <= span * REACH);
  if (found.length === 0) return leave();
  const away = ({ point }) => Math.abs(point[0] - pointed);
  const [at] = found.reduce((a, b) => (away(b) < away(a) ? b : a)).point;
  line.setAttribute("d", `M${left + ((at - data.from) / span) * (right - left)} ${top_}V${bottom}`);
  const rows = found.map(({ label, point: [, value, low, high] }) => {
    const row = document.createElement("div");
    const band = low === undefined ? "" : ` (${number(low)} to ${number(high)})`;
    row.textContent = `${label}: ${number(value)}${band}`;
    return row;
  });
  const head = document.createElement("strong");
  head.textContent = `${clock.format(at)} ${data.zone}`;
  tip.replaceChildren(head, ...rows);
  tip.hidden = false;
  const wide = tip.offsetWidth;
  const beside = event.clientX + 14 + wide > window.innerWidth ? event.clientX - 14 - wide : event.clientX + 14;
  tip.style.left = `${Math.max(beside, 4)}px`;
  tip.style.top = `${event.clientY + 14}px`;
}

function leave() {
  tip.hidden = true;
  line.removeAttribute("d");
}

function toggle(entry) {
  const index = Number(entry.dataset.entry);
  if (!hidden.delete(index)) hidden.add(index);
  const off = hidden.has(index);
  svg.querySelector(`[data-curve="${index}"]`).toggleAttribute("hidden", off);
  entry.classList.toggle("off", off);
  entry.setAttribute("aria-pressed", String(!off));
}

svg.addEventListener("pointermove", show);
svg.addEventListener("pointerleave", leave);
for (const entry of svg.querySelectorAll("[data-entry]")) {
  entry.setAttribute("role", "button");
  entry.setAttribute("tabindex", "0");
  entry.setAttribute("aria-pressed", "true");
  entry.addEventListener("click", () => toggle(entry));
  entry.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      toggle(entry);
    }
  });
}
