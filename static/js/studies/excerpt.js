/* An excerpt of a clip, chosen on its waveform, by numbers, or by keyboard; and heard. */

import { CLIP_RATE, loadClip } from "../audio/load.js";
import { Solo } from "../audio/solo.js";
import { Waveform } from "../audio/waveform.js";
import { find } from "../common/dom.js";
import { Emitter } from "../common/emitter.js";

/** @type {Map<string, Promise<AudioBuffer>>} a clip is fetched once however many excerpts are cut from it */
const decoded = new Map();
const solo = new Solo(1, CLIP_RATE);
/** @type {Excerpt | null} the excerpt that plays */
let playing = null;

/** @param {string} url */
function decode(url) {
  const known = decoded.get(url);
  if (known) return known;
  const buffer = loadClip(url);
  buffer.catch(() => decoded.delete(url));
  decoded.set(url, buffer);
  return buffer;
}

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    seen.unobserve(entry.target);
    entry.target.dispatchEvent(new Event("seen"));
  }
}, { rootMargin: "200px" });

solo.on("stop", () => {
  playing?.showStopped();
  playing = null;
});

/**
 * Keeps two number fields and a waveform's region in step. Event: "change".
 *
 * @extends {Emitter<{ change: undefined }>}
 */
export class Excerpt extends Emitter {
  #url;
  #duration;
  #shortest;
  #start;
  #end;
  #button;
  #waveform;
  #frame = 0;

  /**
   * @param {HTMLElement} row
   * @param {object} options
   * @param {string} options.audio address of the clip's sound; empty while there is none
   * @param {number} options.duration of the clip, seconds
   * @param {number} options.shortest excerpt, seconds
   * @param {HTMLInputElement} options.start field, seconds
   * @param {HTMLInputElement} options.end field, seconds
   */
  constructor(row, { audio, duration, shortest, start, end }) {
    super();
    this.#url = audio;
    this.#duration = duration;
    this.#shortest = shortest;
    this.#start = start;
    this.#end = end;
    const element = find("[data-waveform]", HTMLElement, row);
    this.#button = find("[data-play]", HTMLButtonElement, row);
    this.#waveform = new Waveform(element);
    this.#waveform.on("loop", ([from, to]) => this.#set(from, to));
    for (const input of [start, end]) input.addEventListener("change", () => this.#takeTyped());
    this.#button.addEventListener("click", () => (playing === this ? this.stop() : this.play()));
    this.#button.disabled = !audio;
    element.addEventListener("seen", async () => {
      try {
        this.#waveform.ready(await decode(audio), duration);
        element.classList.add("ready");
        this.#show();
      } catch {
        element.classList.add("silent");
      }
    });
    if (audio) seen.observe(element);
  }

  /** @returns {[number, number]} as typed, seconds; NaN where that is no number */
  get bounds() {
    return [readNumber(this.#start), readNumber(this.#end)];
  }

  #show() {
    const [start, end] = this.bounds;
    if (!(start >= 0 && end > start)) return;
    this.#waveform.showLoop(start, Math.min(end, this.#duration), start > 0 || end < this.#duration);
  }

  /**
   * @param {number} start
   * @param {number} end
   */
  #set(start, end) {
    this.#start.value = String(Math.round(start * 1000) / 1000);
    this.#end.value = String(Math.min(Math.round(end * 1000) / 1000, this.#duration));
    this.stop();
    this.#show();
    this.emit("change");
  }

  #takeTyped() {
    let [start, end] = this.bounds;
    if (Number.isNaN(start)) start = 0;
    if (Number.isNaN(end)) end = this.#duration;
    start = Math.max(0, Math.min(start, this.#duration - this.#shortest));
    end = Math.min(this.#duration, Math.max(end, start + this.#shortest));
    this.#set(Math.max(0, start), end);
  }

  async play() {
    solo.stop();
    playing = this;
    this.#button.setAttribute("aria-pressed", "true");
    this.#button.textContent = "■ Stop";
    const [start, end] = this.bounds;
    try {
      const sound = await decode(this.#url);
      if (playing !== this) return;
      await solo.play(sound, { region: [start, Math.min(end, sound.duration)] });
      this.#follow();
    } catch {
      this.stop();
    }
  }

  #follow() {
    if (playing !== this) return;
    this.#waveform.show(solo.position);
    this.#frame = requestAnimationFrame(() => this.#follow());
  }

  stop() {
    if (playing === this) solo.stop();
  }

  showStopped() {
    cancelAnimationFrame(this.#frame);
    this.#button.setAttribute("aria-pressed", "false");
    this.#button.textContent = "▶ Play";
  }
}

/**
 * The number in a field, with a decimal point or comma.
 *
 * @param {HTMLInputElement} field
 */
export function readNumber(field) {
  return Number.parseFloat(field.value.replace(",", "."));
}
