// The synchronised player's sound: every system is decoded once, all start together on one clock,
// and what is heard is chosen by gain alone.

import { FADE_SECONDS, fadeIn, fadeOut, switchGains, withLoopFades } from "./fades.js";

const RATE = 16000;
/** Room for the browser to build its nodes before the first sample is due, seconds. */
const LEAD = 0.02;
/**
 * One rendering block, seconds. Chromium starts a gain's curve at a wrong place (heard as a click)
 * when the curve before it ends within the same block, so that hasty switches keep this distance.
 */
const BLOCK = 128 / RATE;
export const SHORTEST_LOOP = 0.5;

/**
 * Events: "state" (playing, loop or region changed), "select" (another sound is chosen),
 * "load" (a sound can be heard now), "fail" (detail: {key, message}), "seek" (the position jumped).
 */
export class Engine extends EventTarget {
  #context = null;
  #buffers = new Map();
  #loading = new Map();
  #voices = new Map();
  #selected = null;
  #sounding = null;
  #playing = false;
  #loop = true;
  #region = null;
  #offset = 0; // seconds into the clip at #startTime
  #startTime = 0; // on the context's clock
  #busyUntil = 0; // gains have curves scheduled until then; curves may not overlap

  get playing() { return this.#playing; }
  get loop() { return this.#loop; }
  get region() { return this.#region; }
  get selected() { return this.#selected; }
  get duration() { return Math.max(0, ...[...this.#buffers.values()].map((buffer) => buffer.duration)); }

  has(key) { return this.#buffers.has(key); }

  /** Samples of a decoded sound, Float32Array at 16 kHz, or null. */
  samples(key) { return this.#buffers.get(key)?.getChannelData(0) ?? null; }

  get sampleRate() { return RATE; }

  /** Seconds into the clip of what is heard now. */
  get position() {
    return this.#playing ? this.#positionAt(this.#context.currentTime) : this.#offset;
  }

  /** Fetch and decode `url` under `key`, once. Playback in progress takes it in, in step. */
  load(key, url) {
    if (!this.#loading.has(key)) this.#loading.set(key, this.#load(key, url));
    return this.#loading.get(key);
  }

  async #load(key, url) {
    try {
      const response = await fetch(url, { credentials: "same-origin" });
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      // Decoding in a context of the file's own rate keeps every sample as it is.
      const decoder = new OfflineAudioContext(1, 1, RATE);
      this.#buffers.set(key, await decoder.decodeAudioData(await response.arrayBuffer()));
    } catch (error) {
      this.#loading.delete(key); // so that it can be tried again
      this.dispatchEvent(new CustomEvent("fail", { detail: { key, message: error.message } }));
      return;
    }
    if (this.#playing) {
      const at = this.#grid(this.#context.currentTime + LEAD);
      this.#addVoice(key, at, this.#positionAt(at));
      if (key === this.#selected) this.#sound(key, at);
    }
    this.dispatchEvent(new CustomEvent("load", { detail: { key } }));
  }

  /** Choose what is heard. A sound that isn't decoded yet is switched to when it is. */
  select(key) {
    if (key === this.#selected) return;
    this.#selected = key;
    if (this.#playing && this.#voices.has(key)) this.#sound(key, this.#context.currentTime);
    this.dispatchEvent(new Event("select"));
  }

  async play() {
    if (this.#playing || !this.has(this.#selected)) return;
    this.#context ??= new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    await this.#context.resume();
    if (this.#playing) return;
    this.#playing = true;
    this.#start(this.#context.currentTime + LEAD);
    this.dispatchEvent(new Event("state"));
  }

  pause() {
    if (!this.#playing) return;
    const position = this.position;
    this.#stop();
    this.#playing = false;
    this.#offset = position;
    this.dispatchEvent(new Event("state"));
  }

  toggle() {
    return this.#playing ? this.pause() : this.play();
  }

  seek(seconds) {
    const [start, end] = this.#bounds();
    this.#restart(Math.min(Math.max(seconds, start), Math.max(start, end - FADE_SECONDS)));
    this.dispatchEvent(new Event("seek"));
  }

  setLoop(on) {
    if (on === this.#loop) return;
    const position = this.position;
    this.#loop = on;
    this.#restart(position);
    this.dispatchEvent(new Event("state"));
  }

  /** Confine play to `[start, end]` in seconds, at least SHORTEST_LOOP long; null lifts it. */
  setRegion(region) {
    const position = this.position;
    if (region) {
      const start = Math.max(0, Math.min(region[0], this.duration - SHORTEST_LOOP));
      this.#region = [start, Math.min(this.duration, Math.max(region[1], start + SHORTEST_LOOP))];
    } else {
      this.#region = null;
    }
    const [start, end] = this.#bounds();
    this.#restart(position >= start && position < end ? position : start);
    this.dispatchEvent(new Event("state"));
  }

  #bounds() {
    return this.#region ?? [0, this.duration];
  }

  /** The next sample's time: sources that start between samples would be interpolated. */
  #grid(time) {
    return Math.ceil(time * RATE - 0.01) / RATE;
  }

  #positionAt(time) {
    const [start, end] = this.#bounds();
    const position = this.#offset + Math.max(0, time - this.#startTime);
    if (position < end) return position;
    return this.#loop ? start + ((position - start) % (end - start)) : end;
  }

  #restart(position) {
    if (!this.#playing) {
      this.#offset = position;
      return;
    }
    const over = this.#stop();
    this.#offset = position;
    this.#start(over);
  }

  #start(time) {
    const [start, end] = this.#bounds();
    if (this.#offset < start || this.#offset >= end - FADE_SECONDS) this.#offset = start;
    this.#offset = Math.round(this.#offset * RATE) / RATE;
    this.#startTime = this.#grid(time);
    this.#busyUntil = this.#startTime;
    for (const key of this.#buffers.keys()) this.#addVoice(key, this.#startTime, this.#offset);
    this.#sound(this.#selected, this.#startTime);
  }

  #addVoice(key, at, offset) {
    const source = this.#context.createBufferSource();
    const gain = this.#context.createGain();
    const [start, end] = this.#bounds().map((seconds) => Math.round(seconds * RATE));
    const samples = withLoopFades(this.samples(key), start, end, RATE);
    source.buffer = this.#context.createBuffer(1, samples.length, RATE);
    source.buffer.copyToChannel(samples, 0);
    gain.gain.value = 0;
    source.connect(gain).connect(this.#context.destination);
    if (this.#loop) {
      source.loop = true;
      source.loopStart = start / RATE;
      source.loopEnd = end / RATE;
      source.start(at, offset);
    } else {
      source.start(at, offset, end / RATE - offset);
      source.onended = () => this.#ended(key);
    }
    this.#voices.set(key, { source, gain: gain.gain });
  }

  /** Switch what sounds to `key`, not before `time` and not before earlier switches are over. */
  #sound(key, time) {
    const to = this.#voices.get(key);
    const from = this.#voices.get(this.#sounding);
    if (!to || to === from) return;
    const at = this.#grid(Math.max(time, this.#busyUntil, this.#context.currentTime));
    if (from) {
      this.#busyUntil = switchGains(from.gain, to.gain, at) + BLOCK;
    } else {
      fadeIn(to.gain, at);
      this.#busyUntil = at + FADE_SECONDS + BLOCK;
    }
    this.#sounding = key;
  }

  /** Fade out and let go of every voice. Returns when it will be quiet. */
  #stop() {
    const at = this.#grid(Math.max(this.#busyUntil, this.#context.currentTime));
    const sounding = this.#voices.get(this.#sounding);
    if (sounding) fadeOut(sounding.gain, at);
    for (const { source } of this.#voices.values()) {
      source.onended = null;
      source.stop(at + FADE_SECONDS);
    }
    this.#voices.clear();
    this.#sounding = null;
    this.#busyUntil = at + FADE_SECONDS;
    return this.#busyUntil;
  }

  #ended(key) {
    if (key !== this.#sounding || !this.#playing) return;
    this.#stop();
    this.#playing = false;
    this.#offset = this.#bounds()[0];
    this.dispatchEvent(new Event("state"));
  }
}
