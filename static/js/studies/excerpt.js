// An excerpt of a clip, chosen on its waveform, by numbers, or by keyboard; and heard.

import { Waveform } from "../rating/waveform.js";

let decoder;
let playing = null;

/** Mono samples of a clip's WAV, fetched once however many excerpts are cut from it. */
const decoded = new Map();
function decode(url) {
  if (!decoded.has(url)) {
    decoder ??= new OfflineAudioContext(1, 1, 16000);
    const buffer = fetch(url)
      .then((answer) => {
        if (!answer.ok) throw new Error(`${answer.status}`);
        return answer.arrayBuffer();
      })
      .then((bytes) => decoder.decodeAudioData(bytes));
    buffer.catch(() => decoded.delete(url));
    decoded.set(url, buffer);
  }
  return decoded.get(url);
}

const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    seen.unobserve(entry.target);
    entry.target.dispatchEvent(new Event("seen"));
  }
}, { rootMargin: "200px" });

/** Keeps two number fields and a waveform's region in step; tells the row by "excerpt". */
export class Excerpt {
  #audio = null;
  #frame = 0;

  constructor(row, { audio, duration, shortest, start, end }) {
    Object.assign(this, { row, url: audio, duration, shortest, start, end });
    const element = row.querySelector("[data-waveform]");
    this.button = row.querySelector("[data-play]");
    this.waveform = new Waveform(element);
    this.waveform.addEventListener("loop", ({ detail }) => this.#set(detail.start, detail.end));
    for (const input of [start, end]) input.addEventListener("change", () => this.#typed());
    this.button.addEventListener("click", () => (this.#audio ? this.stop() : this.play()));
    if (!audio || start.disabled || start.closest("fieldset")?.disabled) this.button.disabled = !audio;
    element.addEventListener("seen", async () => {
      try {
        this.waveform.ready(await decode(audio), duration);
        element.classList.add("ready");
        this.#show();
      } catch {
        element.classList.add("silent");
      }
    });
    if (audio) seen.observe(element);
  }

  get bounds() {
    return [this.start, this.end].map((input) => Number.parseFloat(input.value.replace(",", ".")));
  }

  #show() {
    const [start, end] = this.bounds;
    if (!(start >= 0 && end > start)) return;
    this.waveform.showLoop(start, Math.min(end, this.duration), start > 0 || end < this.duration);
  }

  #set(start, end) {
    this.start.value = String(Math.round(start * 1000) / 1000);
    this.end.value = String(Math.min(Math.round(end * 1000) / 1000, this.duration));
    this.#changed();
  }

  #typed() {
    let [start, end] = this.bounds;
    if (Number.isNaN(start)) start = 0;
    if (Number.isNaN(end)) end = this.duration;
    start = Math.max(0, Math.min(start, this.duration - this.shortest));
    end = Math.min(this.duration, Math.max(end, start + this.shortest));
    this.#set(Math.max(0, start), end);
  }

  #changed() {
    this.stop();
    this.#show();
    this.row.dispatchEvent(new CustomEvent("excerpt"));
  }

  async play() {
    playing?.stop();
    playing = this;
    const [start, end] = this.bounds;
    const sound = new Audio(this.url);
    this.#audio = sound;
    this.button.setAttribute("aria-pressed", "true");
    this.button.textContent = "■ Stop";
    sound.currentTime = start;
    sound.addEventListener("ended", () => this.stop());
    const follow = () => {
      if (this.#audio !== sound) return;
      this.waveform.show(sound.currentTime);
      if (sound.currentTime >= end) this.stop();
      else this.#frame = requestAnimationFrame(follow);
    };
    try {
      await sound.play();
      follow();
    } catch {
      this.stop();
    }
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    this.#audio?.pause();
    this.#audio = null;
    if (playing === this) playing = null;
    this.button.setAttribute("aria-pressed", "false");
    this.button.textContent = "▶ Play";
  }
}
