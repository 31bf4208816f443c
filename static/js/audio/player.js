/* The player: several sounds on one clock.

   Every sound is decoded once. While the player plays, all of them run together, started at the same
   sample, and only their gains differ: a switch is a 5 ms raised-cosine fade out, then a 5 ms fade in
   (BS.1534-3: at no time a cross-fade). A loop repeats a region of at least 500 ms whose ends carry the
   same fades; they are part of the repeated samples, so a seam is exact and needs no timer.

   The context is handed in: an AudioContext in the page, an OfflineAudioContext in the tests. Methods that
   start or change sound take the time `when` on the context's clock; without it they act as soon as can be. */

import { Emitter } from "../common/emitter.js";

export const FADE_SECONDS = 0.005;
export const MIN_LOOP_SECONDS = 0.5;

/* Changes are scheduled so far ahead that they don't begin in a block that is being rendered already. */
const AHEAD_SECONDS = 0.02;

/* The Web Audio API renders so many samples at a time. */
const BLOCK_SAMPLES = 128;

/* Without an output device, resuming takes for ever. */
const OUTPUT_MILLISECONDS = 3000;

/* 129 points: straight lines between them stay within 0.00004 of the cosine. */
const CURVE_POINTS = 129;
const RISE = Float32Array.from({ length: CURVE_POINTS }, (_, i) => raisedCosine(i / (CURVE_POINTS - 1)));
const FALL = RISE.slice().reverse();

/**
 * Gain of a raised-cosine fade-in at `x` in 0..1.
 *
 * @param {number} x
 */
function raisedCosine(x) {
  return 0.5 - 0.5 * Math.cos(Math.PI * x);
}

/** A gain that is either open or shut, and fades between the two. */
class Gate {
  /**
   * @param {BaseAudioContext} context
   * @param {boolean} open
   */
  constructor(context, open) {
    this.node = new GainNode(context, { gain: open ? 1 : 0 });
    this.rate = context.sampleRate;
    this.fade = Math.round(FADE_SECONDS * this.rate) / this.rate;
    this.open = open;
    this.freeAt = 0;
  }

  /**
   * Fade to open or shut at `when`, or as soon as the fade under way is over. Returns the end.
   *
   * @param {boolean} open
   * @param {number} when
   */
  set(open, when) {
    if (open === this.open) return when;
    const start = Math.round(Math.max(when, this.freeAt) * this.rate) / this.rate;
    this.node.gain.setValueCurveAtTime(open ? RISE : FALL, start, this.fade);
    this.open = open;
    // Chromium draws the second of two curves wrongly where both lie in one block of samples.
    this.freeAt = start + this.fade + BLOCK_SAMPLES / this.rate;
    return start + this.fade;
  }
}

/**
 * Samples `first` to `last` of a sound, with zeros beyond its end, and fades of `fade` samples at both ends.
 *
 * @param {AudioBuffer} buffer
 * @param {number} first
 * @param {number} last
 * @param {number} fade
 */
function cut(buffer, first, last, fade = 0) {
  const { numberOfChannels, sampleRate } = buffer;
  const part = new AudioBuffer({ length: last - first, sampleRate, numberOfChannels });
  for (let channel = 0; channel < numberOfChannels; channel++) {
    const samples = part.getChannelData(channel);
    samples.set(buffer.getChannelData(channel).subarray(first, last));
    for (let i = 0; i < fade; i++) {
      samples[i] *= raisedCosine(i / fade);
      samples[samples.length - 1 - i] *= raisedCosine(i / fade);
    }
  }
  return part;
}

/**
 * @typedef {AudioContext | OfflineAudioContext} Context
 * @typedef {{ context: Context, volume: GainNode, transport: Gate, gates: Map<string, Gate> }} Graph
 * @typedef {object} Options
 * @property {boolean} [confined] whether play keeps to the loop's region without looping, too
 * @property {number} [channels] of what is heard, by default the most that a sound has; one is played alike in both ears
 * @property {number} [pan] from -1, left, to 1, right
 */

/**
 * Plays one of several sounds of equal length. Events: "change" whenever playing, selection, position (other than
 * by time passing) or loop change; "add" (detail: name) when a sound has joined; "end" when it ran to the end
 * without a loop; "interrupt" when the system has taken the sound away while it played.
 *
 * @extends {Emitter<{ change: undefined, add: string, end: undefined, interrupt: undefined }>}
 */
export class Player extends Emitter {
  #provide;
  #options;
  /** @type {Graph | null} made when something is to be played */
  #graph = null;
  /** @type {Map<string, AudioBuffer>} */
  #buffers = new Map();
  /** @type {Map<string, AudioBufferSourceNode> | null} of the run under way */
  #sources = null;
  #origin = 0; // context time at which the run was, or will be, at #offset
  #offset = 0; // seconds into the excerpt: where the run began, or where the pause is
  #switchFreeAt = 0;
  /** @type {string | null} the sound whose gate is open: the selected one, once it is there */
  #open = null;
  /** @type {Map<string, AudioBuffer>} samples of the region by name, for the loop in force */
  #regions = new Map();
  #level = 1;

  /**
   * @param {Context | (() => Context)} context a function is called when something is played first
   * @param {Map<string, AudioBuffer>} buffers by name, the first one selected; others may be added later
   * @param {Options} options
   */
  constructor(context, buffers = new Map(), { confined = false, channels = 0, pan = 0 } = {}) {
    super();
    this.#provide = typeof context === "function" ? context : () => context;
    this.#options = { confined, channels, pan };
    /** The name of the chosen sound. */
    this.selected = buffers.keys().next().value ?? "";
    this.playing = false;
    this.looping = true;
    this.duration = 0;
    this.loopStart = 0;
    this.loopEnd = 0;
    for (const [name, buffer] of buffers) this.add(name, buffer);
  }

  /**
   * Whether there is a sound of this name.
   *
   * @param {string} name
   */
  has(name) {
    return this.#buffers.has(name);
  }

  /**
   * A sound, or null.
   *
   * @param {string} name
   */
  sound(name) {
    return this.#buffers.get(name) ?? null;
  }

  /**
   * Let a sound join; it is cut or filled to the length of the first. While others run, it runs along at their
   * sample, and is switched to if it is the selected one.
   *
   * @param {string} name
   * @param {AudioBuffer} buffer
   * @param {number} [when]
   */
  add(name, buffer, when) {
    const first = this.#buffers.values().next().value;
    if (!first) this.duration = this.loopEnd = buffer.duration;
    this.#buffers.set(name, first && buffer.length !== first.length ? cut(buffer, 0, first.length) : buffer);
    if (this.#graph) {
      this.#addGate(this.#graph, name);
      this.#graph.volume.channelCount = this.#channels;
    }
    if (this.#sources) {
      const start = this.#snap(Math.max(this.#time(when), this.#origin));
      const position = this.#wrapped(this.#offset + start - this.#origin);
      if (position < this.#end) this.#sources.set(name, this.#source(name, start, position));
    }
    if (name === this.selected) this.#switchTo(name, when);
    this.emit("add", name);
    this.emit("change");
  }

  /**
   * @param {Graph} graph
   * @param {string} name
   */
  #addGate({ context, transport, gates }, name) {
    const gate = new Gate(context, name === this.#open);
    gate.node.connect(transport.node);
    gates.set(name, gate);
  }

  /** How many channels are heard. */
  get #channels() {
    const most = () => Math.max(1, ...[...this.#buffers.values()].map((buffer) => buffer.numberOfChannels));
    return this.#options.channels || most();
  }

  #connected() {
    if (this.#graph) return this.#graph;
    const context = this.#provide();
    // A destination with two channels plays one of ours alike in both ears.
    const volume = new GainNode(context, {
      gain: this.#level,
      channelCount: this.#channels,
      channelCountMode: "explicit",
    });
    const transport = new Gate(context, false);
    const { pan } = this.#options;
    const panned = pan ? volume.connect(new StereoPannerNode(context, { pan })) : volume;
    transport.node.connect(volume);
    panned.connect(context.destination);
    const graph = { context, volume, transport, gates: new Map() };
    for (const name of this.#buffers.keys()) this.#addGate(graph, name);
    context.addEventListener("statechange", () => {
      if (context.state !== "running" && this.playing) this.emit("interrupt");
    });
    this.#graph = graph;
    return graph;
  }

  /** @param {number} [when] */
  #time(when) {
    return when ?? this.#connected().context.currentTime + AHEAD_SECONDS;
  }

  /** Let the context run. Without an output device: false after 3 s. */
  async resume() {
    const { context } = this.#connected();
    if (context.state !== "running") {
      await Promise.race([context.resume(), new Promise((resolve) => setTimeout(resolve, OUTPUT_MILLISECONDS))]);
    }
    return context.state === "running";
  }

  /** The name of the sound that is heard now, or null. */
  get sounding() {
    return this.playing ? this.#open : null;
  }

  /** Whether the loop is a part of the excerpt rather than all of it. */
  get hasRegion() {
    return this.loopStart > 0 || this.loopEnd < this.duration;
  }

  /** Whether play keeps to the region. */
  get #bound() {
    return this.looping || this.#options.confined;
  }

  get #begin() {
    return this.#bound ? this.loopStart : 0;
  }

  get #end() {
    return this.#bound ? this.loopEnd : this.duration;
  }

  /**
   * Seconds into the excerpt.
   *
   * @param {number} [now]
   */
  position(now) {
    if (!this.playing || !this.#graph) return this.#offset;
    const at = now ?? this.#graph.context.currentTime;
    return Math.min(this.#wrapped(this.#offset + Math.max(0, at - this.#origin)), this.#end);
  }

  /**
   * Where the loop is after running to `position` without one.
   *
   * @param {number} position
   */
  #wrapped(position) {
    if (!this.looping || position < this.loopEnd) return position;
    return this.loopStart + ((position - this.loopStart) % (this.loopEnd - this.loopStart));
  }

  /**
   * Linear gain of everything. Set before an item, not within it.
   *
   * @param {number} gain
   */
  setVolume(gain) {
    this.#level = gain;
    if (this.#graph) this.#graph.volume.gain.value = gain;
  }

  /** @param {number} [when] */
  play(when) {
    if (this.playing || !this.has(this.selected)) return;
    const { transport } = this.#connected();
    this.#start(Math.max(this.#time(when), transport.freeAt), this.#offset);
    this.emit("change");
  }

  /** @param {number} [when] */
  pause(when) {
    if (!this.playing) return;
    const at = this.#time(when);
    const position = this.position(at);
    this.#stop(at);
    this.#offset = position;
    this.emit("change");
  }

  /**
   * Go to `position`, seconds; while playing, with a fade out and in.
   *
   * @param {number} position
   * @param {number} [when]
   */
  seek(position, when) {
    this.#restart(Math.min(Math.max(position, 0), this.duration), when);
  }

  /**
   * Switch to a sound: the old one fades out, then the new one in, both at the same position. A sound that isn't
   * there yet is switched to when it is.
   *
   * @param {string} name
   * @param {number} [when]
   */
  select(name, when) {
    if (name === this.selected) return;
    this.selected = name;
    if (this.has(name)) this.#switchTo(name, when);
    this.emit("change");
  }

  /**
   * @param {string} name
   * @param {number} [when]
   */
  #switchTo(name, when) {
    const before = this.#open;
    if (name === before) return;
    this.#open = name;
    if (!this.#graph) return;
    const { gates } = this.#graph;
    const start = Math.max(this.#time(when), this.#switchFreeAt);
    const silent = (before !== null && gates.get(before)?.set(false, start)) || start;
    this.#switchFreeAt = gates.get(name)?.set(true, silent) ?? silent;
  }

  /**
   * Repeat from `start` to `end`, seconds. Returns false, and changes nothing, if that is shorter than
   * 500 ms or not inside the excerpt. (Half a millisecond of grace: handles and clocks round.)
   *
   * @param {number} start
   * @param {number} end
   * @param {number} [when]
   */
  setLoop(start, end, when) {
    if (!(start >= 0 && end <= this.duration && end - start >= Math.min(MIN_LOOP_SECONDS, this.duration) - 0.0005)) {
      return false;
    }
    const [first, last] = [this.#snap(start), this.#snap(end)];
    if (first === this.loopStart && last === this.loopEnd) return true;
    const position = this.#positionAt(when);
    this.loopStart = first;
    this.loopEnd = last;
    this.#regions.clear();
    this.#restart(position, when);
    return true;
  }

  /** @param {number} [when] */
  clearLoop(when) {
    this.setLoop(0, this.duration, when);
  }

  /**
   * @param {boolean} on
   * @param {number} [when]
   */
  setLooping(on, when) {
    if (on === this.looping) return;
    const position = this.#positionAt(when);
    this.looping = on;
    this.#restart(position, when);
  }

  /** @param {number} [when] */
  #positionAt(when) {
    return this.playing ? this.position(this.#time(when)) : this.#offset;
  }

  /**
   * @param {number} position
   * @param {number} [when]
   */
  #restart(position, when) {
    if (this.playing) this.#start(this.#stop(this.#time(when)), position);
    else this.#offset = this.#inside(position);
    this.emit("change");
  }

  /**
   * The time of the nearest whole sample: between two, a source would interpolate.
   *
   * @param {number} seconds
   */
  #snap(seconds) {
    const rate = this.#buffers.values().next().value?.sampleRate;
    return rate ? Math.round(seconds * rate) / rate : seconds;
  }

  /**
   * Where to begin for `position`: a region is entered at its start from outside.
   *
   * @param {number} position
   */
  #inside(position) {
    return position >= this.#begin && position < this.#end ? position : this.#begin;
  }

  /**
   * @param {number} when
   * @param {number} position
   */
  #start(when, position) {
    this.#offset = this.#snap(this.#inside(position));
    this.#origin = this.#snap(when);
    const sources = new Map(
      [...this.#buffers.keys()].map((name) => [name, this.#source(name, this.#origin, this.#offset)]),
    );
    sources.values().next().value?.addEventListener("ended", () => {
      if (this.#sources !== sources) return;
      this.#stop(this.#time());
      this.#offset = this.#begin;
      this.emit("end");
      this.emit("change");
    });
    this.#sources = sources;
    this.#connected().transport.set(true, this.#origin);
    this.playing = true;
  }

  /**
   * A sound that runs from `position` on, at `when`.
   *
   * @param {string} name
   * @param {number} when
   * @param {number} position
   */
  #source(name, when, position) {
    const { context, gates } = this.#connected();
    const buffer = this.#bound ? this.#region(name) : this.#sound(name);
    const source = new AudioBufferSourceNode(context, { buffer, loop: this.looping });
    source.connect(/** @type {Gate} */ (gates.get(name)).node);
    source.start(when, this.#snap(position - this.#begin));
    return source;
  }

  /** @param {string} name */
  #sound(name) {
    const buffer = this.#buffers.get(name);
    if (!buffer) throw new RangeError(`There is no sound ${name}.`);
    return buffer;
  }

  /**
   * Fade out at `when` and stop all sounds behind the fade. Returns when others may start.
   *
   * @param {number} when
   */
  #stop(when) {
    const { transport } = this.#connected();
    const silent = transport.set(false, when);
    for (const source of this.#sources?.values() ?? []) source.stop(silent);
    this.#sources = null;
    this.playing = false;
    return transport.freeAt;
  }

  /**
   * The samples of a sound's region, with the fades of the seam at both ends.
   *
   * @param {string} name
   */
  #region(name) {
    const made = this.#regions.get(name);
    if (made) return made;
    const buffer = this.#sound(name);
    const [first, last] = [this.loopStart, this.loopEnd].map((seconds) => Math.round(seconds * buffer.sampleRate));
    const fade = Math.min(Math.round(FADE_SECONDS * buffer.sampleRate), (last - first) >> 1);
    const region = cut(buffer, first, last, fade);
    this.#regions.set(name, region);
    return region;
  }
}
