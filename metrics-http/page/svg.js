// As much of a canvas' 2D context as the charts draw with, which writes down what is drawn as SVG.

const NAMESPACE = "http://www.w3.org/2000/svg";
const ANCHORS = { left: "start", center: "middle", right: "end" };
const STATE = [
  "fillStyle",
  "strokeStyle",
  "lineWidth",
  "lineJoin",
  "lineCap",
  "globalAlpha",
  "font",
  "textAlign",
  "textBaseline",
];

/** A picture of so many pixels. What is drawn on it becomes elements: text stays text, whatever it holds. */
export class SvgContext {
  fillStyle = "#000000";
  strokeStyle = "#000000";
  lineWidth = 1;
  lineJoin = "miter";
  lineCap = "butt";
  globalAlpha = 1;
  font = "10px sans-serif";
  textAlign = "left";
  textBaseline = "alphabetic";
  #dash = [];
  #path = [];
  #saved = [];
  #clips = 0;
  /** Measures text: SVG that is not shown cannot. */
  #ruler = document.createElement("canvas").getContext("2d");

  constructor(width, height) {
    this.root = made("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
    this.parent = this.root;
  }

  /** The picture as a document's text. */
  text() {
    return new XMLSerializer().serializeToString(this.root);
  }

  save() {
    const kept = Object.fromEntries(STATE.map((key) => [key, this[key]]));
    this.#saved.push([kept, this.#dash, this.parent]);
  }

  restore() {
    const [kept, dash, parent] = this.#saved.pop();
    Object.assign(this, kept);
    this.#dash = dash;
    this.parent = parent;
  }

  translate(x, y) {
    this.#enter({ transform: `translate(${place(x)} ${place(y)})` });
  }

  clip() {
    this.#clips += 1;
    const id = `clip-${this.#clips}`;
    const clip = made("clipPath", { id });
    clip.append(made("path", { d: this.#path.join("") }));
    this.parent.append(clip);
    this.#enter({ "clip-path": `url(#${id})` });
  }

  #enter(attributes) {
    const group = made("g", attributes);
    this.parent.append(group);
    this.parent = group;
  }

  setLineDash(dash) {
    this.#dash = dash;
  }

  beginPath() {
    this.#path = [];
  }

  moveTo(x, y) {
    this.#path.push(`M${place(x)} ${place(y)}`);
  }

  lineTo(x, y) {
    this.#path.push(`${this.#path.length === 0 ? "M" : "L"}${place(x)} ${place(y)}`);
  }

  rect(x, y, width, height) {
    this.#path.push(`M${place(x)} ${place(y)}h${place(width)}v${place(height)}h${place(-width)}Z`);
  }

  /** Whole circles only. */
  arc(x, y, radius) {
    const r = place(radius);
    const across = place(2 * radius);
    this.#path.push(`M${place(x - radius)} ${place(y)}a${r} ${r} 0 1 0 ${across} 0a${r} ${r} 0 1 0 -${across} 0Z`);
  }

  stroke() {
    if (this.#path.length === 0) return;
    this.#add("path", {
      d: this.#path.join(""),
      fill: "none",
      stroke: this.strokeStyle,
      "stroke-width": this.lineWidth,
      "stroke-linejoin": this.lineJoin,
      "stroke-linecap": this.lineCap,
      "stroke-dasharray": this.#dash.length > 0 ? this.#dash.join(" ") : null,
    });
  }

  fill() {
    if (this.#path.length > 0) this.#add("path", { d: this.#path.join(""), fill: this.fillStyle });
  }

  fillRect(x, y, width, height) {
    this.#add("rect", { x: place(x), y: place(y), width: place(width), height: place(height), fill: this.fillStyle });
  }

  fillText(text, x, y) {
    const [, weight, size, family] = /^(?:(\d+) )?([\d.]+)px (.*)$/.exec(this.font);
    // Where a baseline other than the alphabetic one lies differs among readers: it is worked out here.
    const down = { middle: 0.36, top: 0.8 }[this.textBaseline] ?? 0;
    const written = this.#add("text", {
      x: place(x),
      y: place(y + down * Number(size)),
      fill: this.fillStyle,
      "font-family": family,
      "font-size": size,
      "font-weight": weight ?? null,
      "text-anchor": ANCHORS[this.textAlign],
    });
    written.textContent = text;
  }

  measureText(text) {
    this.#ruler.font = this.font;
    return this.#ruler.measureText(text);
  }

  #add(tag, attributes) {
    const opacity = this.globalAlpha < 1 ? place(this.globalAlpha) : null;
    const element = made(tag, { ...attributes, opacity });
    this.parent.append(element);
    return element;
  }
}

function made(tag, attributes) {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value);
  return element;
}

/** A place to a hundredth of a pixel. */
function place(number) {
  return Math.round(number * 100) / 100;
}
