/* What the ear hears, for the eye: waveform and spectrogram of the original and of the selected
   sound, stacked on one time axis, one level scale and one colour scale, with playhead and loop. */

import { MIN_LOOP_SECONDS } from "../audio/player.js";
import { TimeStrip, channelsOf, outline, peak } from "../audio/waveform.js";
import { find, findAll } from "../common/dom.js";
import { clock, figure } from "../common/text.js";
import { CEILING_DB, FLOOR_DB, gradient, picture } from "./spectrogram.js";

const PICTURE_COLUMNS = 900;
const NICE_STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20];

/**
 * @param {HTMLCanvasElement} canvas
 * @param {(context: CanvasRenderingContext2D, width: number, height: number) => void} paint
 */
function draw(canvas, paint) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  const context = canvas.getContext("2d");
  if (!width || !height || !context) return;
  canvas.width = width;
  canvas.height = height;
  paint(context, width, height);
}

/**
 * @typedef {object} Lane
 * @property {HTMLElement} element
 * @property {AudioBuffer | null} sound
 * @property {string} colour
 */

export class Stage {
  #root;
  #player;
  #original;
  #selected;
  /** @type {WeakMap<AudioBuffer, OffscreenCanvas>} spectrograms by their sounds */
  #pictures = new WeakMap();
  #strip;
  #track;
  #playhead;
  #loop;
  #range;
  #clock;
  #frame = 0;
  #gain = 1; // of the waveforms, the same for both lanes

  /**
   * @param {HTMLElement} root
   * @param {import("./player.js").ClipPlayer} player
   */
  constructor(root, player) {
    this.#root = root;
    this.#player = player;
    /** @type {(name: string) => Lane} */
    const lane = (name) => ({ element: find(`[data-lane=${name}]`, HTMLElement, root), sound: null, colour: "" });
    this.#original = lane("original");
    this.#selected = lane("selected");
    this.#track = find("[data-track]", HTMLElement, root);
    this.#playhead = find("[data-playhead]", HTMLElement, root);
    this.#loop = find("[data-region]", HTMLElement, root);
    this.#range = find("[data-position]", HTMLInputElement, root);
    this.#clock = find("[data-clock]", HTMLElement, root);
    find("[data-colour-scale]", HTMLElement, root).style.background = gradient("to top");
    for (const element of findAll("[data-decibels]", HTMLElement, root)) {
      const level = element.dataset.decibels === "high" ? CEILING_DB : FLOOR_DB;
      element.textContent = figure(level, 0);
    }
    new ResizeObserver(() => this.#redraw()).observe(this.#track);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#redraw());
    this.#range.addEventListener("input", () => player.seek(Number(this.#range.value)));
    // Dragging half of the shortest loop or more marks one, a click seeks, a double click lifts the loop.
    this.#strip = new TimeStrip(this.#track, MIN_LOOP_SECONDS / 2);
    this.#strip.on("drag", ([start, end]) => this.#showLoop({ start, end }));
    this.#strip.on("drop", () => this.refresh());
    this.#strip.on("loop", (region) => player.loop(region));
    this.#strip.on("seek", (seconds) => {
      const { region } = player;
      if (region && (seconds < region.start || seconds > region.end)) player.setRegion(null);
      player.seek(seconds);
    });
    this.#track.addEventListener("dblclick", () => player.setRegion(null));
  }

  /** Forget the clip before; the next one may have another length. */
  reset() {
    this.#strip.duration = 0;
    this.#range.disabled = true;
    this.#gain = 1;
    this.#show(this.#original, null, "");
    this.#show(this.#selected, null, "");
  }

  /** @param {AudioBuffer | null} sound */
  setOriginal(sound) {
    const loudest = peak(channelsOf(sound));
    this.#gain = loudest > 0 ? 0.95 / loudest : 1;
    this.#show(this.#original, sound, "");
    this.#paint(this.#selected); // it may have come first, and both have the original's scale
  }

  /**
   * @param {AudioBuffer | null} sound
   * @param {string} label
   * @param {string} colour
   */
  setSelected(sound, label, colour) {
    find("[data-label]", HTMLElement, this.#selected.element).textContent = label;
    this.#show(this.#selected, sound, colour);
  }

  /**
   * Names may be hidden: then the picture of the selected sound must not give it away.
   *
   * @param {boolean} blind
   */
  setBlind(blind) {
    this.#selected.element.classList.toggle("covered", blind);
  }

  /**
   * @param {Lane} lane
   * @param {AudioBuffer | null} sound
   * @param {string} colour
   */
  #show(lane, sound, colour) {
    if (sound && lane.sound === sound && lane.colour === colour) return;
    lane.sound = sound;
    lane.colour = colour;
    lane.element.classList.toggle("waiting", !sound);
    this.#paint(lane);
  }

  /** @param {Lane} lane */
  #paint({ element, sound, colour }) {
    const ink = colour || getComputedStyle(this.#root).getPropertyValue("--muted");
    draw(find("[data-waveform]", HTMLCanvasElement, element), (context, width, height) => {
      if (!sound) return;
      context.fillStyle = ink;
      context.scale(1, height / 2);
      // Silence is a line of one pixel.
      context.fill(new Path2D(outline(channelsOf(sound), { columns: width, gain: this.#gain, thickness: 2 / height })));
    });
    draw(find("[data-spectrogram]", HTMLCanvasElement, element), (context, width, height) => {
      if (!sound) return;
      const drawn = this.#pictures.get(sound) ?? picture(sound, PICTURE_COLUMNS);
      this.#pictures.set(sound, drawn);
      context.imageSmoothingQuality = "high";
      context.drawImage(drawn, 0, 0, width, height);
    });
  }

  #redraw() {
    this.#paint(this.#original);
    this.#paint(this.#selected);
    this.#drawTimes();
  }

  #drawTimes() {
    const { duration } = this.#player;
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
    find("[data-times]", HTMLElement, this.#root).replaceChildren(...marks);
  }

  /** There is a sound now, so that the length of the clip is known. */
  ready() {
    if (this.#strip.duration) return;
    this.#strip.duration = this.#player.duration;
    this.#range.max = String(this.#player.duration);
    this.#range.disabled = false;
    this.#drawTimes();
  }

  /** @param {{ start: number, end: number } | null} region seconds */
  #showLoop(region) {
    this.#loop.hidden = !region;
    if (!region) return;
    const { duration } = this.#player;
    this.#loop.style.left = `${(100 * region.start) / duration}%`;
    this.#loop.style.width = `${(100 * (region.end - region.start)) / duration}%`;
  }

  /** Bring playhead, clock and loop up to date. */
  refresh() {
    this.#showLoop(this.#player.region);
    this.#follow();
  }

  /** Show where it plays, as long as it does. */
  #follow() {
    cancelAnimationFrame(this.#frame);
    const { duration, position, playing } = this.#player;
    this.#playhead.style.left = `${duration ? (100 * position) / duration : 0}%`;
    this.#clock.textContent = `${clock(position, 1)} / ${clock(duration, 1)}`;
    this.#range.value = String(position);
    this.#range.setAttribute("aria-valuetext", `${position.toFixed(1)} of ${duration.toFixed(1)} seconds`);
    if (playing) this.#frame = requestAnimationFrame(() => this.#follow());
  }
}
