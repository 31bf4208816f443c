// What the ear hears, for the eye: waveform and spectrogram of the original and of the selected
// sound, stacked on one time axis, one level scale and one colour scale, with playhead and loop.

import { CEILING_DB, FLOOR_DB, gradient, picture } from "./spectrogram.js";
import { SHORTEST_LOOP } from "./engine.js";

const PICTURE_COLUMNS = 900;
const NICE_STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20];

/** `1:02.4` */
export function clock(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

function draw(canvas, paint) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (!width || !height) return;
  canvas.width = width;
  canvas.height = height;
  paint(canvas.getContext("2d"), width, height);
}

/** Peaks of `samples`, one column a pixel, full scale top to bottom. */
function paintWaveform(context, width, height, samples, colour) {
  context.fillStyle = colour;
  const middle = height / 2;
  for (let x = 0; x < width; x += 1) {
    const end = Math.floor(((x + 1) * samples.length) / width);
    let low = 1;
    let high = -1;
    for (let i = Math.floor((x * samples.length) / width); i < end; i += 1) {
      if (samples[i] < low) low = samples[i];
      if (samples[i] > high) high = samples[i];
    }
    const top = middle - Math.max(high, 0) * middle;
    const bottom = middle - Math.min(low, 0) * middle;
    context.fillRect(x, top, 1, Math.max(1, bottom - top));
  }
}

export class Stage {
  #root;
  #engine;
  #lanes = new Map(); // "original" and "selected" -> {element, samples, colour}
  #pictures = new WeakMap(); // samples -> canvas
  #track;
  #playhead;
  #loop;
  #range;
  #clock;
  #frame = 0;
  #scale = 1; // waveform gain, the same for both lanes

  constructor(root, engine) {
    this.#root = root;
    this.#engine = engine;
    for (const element of root.querySelectorAll("[data-lane]")) {
      this.#lanes.set(element.dataset.lane, { element, samples: null, colour: "" });
    }
    this.#track = root.querySelector("[data-track]");
    this.#playhead = root.querySelector("[data-playhead]");
    this.#loop = root.querySelector("[data-region]");
    this.#range = root.querySelector("[data-position]");
    this.#clock = root.querySelector("[data-clock]");
    root.querySelector("[data-colour-scale]").style.background = gradient("to top");
    for (const element of root.querySelectorAll("[data-decibels]")) {
      const level = element.dataset.decibels === "high" ? CEILING_DB : FLOOR_DB;
      element.textContent = `${level}`.replace("-", "−");
    }
    new ResizeObserver(() => this.#redraw()).observe(this.#track);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#redraw());
    this.#range.addEventListener("input", () => engine.seek(Number(this.#range.value)));
    for (const kind of ["state", "seek", "select"]) engine.addEventListener(kind, () => this.refresh());
    engine.addEventListener("load", () => this.#ready());
    this.#listenToPointer();
    this.refresh();
  }

  setOriginal(samples) {
    let peak = 0;
    for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
    this.#scale = peak > 0 ? 0.95 / peak : 1;
    this.#show("original", samples, "");
  }

  setSelected(samples, label, colour) {
    this.#lanes.get("selected").element.querySelector("[data-label]").textContent = label;
    this.#show("selected", samples, colour);
  }

  /** Names may be hidden: then the picture of the selected sound must not give it away. */
  setBlind(blind) {
    this.#lanes.get("selected").element.classList.toggle("covered", blind);
  }

  #show(name, samples, colour) {
    const lane = this.#lanes.get(name);
    lane.samples = samples;
    lane.colour = colour;
    lane.element.classList.toggle("waiting", !samples);
    this.#paint(lane);
  }

  #paint({ element, samples, colour }) {
    const ink = colour || getComputedStyle(this.#root).getPropertyValue("--muted");
    draw(element.querySelector("[data-waveform]"), (context, width, height) => {
      if (samples) paintWaveform(context, width, height, samples.map((sample) => sample * this.#scale), ink);
    });
    draw(element.querySelector("[data-spectrogram]"), (context, width, height) => {
      if (!samples) return;
      if (!this.#pictures.has(samples)) this.#pictures.set(samples, picture(samples, PICTURE_COLUMNS));
      context.imageSmoothingQuality = "high";
      context.drawImage(this.#pictures.get(samples), 0, 0, width, height);
    });
  }

  #redraw() {
    for (const lane of this.#lanes.values()) this.#paint(lane);
    this.#drawTimes();
  }

  #drawTimes() {
    const duration = this.#engine.duration;
    const axis = this.#root.querySelector("[data-times]");
    if (!duration) return;
    const room = this.#track.clientWidth / 56;
    const step = NICE_STEPS.find((seconds) => duration / seconds <= room) ?? 30;
    const marks = [];
    for (let i = 0; i * step <= duration + 1e-9; i += 1) {
      const mark = document.createElement("span");
      const seconds = i * step;
      mark.style.left = `${(100 * seconds) / duration}%`;
      mark.textContent = `${step < 1 ? seconds.toFixed(1) : seconds}${i === 0 ? " s" : ""}`;
      marks.push(mark);
    }
    axis.replaceChildren(...marks);
  }

  #ready() {
    this.#range.max = this.#engine.duration;
    this.#range.disabled = false;
    this.#drawTimes();
    this.refresh();
  }

  /** Bring playhead, clock and loop up to date, and keep them so while it plays. */
  refresh() {
    cancelAnimationFrame(this.#frame);
    const { duration, position, region, playing } = this.#engine;
    const share = duration ? position / duration : 0;
    this.#playhead.style.left = `${share * 100}%`;
    this.#clock.textContent = `${clock(position)} / ${clock(duration)}`;
    this.#range.value = position;
    this.#range.setAttribute("aria-valuetext", `${position.toFixed(1)} of ${duration.toFixed(1)} seconds`);
    this.#loop.hidden = !region;
    if (region) {
      this.#loop.style.left = `${(100 * region[0]) / duration}%`;
      this.#loop.style.width = `${(100 * (region[1] - region[0])) / duration}%`;
    }
    if (playing) this.#frame = requestAnimationFrame(() => this.refresh());
  }

  /** A click seeks; dragging half a second or more marks a loop; a double click lifts it. */
  #listenToPointer() {
    let from = null;
    const seconds = (event) => {
      const box = this.#track.getBoundingClientRect();
      return (Math.min(Math.max(event.clientX - box.left, 0), box.width) / box.width) * this.#engine.duration;
    };
    this.#track.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.#engine.duration) return;
      from = seconds(event);
      this.#track.setPointerCapture(event.pointerId);
    });
    this.#track.addEventListener("pointermove", (event) => {
      if (from === null || Math.abs(seconds(event) - from) < SHORTEST_LOOP / 2) return;
      const [start, end] = [from, seconds(event)].sort((a, b) => a - b);
      this.#loop.hidden = false;
      this.#loop.style.left = `${(100 * start) / this.#engine.duration}%`;
      this.#loop.style.width = `${(100 * (end - start)) / this.#engine.duration}%`;
    });
    this.#track.addEventListener("pointerup", (event) => {
      if (from === null) return;
      const [start, end] = [from, seconds(event)].sort((a, b) => a - b);
      if (end - start >= SHORTEST_LOOP / 2) {
        this.#engine.setLoop(true);
        this.#engine.setRegion([start, end]);
        this.#engine.seek(start);
      } else {
        const { region } = this.#engine;
        if (region && (from < region[0] || from > region[1])) this.#engine.setRegion(null);
        this.#engine.seek(from);
      }
      from = null;
      this.refresh();
    });
    this.#track.addEventListener("pointercancel", () => {
      from = null;
      this.refresh();
    });
    this.#track.addEventListener("dblclick", () => this.#engine.setRegion(null));
  }
}
