/* Quality against measured bit rate: one labelled point a system; a click plays it. */

import { findAll } from "../common/dom.js";
import { figure } from "../common/text.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 300;
const EDGE = { top: 12, right: 12, bottom: 40, left: 44 };
/** Room at the right for what isn't coded at all: the original and the anchors, on wide and narrow screens. */
const UNCODED = [132, 104];
const NARROW = 480;
const NOT_CODED = ["original", "anchor35", "anchor70"];
/** With rates beyond this, speech codecs would crowd at the left of a linear axis: it is logarithmic. */
const LINEAR_KBPS = 40;
const QUALITY = [0.9, 4.8]; // MOS-LQO runs from 1 to 4.75 at most
const LABEL_HEIGHT = 14;
/** @typedef {"pesq_wb" | "pesq_nb" | "visqol_audio"} Quality */
/** @type {Record<Quality, string>} */
const NAMES = { pesq_wb: "PESQ-WB", pesq_nb: "PESQ-NB", visqol_audio: "ViSQOL" };
/** Where a label may stand from its point, best first. */
const OFFSETS = [
  [13, 0], [-13, 0], [0, -17], [0, 17], [11, -11], [11, 11], [-11, -11], [-11, 11],
  [11, -18], [11, 18], [-11, -18], [-11, 18], [0, -28], [0, 28],
];

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {(Node | string)[]} children
 */
function make(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** @type {Record<string, string>} */
const MARKERS = {
  circle: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
  square: "M-4.5-4.5h9v9h-9z",
  triangle: "M0-5.5L5.5 4.5h-11z",
  diamond: "M0-6.5L6.5 0L0 6.5L-6.5 0z",
};

/**
 * @typedef {{ left: number, right: number, top: number, bottom: number }} Box
 * @typedef {object} Point
 * @property {import("./player.js").System} system
 * @property {string} label
 * @property {boolean} coded
 * @property {number} kbps
 * @property {number} value
 * @property {number} x
 * @property {number} y
 */

/**
 * The area that two boxes share.
 *
 * @param {Box} a
 * @param {Box} b
 */
function overlap(a, b) {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return width > 0 && height > 0 ? width * height : 0;
}

/**
 * Where each point's label covers least of the other labels, points and edges: its left end on the base line.
 *
 * @param {Point[]} points
 * @param {(text: string) => number} measure
 * @param {Box} frame
 */
function placeLabels(points, measure, frame) {
  // A label may touch another's edge sooner than hide a point: points weigh more.
  const taken = points.map(({ x, y }) => ({ left: x - 7, right: x + 7, top: y - 7, bottom: y + 7, weight: 4 }));
  return points.map((point) => {
    const width = measure(point.label);
    let best = { cost: Infinity, box: taken[0] };
    for (const [dx, dy] of OFFSETS.filter(([right]) => point.coded || right > 0)) {
      const left = point.x + dx - (dx < 0 ? width : dx === 0 ? width / 2 : 0);
      const box = { left, right: left + width, top: point.y + dy - LABEL_HEIGHT / 2, bottom: point.y + dy + LABEL_HEIGHT / 2 };
      const outside = Math.max(0, frame.left - box.left, box.right - frame.right, frame.top - box.top, box.bottom - frame.bottom);
      const cost = outside * 1000 + taken.reduce((sum, other) => sum + other.weight * overlap(box, other), 0) + Math.hypot(dx, dy) / 100;
      if (cost < best.cost) best = { cost, box: { ...box, weight: 1 } };
    }
    taken.push(best.box);
    return { x: best.box.left, y: best.box.top + LABEL_HEIGHT - 3 };
  });
}

export class Scatter {
  #svg;
  #frame;
  #onPick;
  /** @type {Quality} */
  #metric = "pesq_wb";
  /** @type {import("./player.js").System[]} */
  #systems = [];
  /** @type {string | null} */
  #selected = null;

  /**
   * @param {SVGSVGElement} svg
   * @param {(slug: string) => void} onPick
   */
  constructor(svg, onPick) {
    this.#svg = svg;
    this.#onPick = onPick;
    this.#frame = /** @type {HTMLElement} */ (svg.parentElement);
    new ResizeObserver(() => this.#draw()).observe(this.#frame);
  }

  /** @param {Quality} metric */
  setMetric(metric) {
    this.#metric = metric;
    this.#draw();
  }

  /** @param {import("./player.js").System[]} systems */
  setSystems(systems) {
    this.#systems = systems;
    this.#draw();
  }

  /** @param {string | null} slug */
  select(slug) {
    this.#selected = slug;
    for (const point of findAll("[data-point]", SVGElement, this.#svg)) {
      point.classList.toggle("selected", point.dataset.point === slug);
    }
  }

  #draw() {
    const width = this.#frame.clientWidth;
    if (!width) return;
    const active = document.activeElement;
    const focused = active instanceof SVGElement && this.#svg.contains(active) ? active.dataset.point : null;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.#svg.setAttribute("width", String(width));
    this.#svg.setAttribute("height", String(HEIGHT));
    this.#svg.classList.toggle("narrow", width < NARROW);
    const known = this.#systems.flatMap((system) => {
      const { kbps, [this.#metric]: value } = system;
      return kbps === null || value === null ? [] : [{ system, kbps, value, coded: !NOT_CODED.includes(system.slug) }];
    });
    const rates = known.filter(({ coded }) => coded).map(({ kbps }) => kbps);
    const most = Math.max(14, Math.ceil(Math.max(0, ...rates) / 2) * 2);
    const narrow = width < NARROW;
    const right = width - EDGE.right - UNCODED[Number(narrow)];
    const bottom = HEIGHT - EDGE.bottom;
    const logarithmic = most > LINEAR_KBPS;
    const least = logarithmic ? 2 ** Math.floor(Math.log2(Math.max(0.25, Math.min(...rates)))) : 0;
    const share = (/** @type {number} */ kbps) =>
      logarithmic ? Math.log2(Math.max(kbps, least) / least) / Math.log2(most / least) : kbps / most;
    const x = (/** @type {number} */ kbps) => EDGE.left + share(kbps) * (right - EDGE.left);
    const y = (/** @type {number} */ value) => bottom - ((value - QUALITY[0]) / (QUALITY[1] - QUALITY[0])) * (bottom - EDGE.top);

    const grid = make("g", { class: "grid" });
    const axis = make("g", { class: "axis" });
    for (const value of [1, 2, 3, 4]) {
      grid.append(make("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }));
      axis.append(make("text", { x: EDGE.left - 10, y: y(value) + 4, "text-anchor": "end" }, `${value}`));
    }
    for (let kbps = least; kbps <= most; kbps = logarithmic ? 2 * kbps : kbps + (narrow ? 4 : 2)) {
      axis.append(make("text", { x: x(kbps), y: bottom + 18, "text-anchor": "middle" }, `${kbps}`));
    }
    grid.append(
      make("line", { class: "base", x1: EDGE.left, x2: right + 8, y1: bottom, y2: bottom }),
      make("line", { class: "break", x1: right + 20, x2: right + 20, y1: EDGE.top, y2: bottom }),
    );
    const name = NAMES[this.#metric];
    axis.append(
      make("text", { x: (EDGE.left + right) / 2, y: HEIGHT - 4, "text-anchor": "middle", class: "name" }, "measured bit rate, kbit/s"),
      make("text", { x: width - EDGE.right, y: bottom + 18, "text-anchor": "end" }, "uncoded"),
      make("text", { transform: `translate(12 ${(EDGE.top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle", class: "name" }, `${name}, MOS-LQO`),
    );

    const points = known.map((point) => ({
      ...point,
      label: point.system.title,
      x: point.coded ? x(point.kbps) : right + (narrow ? 30 : 36),
      y: y(point.value),
    }));
    const pen = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(1, 1).getContext("2d"));
    pen.font = `500 ${narrow ? 10 : 12}px ${getComputedStyle(this.#svg).fontFamily}`;
    const texts = placeLabels(points, (text) => pen.measureText(text).width + 2, { left: EDGE.left + 2, right: width, top: 0, bottom: bottom - 2 });

    const marks = make("g", { class: "points" });
    for (const [index, point] of points.entries()) {
      const { slug, title } = point.system;
      const figures = `${title}: ${point.kbps.toFixed(2)} kbit/s, ${name} ${figure(point.value, 2)}`;
      const group = make(
        "g",
        { "data-point": slug, tabindex: 0, role: "button", "aria-label": `Play ${figures}` },
        make("title", {}, figures),
        make("circle", { class: "target", cx: point.x, cy: point.y, r: 10 }),
        make("path", { class: "mark", d: MARKERS[point.system.marker] ?? MARKERS.circle, transform: `translate(${point.x} ${point.y})`, fill: point.system.colour }),
        make("text", texts[index], point.label),
      );
      group.addEventListener("click", () => this.#onPick(slug));
      group.addEventListener("keydown", (event) => {
        if (!(event instanceof KeyboardEvent)) return;
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        this.#onPick(slug);
      });
      marks.append(group);
    }
    this.#svg.replaceChildren(grid, axis, marks);
    this.select(this.#selected);
    if (focused) findAll(`[data-point="${CSS.escape(focused)}"]`, SVGElement, this.#svg)[0]?.focus();
  }
}
