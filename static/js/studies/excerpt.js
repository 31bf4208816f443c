/* An excerpt of a clip, chosen on its waveform, by numbers, or by keyboard; and heard. */

import { loadPart } from "../audio/load.js";
import { Solo } from "../audio/solo.js";
import { Waveform } from "../audio/waveform.js";
import { find } from "../common/dom.js";
import { Emitter } from "../common/emitter.js";

const solo = new Solo();
/** @type {Excerpt | null} the excerpt that plays */
let playing = null;

/** @type {Map<string, Promise<ArrayLike<number>[]>>} a clip's outline is fetched once however many excerpts it has */
const outlines = new Map();

/** @param {string} url */
function fetchOutline(url) {
  const known = outlines.get(url);
  if (known) return known;
  const fetched = fetch(url).then(async (response) => {
    if (!response.ok) throw new Error(`The server answered ${response.status}.`);
    const { low, high } = await response.json();
    return [low, high];
  });
  fetched.catch(() => outlines.delete(url));
  outlines.set(url, fetched);
  return fetched;
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
  #format;
  #duration;
  #shortest;
  #start;
  #end;
  #button;
  #waveform;
  #frame = 0;
  #from = 0; // where what plays begins in the clip, seconds

  /**
   * @param {HTMLElement} row
   * @param {object} options
   * @param {string} options.audio address of the clip's sound; empty while there is none
   * @param {string} options.outline address of its outline
   * @param {number} options.rate of the clip, Hz
   * @param {number} options.channels of the clip
   * @param {number} options.duration of the clip, seconds
   * @param {number} options.shortest excerpt, seconds
   * @param {HTMLInputElement} options.start field, seconds
   * @param {HTMLInputElement} options.end field, seconds
   */
  constructor(row, { audio, outline, rate, channels, duration, shortest, start, end }) {
    super();
    this.#url = audio;
    this.#format = { rate, channels };
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
        const channels = await fetchOutline(outline);
        this.#waveform.ready(duration);
        this.#waveform.draw(channels);
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
      const sound = await loadPart(this.#url, { ...this.#format, start, end: Math.min(end, this.#duration) });
      if (playing !== this) return;
      this.#from = start;
      await solo.play(sound);
      this.#follow();
    } catch {
      this.stop();
    }
  }

  #follow() {
    if (playing !== this) return;
    this.#waveform.show(this.#from + solo.position);
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
