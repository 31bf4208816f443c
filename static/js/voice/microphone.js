/* The microphone, sample by sample, for at most so many seconds. */

import { Emitter } from "../common/emitter.js";
import { wavOf } from "./wav.js";

/** Why this page cannot have the microphone; empty if it can ask for it. */
export function whyNot() {
  if (!window.isSecureContext) return "Browsers give the microphone only to pages by HTTPS or on localhost, and this page is neither. You can choose a file.";
  if (!navigator.mediaDevices || !window.AudioWorkletNode) return "This browser can't record here. You can choose a file.";
  return "";
}

/**
 * What went wrong when the microphone was asked for.
 *
 * @param {unknown} error
 */
export function explain(error) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") return "The browser doesn't give this page the microphone. Allow it in the address bar, or choose a file.";
  if (name === "NotFoundError") return "No microphone was found. Connect one, or choose a file.";
  if (name === "NotReadableError") return "Another program has the microphone. Close it there, or choose a file.";
  return `Recording failed: ${error instanceof Error ? error.message : String(error)}`;
}

/**
 * One recording. Events: "level" (detail: seconds so far and peak of the last moment, 0 to 1) and "full".
 *
 * @extends {Emitter<{ level: { seconds: number, peak: number }, full: undefined }>}
 */
export class Recording extends Emitter {
  /** @type {Float32Array[]} */
  #blocks = [];
  #count = 0;
  #most;
  #stream;
  #context;

  /**
   * @param {MediaStream} stream
   * @param {AudioContext} context
   * @param {AudioWorkletNode} node
   * @param {number} seconds
   */
  constructor(stream, context, node, seconds) {
    super();
    this.#stream = stream;
    this.#context = context;
    this.#most = Math.floor(seconds * context.sampleRate);
    node.port.onmessage = ({ data }) => this.#take(data);
  }

  /**
   * Ask for the microphone and begin.
   *
   * @param {number} seconds at most
   */
  static async begin(seconds) {
    // What browsers do to make calls clearer would be heard through every system.
    const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    const stream = await navigator.mediaDevices.getUserMedia({ audio });
    const context = new AudioContext();
    try {
      await context.audioWorklet.addModule(new URL("capture.js", import.meta.url));
      await context.resume();
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      context.close();
      throw error;
    }
    const node = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    context.createMediaStreamSource(stream).connect(node);
    return new Recording(stream, context, node, seconds);
  }

  /** @param {Float32Array} block */
  #take(block) {
    const kept = block.subarray(0, this.#most - this.#count);
    if (!kept.length) return;
    this.#blocks.push(kept);
    this.#count += kept.length;
    const peak = kept.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    this.emit("level", { seconds: this.#count / this.#context.sampleRate, peak });
    if (this.#count === this.#most) this.emit("full");
  }

  /** Let go of the microphone. Returns what was recorded, as a WAV. */
  stop() {
    for (const track of this.#stream.getTracks()) track.stop();
    this.#context.close();
    return wavOf(this.#blocks, this.#context.sampleRate);
  }
}
