/* The sounds of one trial on one clock.

   Every sound is decoded once. While the player plays, all of them run together, started at the same
   sample, and only their gains differ: a switch is a 5 ms raised-cosine fade out, then a 5 ms fade in
   (BS.1534-3: at no time a cross-fade). A loop repeats a region of at least 500 ms whose ends carry the
   same fades; they are part of the repeated samples, so a seam is exact and needs no timer.

   The context is handed in: an AudioContext in the page, an OfflineAudioContext in the tests. Methods that
   start or change sound take the time `when` on the context's clock. */

export { loadSounds } from "./sounds.js";

export const FADE_SECONDS = 0.005;
export const MIN_LOOP_SECONDS = 0.5;

/* Changes are scheduled so far ahead that they don't begin in a block that is being rendered already. */
const AHEAD_SECONDS = 0.02;

/* The Web Audio API renders so many samples at a time. */
const BLOCK_SAMPLES = 128;

/* 129 points: straight lines between them stay within 0.00004 of the cosine. */
const CURVE_POINTS = 129;
const RISE = Float32Array.from({ length: CURVE_POINTS }, (_, i) => raisedCosine(i / (CURVE_POINTS - 1)));
const FALL = RISE.slice().reverse();

/** Gain of a raised-cosine fade-in at `x` in 0..1. */
export function raisedCosine(x) {
  return 0.5 - 0.5 * Math.cos(Math.PI * x);
}

/** A gain that is either open or shut, and fades between the two. */
class Gate {
  constructor(context, open) {
    this.node = new GainNode(context, { gain: open ? 1 : 0 });
    this.rate = context.sampleRate;
    this.fade = Math.round(FADE_SECONDS * this.rate) / this.rate;
    this.open = open;
    this.freeAt = 0;
  }

  /** Fade to open or shut at `when`, or as soon as the fade under way is over. Returns the end. */
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
 * Plays one of several sounds of equal length. Dispatches "change" whenever playing, selection, position
 * (other than by time passing) or loop change, and "end" when it ran to the end without a loop.
 */
export class Player extends EventTarget {
  #context;
  #buffers;
  #gates = new Map();
  #transport;
  #volume;
  #sources = null; // of the run under way
  #origin = 0; // context time at which the run was, or will be, at #offset
  #offset = 0; // seconds into the excerpt: where the run began, or where the pause is
  #switchFreeAt = 0;
  #regions = new Map(); // looped samples by name, for the loop in force

  /** @param {BaseAudioContext} context @param {Map<string, AudioBuffer>} buffers mono, by name */
  constructor(context, buffers) {
    super();
    this.#context = context;
    this.#buffers = buffers;
    this.selected = buffers.keys().next().value;
    this.playing = false;
    this.looping = true;
    this.duration = Math.min(...[...buffers.values()].map((buffer) => buffer.duration));
    this.loopStart = 0;
    this.loopEnd = this.duration;

    // One channel up to here; a destination with two plays it alike in both ears.
    const mono = { channelCount: 1, channelCountMode: "explicit" };
    this.#volume = new GainNode(context, { ...mono, gain: 1 });
    this.#transport = new Gate(context, false);
    this.#transport.node.connect(this.#volume).connect(context.destination);
    for (const name of buffers.keys()) this.#addGate(name, name === this.selected);
  }

  #addGate(name, open) {
    const gate = new Gate(this.#context, open);
    gate.node.connect(this.#transport.node);
    this.#gates.set(name, gate);
  }

  /** Whether there is a sound of this name. */
  has(name) {
    return this.#buffers.has(name);
  }

  /** Let a sound join that arrived later than the first; while others run, it runs along at their sample. */
  add(name, buffer, when = this.#soon) {
    const { length, sampleRate } = this.#buffers.values().next().value;
    if (buffer.length !== length) {
      const samples = buffer.getChannelData(0).subarray(0, length);
      buffer = new AudioBuffer({ length, sampleRate });
      buffer.copyToChannel(samples, 0);
    }
    this.#buffers.set(name, buffer);
    this.#addGate(name, false);
    if (this.#sources) {
      const start = this.#snap(Math.max(when, this.#origin));
      const gone = this.#offset + start - this.#origin;
      if (this.looping || gone < this.duration) this.#sources.push(this.#source(name, start, this.#wrapped(gone)));
    }
    this.#changed();
  }

  get #soon() {
    return this.#context.currentTime + AHEAD_SECONDS;
  }

  /** The name of the sound that is heard now, or null. */
  get sounding() {
    return this.playing ? this.selected : null;
  }

  /** Whether the loop is a part of the excerpt rather than all of it. */
  get hasRegion() {
    return this.loopStart > 0 || this.loopEnd < this.duration;
  }

  /** Seconds into the excerpt. */
  position(now = this.#context.currentTime) {
    if (!this.playing) return this.#offset;
    const position = this.#offset + Math.max(0, now - this.#origin);
    return this.looping ? this.#wrapped(position) : Math.min(position, this.duration);
  }

  /** Where the loop is after running to `position` without one. */
  #wrapped(position) {
    if (!this.looping || position < this.loopEnd) return position;
    return this.loopStart + ((position - this.loopStart) % (this.loopEnd - this.loopStart));
  }

  /** Linear gain of everything. Set before an item, not within it. */
  setVolume(gain) {
    this.#volume.gain.value = gain;
  }

  play(when = this.#soon) {
    if (this.playing) return;
    this.#start(Math.max(when, this.#transport.freeAt), this.#offset);
    this.#changed();
  }

  pause(when = this.#soon) {
    if (!this.playing) return;
    const position = this.position(when);
    this.#stop(when);
    this.#offset = position;
    this.#changed();
  }

  /** Go to `position`, seconds; while playing, with a fade out and in. */
  seek(position, when = this.#soon) {
    const target = Math.min(Math.max(position, 0), this.duration);
    if (this.playing) this.#start(this.#stop(when), target);
    else this.#offset = this.#inside(target);
    this.#changed();
  }

  /** Switch to a sound: the old one fades out, then the new one in, both at the same position. */
  select(name, when = this.#soon) {
    if (!this.#gates.has(name)) throw new RangeError(`There is no sound ${name}.`);
    if (name === this.selected) return;
    const start = Math.max(when, this.#switchFreeAt);
    const silent = this.#gates.get(this.selected).set(false, start);
    this.#switchFreeAt = this.#gates.get(name).set(true, silent);
    this.selected = name;
    this.#changed();
  }

  /**
   * Repeat from `start` to `end`, seconds. Returns false, and changes nothing, if that is shorter than
   * 500 ms or not inside the excerpt. (Half a millisecond of grace: handles and clocks round.)
   */
  setLoop(start, end, when = this.#soon) {
    if (!(start >= 0 && end <= this.duration && end - start >= Math.min(MIN_LOOP_SECONDS, this.duration) - 0.0005)) {
      return false;
    }
    const [first, last] = [this.#snap(start), this.#snap(end)];
    if (first === this.loopStart && last === this.loopEnd) return true;
    const position = this.position(when);
    this.loopStart = first;
    this.loopEnd = last;
    this.#regions.clear();
    this.#restart(position, when);
    return true;
  }

  clearLoop(when = this.#soon) {
    this.setLoop(0, this.duration, when);
  }

  setLooping(on, when = this.#soon) {
    if (on === this.looping) return;
    const position = this.position(when);
    this.looping = on;
    this.#restart(position, when);
  }

  #restart(position, when) {
    if (this.playing) this.#start(this.#stop(when), position);
    else this.#offset = this.#inside(position);
    this.#changed();
  }

  /** The time of the nearest whole sample: between two, a source would interpolate. */
  #snap(seconds) {
    return Math.round(seconds * this.#context.sampleRate) / this.#context.sampleRate;
  }

  /** Where to begin for `position`: a loop is entered at its start from outside. */
  #inside(position) {
    if (this.looping) return position >= this.loopStart && position < this.loopEnd ? position : this.loopStart;
    return position < this.duration ? position : 0;
  }

  #start(when, position) {
    this.#offset = this.#snap(this.#inside(position));
    this.#origin = this.#snap(when);
    const sources = [...this.#buffers.keys()].map((name) => this.#source(name, this.#origin, this.#offset));
    sources[0].addEventListener("ended", () => {
      if (this.#sources !== sources) return;
      this.#stop(this.#soon);
      this.#offset = 0;
      this.dispatchEvent(new Event("end"));
      this.#changed();
    });
    this.#sources = sources;
    this.#transport.set(true, this.#origin);
    this.playing = true;
  }

  /** A sound that runs from `position` on, at `when`. */
  #source(name, when, position) {
    const source = new AudioBufferSourceNode(this.#context, {
      buffer: this.looping ? this.#region(name) : this.#buffers.get(name),
      loop: this.looping,
    });
    source.connect(this.#gates.get(name).node);
    source.start(when, this.#snap(position - (this.looping ? this.loopStart : 0)));
    return source;
  }

  /** Fade out at `when` and stop all sounds behind the fade. Returns when others may start. */
  #stop(when) {
    const silent = this.#transport.set(false, when);
    for (const source of this.#sources) source.stop(silent);
    this.#sources = null;
    this.playing = false;
    return this.#transport.freeAt;
  }

  /** The looped samples of a sound, with the fades of the seam at both ends. */
  #region(name) {
    if (!this.#regions.has(name)) {
      const rate = this.#context.sampleRate;
      const first = Math.round(this.loopStart * rate);
      const last = Math.round(this.loopEnd * rate);
      const samples = this.#buffers.get(name).getChannelData(0).slice(first, last);
      const fade = Math.min(Math.round(FADE_SECONDS * rate), samples.length >> 1);
      for (let i = 0; i < fade; i++) {
        samples[i] *= raisedCosine(i / fade);
        samples[samples.length - 1 - i] *= raisedCosine(i / fade);
      }
      const region = new AudioBuffer({ length: samples.length, sampleRate: rate });
      region.copyToChannel(samples, 0);
      this.#regions.set(name, region);
    }
    return this.#regions.get(name);
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
