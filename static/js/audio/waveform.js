/* A waveform: its outline, a place pointed at, and a loop with two handles. */

import { find } from "../common/dom.js";
import { Emitter } from "../common/emitter.js";
import { figure } from "../common/text.js";
import { gettext } from "../common/words.js";
import { MIN_LOOP_SECONDS } from "./player.js";

const COLUMNS = 600;
const STEP_SECONDS = 0.05;
const BIG_STEP_SECONDS = 0.5;
/* A press that moves less than this, in pixels, means a position, not a region. */
const DRAG_PIXELS = 6;

/**
 * The channels of a sound, or none.
 *
 * @param {AudioBuffer | null} buffer
 */
export function channelsOf(buffer) {
  return Array.from({ length: buffer?.numberOfChannels ?? 0 }, (_, channel) => /** @type {AudioBuffer} */ (buffer).getChannelData(channel));
}

/** @param {ArrayLike<number>[]} channels */
export function peak(channels) {
  let most = 0;
  for (const samples of channels) {
    for (let i = 0; i < samples.length; i++) most = Math.max(most, Math.abs(samples[i]));
  }
  return most;
}

/**
 * Outline of `channels`, over one another, as an SVG path in a box of `columns` x 2, full scale times `gain` filling
 * it.
 *
 * @param {ArrayLike<number>[]} channels
 * @param {object} options
 * @param {number} [options.columns]
 * @param {number} [options.gain] by default the loudest peak nearly fills the box
 * @param {number} [options.thickness] of silence, in the box's units
 */
export function outline(channels, { columns = COLUMNS, gain = 0.94 / Math.max(peak(channels), 1e-4), thickness = 0.008 } = {}) {
  const length = channels[0]?.length ?? 0;
  const tops = [];
  const bottoms = [];
  for (let column = 0; column < columns; column++) {
    const first = Math.floor((column * length) / columns);
    const last = Math.max(first + 1, Math.floor(((column + 1) * length) / columns));
    let high = -1;
    let low = 1;
    for (const samples of channels) {
      for (let i = first; i < last; i++) {
        if (samples[i] > high) high = samples[i];
        if (samples[i] < low) low = samples[i];
      }
    }
    tops.push(`${column} ${(1 - high * gain - thickness / 2).toFixed(3)}`);
    bottoms.push(`${column} ${(1 - low * gain + thickness / 2).toFixed(3)}`);
  }
  return `M${tops.join("L")}L${bottoms.reverse().join("L")}Z`;
}

/**
 * Call `moved` while the pointer that was pressed on `element` moves, and `done` when it is lifted, or `dropped`
 * when the system took it away.
 *
 * @param {PointerEvent} event
 * @param {Element} element
 * @param {{ moved: (move: PointerEvent) => void, done: () => void, dropped?: () => void }} options
 */
function follow(event, element, { moved, done, dropped = done }) {
  element.setPointerCapture(event.pointerId);
  const listeners = new AbortController();
  /** @param {() => void} then */
  const end = (then) => () => {
    listeners.abort();
    then();
  };
  const { signal } = listeners;
  element.addEventListener("pointermove", (move) => moved(/** @type {PointerEvent} */ (move)), { signal });
  element.addEventListener("pointerup", end(done), { signal });
  element.addEventListener("pointercancel", end(dropped), { signal });
}

/**
 * A strip that time runs along. Events: "seek" (detail: seconds) when it is pressed, "drag" (detail: start and end
 * in seconds) while a region is being dragged out, "loop" (the same) when that is done, "drop" when it was broken off.
 *
 * @extends {Emitter<{ seek: number, drag: [number, number], loop: [number, number], drop: undefined }>}
 */
export class TimeStrip extends Emitter {
  #element;
  #shortest;

  /**
   * @param {HTMLElement} element
   * @param {number} shortest seconds: a shorter drag means a position
   */
  constructor(element, shortest = 0) {
    super();
    this.#element = element;
    this.#shortest = shortest;
    /** Seconds; without it the strip takes no input. */
    this.duration = 0;
    element.addEventListener("pointerdown", (event) => this.#press(event));
  }

  /** @param {PointerEvent} event */
  seconds(event) {
    const box = this.#element.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * this.duration;
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (!this.duration || event.button > 0) return;
    event.preventDefault();
    const from = this.seconds(event);
    /** @type {[number, number] | null} */
    let region = null;
    follow(event, this.#element, {
      moved: (move) => {
        const to = this.seconds(move);
        const still = Math.abs(move.clientX - event.clientX) < DRAG_PIXELS || Math.abs(to - from) < this.#shortest;
        if (!region && still) return;
        region = [Math.min(from, to), Math.max(from, to)];
        this.emit("drag", region);
      },
      done: () => {
        if (!region) {
          this.emit("seek", from);
        } else if (region[1] - region[0] < this.#shortest) {
          this.emit("drop");
          this.emit("seek", from);
        } else {
          this.emit("loop", region);
        }
      },
      dropped: () => this.emit("drop"),
    });
  }
}

/**
 * The outline with playhead and the loop's two handles. Events: "seek" (detail: seconds) and "loop" (detail: start
 * and end in seconds); draws what `show` and `showLoop` are told. Without `ready` it takes no input.
 *
 * @extends {Emitter<{ seek: number, loop: [number, number] }>}
 */
export class Waveform extends Emitter {
  #element;
  #strip;
  #path;
  #playhead;
  #region;
  #handles;
  #duration = 0;
  #start = 0;
  #end = 0;

  /** @param {HTMLElement} element */
  constructor(element) {
    super();
    this.#element = element;
    this.#path = find("path", SVGPathElement, element);
    this.#playhead = find(".playhead", HTMLElement, element);
    this.#region = find(".region", HTMLElement, element);
    this.#handles = { a: find(".handle.a", HTMLElement, element), b: find(".handle.b", HTMLElement, element) };
    for (const which of /** @type {const} */ (["a", "b"])) {
      this.#handles[which].addEventListener("pointerdown", (event) => this.#dragHandle(event, which));
      this.#handles[which].addEventListener("keydown", (event) => this.#moveHandle(event, which));
    }
    this.#strip = new TimeStrip(element);
    /** @type {[number, number, boolean] | null} the loop before the drag */
    let kept = null;
    const restore = () => {
      if (kept) this.showLoop(...kept);
      kept = null;
    };
    this.#strip.on("seek", (seconds) => this.emit("seek", seconds));
    this.#strip.on("drag", ([start, end]) => {
      kept ??= [this.#start, this.#end, element.classList.contains("part")];
      this.showLoop(start, end, true);
    });
    this.#strip.on("drop", restore);
    this.#strip.on("loop", (region) => {
      restore();
      this.emit("loop", region);
    });
  }

  /**
   * Take input; the outline may follow.
   *
   * @param {number} duration
   */
  ready(duration) {
    this.#strip.duration = this.#duration = duration;
    for (const handle of Object.values(this.#handles)) {
      handle.setAttribute("aria-valuemax", duration.toFixed(2));
      handle.tabIndex = 0;
    }
    this.showLoop(0, duration, false);
  }

  /** @param {ArrayLike<number>[]} channels samples, or their lowest and highest in as many columns as are drawn */
  draw(channels) {
    this.#path.setAttribute("d", outline(channels));
  }

  /** @param {number} position */
  show(position) {
    if (this.#duration) this.#playhead.style.left = `${(100 * position) / this.#duration}%`;
  }

  /**
   * @param {number} start
   * @param {number} end
   * @param {boolean} part whether that is not all of it
   */
  showLoop(start, end, part) {
    this.#start = start;
    this.#end = end;
    this.#element.classList.toggle("part", part);
    const { a, b } = this.#handles;
    this.#region.style.left = a.style.left = `${(100 * start) / this.#duration}%`;
    this.#region.style.right = `${100 - (100 * end) / this.#duration}%`;
    b.style.left = `${(100 * end) / this.#duration}%`;
    for (const [handle, value] of /** @type {[HTMLElement, number][]} */ ([[a, start], [b, end]])) {
      handle.setAttribute("aria-valuenow", value.toFixed(2));
      handle.setAttribute("aria-valuetext", gettext("{number} seconds", { number: figure(value, 2) }));
    }
  }

  /**
   * The loop that results if a handle goes to `seconds`: it stops 500 ms before the other.
   *
   * @param {"a" | "b"} which
   * @param {number} seconds
   * @returns {[number, number]}
   */
  #withHandle(which, seconds) {
    const least = Math.min(MIN_LOOP_SECONDS, this.#duration);
    if (which === "a") return [Math.max(0, Math.min(seconds, this.#end - least)), this.#end];
    return [this.#start, Math.min(this.#duration, Math.max(seconds, this.#start + least))];
  }

  /**
   * @param {PointerEvent} event
   * @param {"a" | "b"} which
   */
  #dragHandle(event, which) {
    if (!this.#duration || event.button > 0) return;
    event.preventDefault();
    event.stopPropagation();
    const handle = this.#handles[which];
    handle.focus();
    /** @type {[number, number]} */
    let loop = [this.#start, this.#end];
    follow(event, handle, {
      moved: (move) => {
        loop = this.#withHandle(which, this.#strip.seconds(move));
        this.showLoop(...loop, true);
      },
      done: () => this.emit("loop", loop),
    });
  }

  /**
   * @param {KeyboardEvent} event
   * @param {"a" | "b"} which
   */
  #moveHandle(event, which) {
    const step = event.shiftKey ? BIG_STEP_SECONDS : STEP_SECONDS;
    const at = which === "a" ? this.#start : this.#end;
    const target = new Map([
      ["ArrowLeft", at - step],
      ["ArrowDown", at - step],
      ["ArrowRight", at + step],
      ["ArrowUp", at + step],
      ["Home", 0],
      ["End", this.#duration],
    ]).get(event.key);
    if (target === undefined || !this.#duration) return;
    event.preventDefault();
    event.stopPropagation();
    this.emit("loop", this.#withHandle(which, target));
  }
}
