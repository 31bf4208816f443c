/* The reference's waveform with playhead and the loop's two handles. */

import { MIN_LOOP_SECONDS } from "./player.js";
import { gettext } from "./words.js";

const COLUMNS = 600;
const STEP_SECONDS = 0.05;
const BIG_STEP_SECONDS = 0.5;
/* A press that moves less than this, in pixels, means a position, not a region. */
const DRAG_PIXELS = 6;

/** Outline of `samples` as an SVG path in a box of COLUMNS x 2, the loudest peak filling it. */
export function outline(samples) {
  const tops = [];
  const bottoms = [];
  let peak = 0;
  for (let column = 0; column < COLUMNS; column++) {
    const first = Math.floor((column * samples.length) / COLUMNS);
    const last = Math.max(first + 1, Math.floor(((column + 1) * samples.length) / COLUMNS));
    let high = -1;
    let low = 1;
    for (let i = first; i < last; i++) {
      if (samples[i] > high) high = samples[i];
      if (samples[i] < low) low = samples[i];
    }
    tops.push(high);
    bottoms.push(low);
    peak = Math.max(peak, Math.abs(high), Math.abs(low));
  }
  const scale = 0.94 / Math.max(peak, 1e-4);
  const point = (value, x) => `${x} ${(1 - value * scale).toFixed(3)}`;
  const back = bottoms.map((value, x) => point(value - 0.004 / scale, x)).reverse();
  return `M${tops.map((value, x) => point(value + 0.004 / scale, x)).join("L")}L${back.join("L")}Z`;
}

/**
 * Dispatches "seek" (detail: seconds) and "loop" (detail: {start, end}); draws what `show` and `showLoop`
 * are told. Without `ready` it takes no input.
 */
export class Waveform extends EventTarget {
  #element;
  #duration = 0;
  #start = 0;
  #end = 0;

  constructor(element) {
    super();
    this.#element = element;
    this.path = element.querySelector("path");
    this.playhead = element.querySelector(".playhead");
    this.region = element.querySelector(".region");
    this.handles = { a: element.querySelector(".handle.a"), b: element.querySelector(".handle.b") };
    for (const which of ["a", "b"]) {
      this.handles[which].addEventListener("pointerdown", (event) => this.#dragHandle(event, which));
      this.handles[which].addEventListener("keydown", (event) => this.#moveHandle(event, which));
    }
    element.addEventListener("pointerdown", (event) => this.#press(event));
  }

  ready(buffer, duration) {
    this.#duration = duration;
    this.path.setAttribute("d", outline(buffer.getChannelData(0)));
    for (const handle of Object.values(this.handles)) {
      handle.setAttribute("aria-valuemax", duration.toFixed(2));
      handle.tabIndex = 0;
    }
    this.showLoop(0, duration, false);
  }

  show(position) {
    if (this.#duration) this.playhead.style.left = `${(100 * position) / this.#duration}%`;
  }

  showLoop(start, end, part) {
    this.#start = start;
    this.#end = end;
    this.#element.classList.toggle("part", part);
    this.region.style.left = this.handles.a.style.left = `${(100 * start) / this.#duration}%`;
    this.region.style.right = `${100 - (100 * end) / this.#duration}%`;
    this.handles.b.style.left = `${(100 * end) / this.#duration}%`;
    for (const [which, value] of [["a", start], ["b", end]]) {
      this.handles[which].setAttribute("aria-valuenow", value.toFixed(2));
      this.handles[which].setAttribute("aria-valuetext", gettext("{number} seconds", { number: value.toFixed(2) }));
    }
  }

  #seconds(event) {
    const box = this.#element.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * this.#duration;
  }

  #loop(start, end) {
    this.dispatchEvent(new CustomEvent("loop", { detail: { start, end } }));
  }

  /** The loop that results if a handle goes to `seconds`: it stops 500 ms before the other. */
  #withHandle(which, seconds) {
    const least = Math.min(MIN_LOOP_SECONDS, this.#duration);
    if (which === "a") return [Math.max(0, Math.min(seconds, this.#end - least)), this.#end];
    return [this.#start, Math.min(this.#duration, Math.max(seconds, this.#start + least))];
  }

  #dragHandle(event, which) {
    if (!this.#duration || event.button > 0) return;
    event.preventDefault();
    event.stopPropagation();
    const handle = this.handles[which];
    handle.focus();
    let loop = [this.#start, this.#end];
    this.#follow(event, handle, (move) => {
      loop = this.#withHandle(which, this.#seconds(move));
      this.showLoop(...loop, true);
    }, () => this.#loop(...loop));
  }

  #moveHandle(event, which) {
    const step = event.shiftKey ? BIG_STEP_SECONDS : STEP_SECONDS;
    const at = which === "a" ? this.#start : this.#end;
    const target = {
      ArrowLeft: at - step, ArrowDown: at - step, ArrowRight: at + step, ArrowUp: at + step,
      Home: 0, End: this.#duration,
    }[event.key];
    if (target === undefined || !this.#duration) return;
    event.preventDefault();
    event.stopPropagation();
    this.#loop(...this.#withHandle(which, target));
  }

  /** A press on the waveform goes there; a press that is dragged marks a loop. */
  #press(event) {
    if (!this.#duration || event.button > 0) return;
    event.preventDefault();
    const from = this.#seconds(event);
    const kept = [this.#start, this.#end, this.#element.classList.contains("part")];
    let loop = null;
    this.#follow(event, this.#element, (move) => {
      if (!loop && Math.abs(move.clientX - event.clientX) < DRAG_PIXELS) return;
      const to = this.#seconds(move);
      loop = [Math.min(from, to), Math.max(from, to)];
      this.showLoop(...loop, true);
    }, () => {
      if (!loop) {
        this.dispatchEvent(new CustomEvent("seek", { detail: from }));
        return;
      }
      this.showLoop(...kept);
      this.#loop(...loop);
    });
  }

  #follow(event, element, moved, done) {
    element.setPointerCapture(event.pointerId);
    const end = () => {
      element.removeEventListener("pointermove", moved);
      element.removeEventListener("pointerup", end);
      element.removeEventListener("pointercancel", end);
      done();
    };
    element.addEventListener("pointermove", moved);
    element.addEventListener("pointerup", end);
    element.addEventListener("pointercancel", end);
  }
}
