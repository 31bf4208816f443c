/* Free switching between the signals of a trial: one clock, one loop, the fades of the player. */

import { $, isLeaving, lockVolume, note, page, running, volume } from "../rating/frame.js";
import { Player } from "../rating/player.js";
import { clock, say } from "../rating/text.js";
import { Waveform } from "../rating/waveform.js";
import { gettext } from "../rating/words.js";
import { markHeard, sounds } from "./frame.js";

/* A signal counts as heard when it has sounded so long, or all of a shorter one. */
const HEARD_SECONDS = 0.5;

const labels = new Map(page.sounds.map(({ name, label }) => [name, label]));
const rightwards = document.documentElement.dir === "rtl" ? -1 : 1;
const buttons = [...document.querySelectorAll(".pick")];

/** What the waveform shows: the open reference, or else A and B alike, so that it favours neither. */
function outlined(context, buffers) {
  if (buffers.has("reference")) return buffers.get("reference");
  const ends = page.sounds.filter(({ label }) => label === "A" || label === "B").map(({ name }) => buffers.get(name));
  const mean = context.createBuffer(1, Math.min(...ends.map((buffer) => buffer.length)), ends[0].sampleRate);
  const samples = mean.getChannelData(0);
  for (const buffer of ends) {
    const its = buffer.getChannelData(0);
    for (let i = 0; i < samples.length; i++) samples[i] += its[i] / ends.length;
  }
  return mean;
}

/**
 * The signals of a page.
 *
 * `changed` is called whenever what sounds has changed. Keys: the signals' letters, space, arrows, I and O.
 */
export class Switching {
  #context = new AudioContext();
  #player = null;
  #waveform = new Waveform($("#wave"));
  #level = 1;
  #changed;
  #since = null; // when the sound that is heard now began, in ms

  constructor(changed) {
    this.#changed = changed;
    volume((gain) => {
      this.#level = gain;
      this.#player?.setVolume(gain);
    });
    for (const button of buttons) button.addEventListener("click", () => this.hear(button.dataset.name));
    $("#play").addEventListener("click", () => this.#toggle());
    $("#loop").addEventListener("click", () => {
      this.#player.setLooping(!this.#player.looping);
      note("looping", { on: this.#player.looping });
    });
    $("#whole").addEventListener("click", () => this.#whole());
    this.#waveform.addEventListener("seek", ({ detail }) => {
      this.#player.seek(detail);
      note("seek", { at: detail });
    });
    this.#waveform.addEventListener("loop", ({ detail }) => this.#loop(detail.start, detail.end));
    document.addEventListener("leaving", () => this.#player?.playing && this.#pause());
    this.#prepare();
  }

  /** The name of the signal that is heard now, or null. */
  get sounding() {
    return this.#player?.sounding ?? null;
  }

  async hear(name) {
    if (!this.#player) return;
    if (name !== this.#player.selected) {
      this.#count();
      this.#player.select(name);
      this.#since = performance.now();
      note("switch", { sound: name, at: this.#player.position() });
    }
    if (!this.#player.playing) await this.#start();
  }

  /** Work a key of the player; false if it is none. */
  key(name) {
    if (!this.#player) return false;
    const signal = page.sounds.find(({ label }) => label.toLowerCase() === name);
    if (signal) this.hear(signal.name);
    else if (name === " ") this.#toggle();
    else if (name === "i") this.#loop(this.#player.position(), this.#player.loopEnd);
    else if (name === "o") this.#loop(this.#player.loopStart, this.#player.position());
    else if (name === "Escape" || name === "Backspace") this.#whole();
    else if (name === "ArrowLeft") this.#neighbour(-rightwards);
    else if (name === "ArrowRight") this.#neighbour(rightwards);
    else return false;
    return true;
  }

  async #start() {
    if (isLeaving() || !(await running(this.#context))) return;
    const decibels = lockVolume();
    this.#player.play();
    this.#since = performance.now();
    note("play", { sound: this.#player.selected, at: this.#player.position(), decibels });
  }

  #pause() {
    this.#count();
    this.#player.pause();
    note("pause", { sound: this.#player.selected, at: this.#player.position() });
  }

  #toggle() {
    if (this.#player.playing) this.#pause();
    else this.#start();
  }

  /** Note whether what sounds has been heard long enough by now. */
  #count() {
    const name = this.sounding;
    if (!name || this.#since === null) return;
    const enough = Math.min(HEARD_SECONDS, this.#player.duration);
    if (performance.now() - this.#since >= 1000 * enough) markHeard(name);
  }

  #neighbour(step) {
    const names = [...labels.keys()];
    const index = names.indexOf(this.#player.selected) + step;
    if (index >= 0 && index < names.length) this.hear(names[index]);
  }

  #loop(start, end) {
    if (this.#player.setLoop(start, end)) note("loop", { start: this.#player.loopStart, end: this.#player.loopEnd });
    else say($("#sounding"), gettext("A loop needs 500 ms or more"));
    this.#showLoop();
  }

  #whole() {
    if (!this.#player.hasRegion) return;
    this.#player.clearLoop();
    note("loop", { start: 0, end: this.#player.duration });
  }

  #showLoop() {
    this.#waveform.showLoop(this.#player.loopStart, this.#player.loopEnd, this.#player.hasRegion);
  }

  #show() {
    const { playing, selected, sounding } = this.#player;
    $("#rating").classList.toggle("playing", playing);
    say($("#play span"), playing ? gettext("Pause") : gettext("Play"));
    $("#loop").setAttribute("aria-pressed", this.#player.looping);
    $("#whole").disabled = !this.#player.hasRegion;
    this.#showLoop();
    for (const button of buttons) {
      button.setAttribute("aria-pressed", button.dataset.name === selected);
      button.classList.toggle("sounding", button.dataset.name === sounding);
    }
    const label = labels.get(selected);
    say($("#sounding"), playing ? gettext("{label} is sounding", { label }) : gettext("{label} is paused", { label }));
    this.#showTime();
    this.#changed();
  }

  #showTime() {
    const position = this.#player.position();
    this.#waveform.show(position);
    say($("#time"), clock(position));
  }

  async #prepare() {
    const buffers = await sounds(this.#context);
    const player = new Player(this.#context, buffers);
    this.#player = player;
    player.setVolume(this.#level);
    this.#waveform.ready(outlined(this.#context, buffers), player.duration);
    say($("#duration"), clock(player.duration));
    for (const button of [...buttons, $("#play"), $("#loop")]) button.disabled = false;
    player.addEventListener("change", () => this.#show());
    player.addEventListener("end", () => note("end", { sound: player.selected }));
    // A phone call or the system may take the sound away: then nothing is sounding.
    this.#context.addEventListener("statechange", () => {
      if (this.#context.state !== "running" && player.playing) this.#pause();
    });
    this.#show();
    say($("#sounding"), gettext("ready: press a letter or play"));
    const tick = () => {
      if (player.playing) {
        this.#showTime();
        this.#count();
      }
      requestAnimationFrame(tick);
    };
    tick();
  }
}
