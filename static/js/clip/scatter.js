// Quality against measured bit rate: one labelled point a system; a click plays it.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 300;
const EDGE = { top: 12, right: 12, bottom: 40, left: 44 };
/** Room at the right for what isn't coded at all: the original and the anchors, on wide and narrow screens. */
const UNCODED = [132, 104];
const NARROW = 480;
const UNCODED_FROM_KBPS = 100;
const QUALITY = [0.9, 4.8]; // MOS-LQO runs from 1 to 4.64
const LABEL_HEIGHT = 14;
/** Where a label may stand from its point, best first. */
const OFFSETS = [
  [13, 0], [-13, 0], [0, -17], [0, 17], [11, -11], [11, 11], [-11, -11], [-11, 11],
  [11, -18], [11, 18], [-11, -18], [-11, 18], [0, -28], [0, 28],
];

function make(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const MARKERS = {
  circle: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z",
  square: "M-4.5-4.5h9v9h-9z",
  triangle: "M0-5.5L5.5 4.5h-11z",
  diamond: "M0-6.5L6.5 0L0 6.5L-6.5 0z",
};

function overlap(a, b) {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return width > 0 && height > 0 ? width * height : 0;
}

/** Put each label where it covers least of the other labels, points and edges. */
function placeLabels(points, measure, frame) {
  // A label may touch another's edge sooner than hide a point: points weigh more.
  const taken = points.map(({ x, y }) => ({ left: x - 7, right: x + 7, top: y - 7, bottom: y + 7, weight: 4 }));
  for (const point of points) {
    const width = measure(point.label);
    let best = null;
    for (const [dx, dy] of OFFSETS.filter(([right]) => point.coded || right > 0)) {
      const left = point.x + dx - (dx < 0 ? width : dx === 0 ? width / 2 : 0);
      const box = { left, right: left + width, top: point.y + dy - LABEL_HEIGHT / 2, bottom: point.y + dy + LABEL_HEIGHT / 2 };
      const outside = Math.max(0, frame.left - box.left, box.right - frame.right, frame.top - box.top, box.bottom - frame.bottom);
      const cost = outside * 1000 + taken.reduce((sum, other) => sum + other.weight * overlap(box, other), 0) + Math.hypot(dx, dy) / 100;
      if (!best || cost < best.cost) best = { cost, box };
    }
    taken.push({ ...best.box, weight: 1 });
    point.text = { x: best.box.left, y: best.box.top + LABEL_HEIGHT - 3 };
  }
}

export class Scatter {
  #svg;
  #onPick;
  #metric = "pesq_wb";
  #systems = [];
  #selected = null;

  constructor(svg, onPick) {
    this.#svg = svg;
    this.#onPick = onPick;
    new ResizeObserver(() => this.#draw()).observe(svg.parentElement);
  }

  setMetric(metric) {
    this.#metric = metric;
    this.#draw();
  }

  setSystems(systems) {
    this.#systems = systems;
    this.#draw();
  }

  select(slug) {
    this.#selected = slug;
    for (const point of this.#svg.querySelectorAll("[data-point]")) {
      point.classList.toggle("selected", point.dataset.point === slug);
    }
  }

  #draw() {
    const width = this.#svg.parentElement.clientWidth;
    if (!width) return;
    const focused = this.#svg.contains(document.activeElement) ? document.activeElement.dataset.point : null;
    this.#svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.#svg.setAttribute("width", width);
    this.#svg.setAttribute("height", HEIGHT);
    this.#svg.classList.toggle("narrow", width < NARROW);
    const known = this.#systems.filter((system) => system.kbps !== null && system[this.#metric] !== null);
    const coded = known.filter((system) => system.kbps < UNCODED_FROM_KBPS);
    const most = Math.max(14, Math.ceil(Math.max(0, ...coded.map((system) => system.kbps)) / 2) * 2);
    const narrow = width < NARROW;
    const right = width - EDGE.right - UNCODED[Number(narrow)];
    const bottom = HEIGHT - EDGE.bottom;
    const x = (kbps) => EDGE.left + (kbps / most) * (right - EDGE.left);
    const y = (value) => bottom - ((value - QUALITY[0]) / (QUALITY[1] - QUALITY[0])) * (bottom - EDGE.top);

    const grid = make("g", { class: "grid" });
    const axis = make("g", { class: "axis" });
    for (const value of [1, 2, 3, 4]) {
      grid.append(make("line", { x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }));
      axis.append(make("text", { x: EDGE.left - 10, y: y(value) + 4, "text-anchor": "end" }, `${value}`));
    }
    for (let kbps = 0; kbps <= most; kbps += narrow ? 4 : 2) {
      axis.append(make("text", { x: x(kbps), y: bottom + 18, "text-anchor": "middle" }, `${kbps}`));
    }
    grid.append(
      make("line", { class: "base", x1: EDGE.left, x2: right + 8, y1: bottom, y2: bottom }),
      make("line", { class: "break", x1: right + 20, x2: right + 20, y1: EDGE.top, y2: bottom }),
    );
    const name = this.#metric === "pesq_wb" ? "PESQ-WB" : "PESQ-NB";
    axis.append(
      make("text", { x: (EDGE.left + right) / 2, y: HEIGHT - 4, "text-anchor": "middle", class: "name" }, "measured bit rate, kbit/s"),
      make("text", { x: width - EDGE.right, y: bottom + 18, "text-anchor": "end" }, "uncoded"),
      make("text", { transform: `translate(12 ${(EDGE.top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle", class: "name" }, `${name}, MOS-LQO`),
    );

    const points = known.map((system) => ({
      system,
      label: system.title,
      coded: system.kbps < UNCODED_FROM_KBPS,
      x: system.kbps < UNCODED_FROM_KBPS ? x(system.kbps) : right + (narrow ? 30 : 36),
      y: y(system[this.#metric]),
    }));
    const pen = new OffscreenCanvas(1, 1).getContext("2d");
    pen.font = `500 ${narrow ? 10 : 12}px ${getComputedStyle(this.#svg).fontFamily}`;
    placeLabels(points, (text) => pen.measureText(text).width + 2, { left: EDGE.left + 2, right: width, top: 0, bottom: bottom - 2 });

    const marks = make("g", { class: "points" });
    for (const point of points) {
      const { slug, title, kbps } = point.system;
      const value = point.system[this.#metric].toFixed(2);
      const group = make(
        "g",
        { "data-point": slug, tabindex: 0, role: "button", "aria-label": `Play ${title}: ${kbps.toFixed(2)} kbit/s, ${name} ${value}` },
        make("title", {}, `${title}: ${kbps.toFixed(2)} kbit/s, ${name} ${value}`),
        make("circle", { class: "target", cx: point.x, cy: point.y, r: 10 }),
        make("path", { class: "mark", d: MARKERS[point.system.marker] ?? MARKERS.circle, transform: `translate(${point.x} ${point.y})`, fill: point.system.colour }),
        make("text", { x: point.text.x, y: point.text.y }, point.label),
      );
      group.addEventListener("click", () => this.#onPick(slug));
      group.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        this.#onPick(slug);
      });
      marks.append(group);
    }
    this.#svg.replaceChildren(grid, axis, marks);
    this.select(this.#selected);
    if (focused) this.#svg.querySelector(`[data-point="${CSS.escape(focused)}"]`)?.focus();
  }
}
