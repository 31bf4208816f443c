/* One recording at a time: asked for another, the first gives way. */

import { Emitter } from "../common/emitter.js";
import { loadSound } from "./load.js";
import { Player } from "./player.js";

/* Decoded sounds that are kept to be played again. */
const KEPT = 8;

/**
 * @typedef {object} How
 * @property {number} [pan] one ear alone: -1 is the left, 1 the right
 * @property {[number, number]} [region] the part to play, seconds
 */

/**
 * Plays recordings through one gain; the context is made by the first press. Events: "stop" when a recording is
 * over or has been stopped (detail: whether it is over), not when another took its place.
 *
 * @extends {Emitter<{ stop: boolean }>}
 */
export class Solo extends Emitter {
  #rate;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {Player | null} */
  #player = null;
  /** @type {Map<string, AudioBuffer>} */
  #buffers = new Map();
  #gain;
  #turn = 0; // counts presses: what was fetched for an earlier one is not played any more

  /**
   * @param {number} gain linear
   * @param {number} [sampleRate] of the context; the device's by default
   */
  constructor(gain = 1, sampleRate) {
    super();
    this.#gain = gain;
    this.#rate = sampleRate;
  }

  /** Seconds into the recording that sounds. */
  get position() {
    return this.#player?.position() ?? 0;
  }

  /** @param {number} gain linear */
  setLevel(gain) {
    this.#gain = gain;
    this.#player?.setVolume(gain);
  }

  /**
   * @param {AudioContext} context
   * @param {string} url
   */
  async #buffer(context, url) {
    const kept = this.#buffers.get(url);
    if (kept) return kept;
    const buffer = await loadSound(context, url);
    for (const old of this.#buffers.keys()) {
      if (this.#buffers.size < KEPT) break;
      this.#buffers.delete(old);
    }
    this.#buffers.set(url, buffer);
    return buffer;
  }

  /**
   * Play a recording once. Resolves when it sounds; false if something else was asked for meanwhile.
   *
   * @param {string | AudioBuffer} recording decoded, or its address
   * @param {How} how
   * @throws {Error} whose message is for people
   */
  async play(recording, { pan = 0, region } = {}) {
    this.#silence();
    const turn = this.#turn;
    const context = (this.#context ??= new AudioContext({ sampleRate: this.#rate }));
    const buffer = typeof recording === "string" ? await this.#buffer(context, recording) : recording;
    if (turn !== this.#turn) return false;
    const player = new Player(context, new Map([["", buffer]]), { confined: true, channels: pan ? 1 : 0, pan });
    player.setVolume(this.#gain);
    player.setLooping(false);
    if (region) {
      player.setLoop(...region);
      player.seek(player.loopStart);
    }
    player.on("end", () => {
      if (this.#player === player) this.#ended(true);
    });
    player.on("interrupt", () => this.stop());
    this.#player = player;
    await player.resume();
    if (turn !== this.#turn) return false;
    player.play();
    return true;
  }

  /** Stop what plays or is being fetched. */
  stop() {
    this.#silence();
    this.emit("stop", false);
  }

  /** @param {boolean} over */
  #ended(over) {
    this.#player = null;
    this.emit("stop", over);
  }

  #silence() {
    this.#turn += 1;
    this.#player?.pause();
    this.#player = null;
  }
}
