/* Sounds of the pages before the trials: one at a time, through the level that the listener has set. */

import { linear } from "../rating/volume.js";

/** Plays buffers through a gain and a place between the ears. The context is made by the first press. */
export class Sounds {
  #context = null;
  #gain;
  #source = null;
  #buffers = new Map();
  #decibels;

  constructor(decibels) {
    this.#decibels = decibels;
  }

  get playing() {
    return this.#source !== null;
  }

  setLevel(gain) {
    this.#decibels = null;
    this.linear = gain;
    if (this.#context) this.#gain.gain.value = gain;
  }

  async #start() {
    if (!this.#context) {
      this.#context = new AudioContext();
      this.#gain = new GainNode(this.#context, { gain: this.linear ?? linear(this.#decibels) });
      this.#gain.connect(this.#context.destination);
    }
    await this.#context.resume();
  }

  async #buffer(url) {
    if (!this.#buffers.has(url)) {
      const response = await fetch(url, { cache: "no-store" });
      if (!response.ok) throw new Error(String(response.status));
      this.#buffers.set(url, await this.#context.decodeAudioData(await response.arrayBuffer()));
    }
    return this.#buffers.get(url);
  }

  /**
   * Play `url` once, instead of what sounds. `pan` is -1 (left) to 1 (right), or null for a sound with two channels
   * of its own. Resolves when it sounds; `ended` is called when it is over, not when something else took its place.
   */
  async play(url, { pan = null, ended = () => {} } = {}) {
    this.stop();
    await this.#start();
    const source = new AudioBufferSourceNode(this.#context, { buffer: await this.#buffer(url) });
    this.stop();
    if (pan === null) source.connect(this.#gain);
    else source.connect(new StereoPannerNode(this.#context, { pan })).connect(this.#gain);
    source.addEventListener("ended", () => {
      if (this.#source !== source) return;
      this.#source = null;
      ended();
    });
    this.#source = source;
    source.start();
  }

  stop() {
    const source = this.#source;
    this.#source = null;
    source?.stop();
  }
}
