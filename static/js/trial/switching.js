/* Free switching between the signals of a trial: one clock, one loop, the fades of the player. */

import { Player } from "../audio/player.js";
import { Waveform, channelsOf } from "../audio/waveform.js";
import { find, findAll } from "../common/dom.js";
import { clock, say } from "../common/text.js";
import { gettext } from "../common/words.js";
import { $, controlVolume, fetchSounds, focusFirst, note, page, refresh, showWhilePlaying, startPlaying, store } from "./page.js";

const rightwards = document.documentElement.dir === "rtl" ? -1 : 1;

/**
 * @typedef {object} Options
 * @property {number} heardSeconds a signal counts as heard when it has sounded so long, or all of a shorter one
 * @property {(name: string) => void} heard called when that is so for the first time
 * @property {[string, string]} loopKeys for the loop's start and end
 * @property {string} ready told when all sounds are there
 * @property {(context: BaseAudioContext, buffers: Map<string, AudioBuffer>) => AudioBuffer | null} [outlined] what
 *   the waveform shows, null until the signals that it needs are there; by default the first signal
 * @property {() => string[]} [order] the names from the left as they stand now
 * @property {(name: string) => string | null} [prompt] told in place of "... is sounding"
 */

/** The signals of a page. Keys: their letters, space, arrows, and those of the loop. */
export class Switching {
  #options;
  #context = new AudioContext();
  #player = new Player(this.#context);
  #waveform = new Waveform($("#wave"));
  #labels = new Map(page.sounds.map(({ name, label }) => [name, label]));
  #buttons = new Map(findAll("button[data-name]", HTMLButtonElement).map((button) => [button.dataset.name ?? "", button]));
  #loopButton = find("#loop", HTMLButtonElement);
  #since = 0; // when the signal that is heard now began, in ms

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    const player = this.#player;
    player.select(page.sounds[0].name);
    controlVolume(player);
    for (const [name, button] of this.#buttons) button.addEventListener("click", () => this.hear(name));
    $("#play").addEventListener("click", () => this.toggle());
    this.#loopButton.addEventListener("click", () => {
      player.setLooping(!player.looping);
      note("looping", { on: player.looping });
    });
    $("#whole").addEventListener("click", () => this.#clearLoop());
    this.#waveform.on("seek", (seconds) => {
      player.seek(seconds);
      note("seek", { at: seconds });
    });
    this.#waveform.on("loop", ([start, end]) => this.#loop(start, end));
    player.on("change", () => this.#show());
    player.on("end", () => note("end", { sound: player.selected }));
    // A phone call or the system may take the sound away: then nothing is sounding, and nothing can be graded.
    player.on("interrupt", () => this.pause());
    showWhilePlaying(player, () => {
      this.#showTime();
      this.#countHeard();
    });
    this.#prepare();
  }

  /** The name of the signal that is heard now, or null. */
  get sounding() {
    return this.#player.sounding;
  }

  /**
   * The button that plays a signal.
   *
   * @param {string} name
   */
  button(name) {
    return this.#buttons.get(name);
  }

  /**
   * Play a signal, or switch to it.
   *
   * @param {string} name
   */
  async hear(name) {
    const player = this.#player;
    if (!player.duration) return;
    if (!player.has(name)) {
      say($("#sounding"), gettext("{name} is still being fetched", { name: this.#label(name) }));
      return;
    }
    if (name !== player.selected) {
      this.#countHeard();
      player.select(name);
      this.#since = performance.now();
      note("switch", { sound: name, at: player.position() });
      refresh({ forget: true });
    }
    if (player.playing) this.#countHeard();
    else await this.#start();
  }

  pause() {
    const player = this.#player;
    if (!player.playing) return;
    this.#countHeard();
    player.pause();
    note("pause", { sound: player.selected, at: player.position() });
  }

  toggle() {
    if (this.#player.playing) this.pause();
    else if (this.#player.duration) this.#start();
  }

  /**
   * Work a key of the player; false if it is none.
   *
   * @param {string} name
   * @param {boolean} shift
   */
  key(name, shift) {
    const player = this.#player;
    const signal = page.sounds.find(({ label }) => label.toLowerCase() === name);
    const [startKey, endKey] = this.#options.loopKeys;
    if (signal) this.hear(signal.name);
    else if (name === " ") this.toggle();
    else if (name === startKey) this.#loop(shift ? 0 : player.position(), player.loopEnd);
    else if (name === endKey) this.#loop(player.loopStart, shift ? player.duration : player.position());
    else if (name === "Escape" || name === "Backspace") this.#clearLoop();
    else if (name === "ArrowLeft") this.hearNeighbour(-1);
    else if (name === "ArrowRight") this.hearNeighbour(1);
    else return false;
    return true;
  }

  /**
   * Hear the signal that stands beside the selected one.
   *
   * @param {-1 | 1} step to the left or to the right on the screen
   */
  hearNeighbour(step) {
    const names = this.#options.order?.() ?? [...this.#labels.keys()];
    const next = names[names.indexOf(this.#player.selected) + step * rightwards];
    if (next !== undefined) this.hear(next);
  }

  /** @param {string} name */
  #label(name) {
    return this.#labels.get(name) ?? name;
  }

  async #start() {
    const player = this.#player;
    const started = await startPlaying(player);
    if (!started) return;
    this.#since = performance.now();
    note("play", { sound: player.selected, at: player.position(), ...started });
    this.#countHeard();
  }

  /** Tell whether what sounds has been heard long enough by now. */
  #countHeard() {
    const name = this.sounding;
    if (!name || store.heard(name)) return;
    const enough = Math.min(this.#options.heardSeconds, this.#player.duration);
    if (performance.now() - this.#since >= 1000 * enough) this.#options.heard(name);
  }

  /**
   * @param {number} start
   * @param {number} end
   */
  #loop(start, end) {
    const player = this.#player;
    if (!player.duration) return;
    if (player.setLoop(start, end)) note("loop", { start: player.loopStart, end: player.loopEnd });
    else say($("#sounding"), gettext("A loop needs 500 ms or more"));
    this.#showLoop();
  }

  #clearLoop() {
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
    this.#loopButton.setAttribute("aria-pressed", String(this.#player.looping));
    find("#whole", HTMLButtonElement).disabled = !this.#player.hasRegion;
    this.#showLoop();
    for (const [name, button] of this.#buttons) {
      button.setAttribute("aria-pressed", String(name === selected));
      button.classList.toggle("sounding", name === sounding);
    }
    this.showSounding();
    this.#showTime();
    refresh();
  }

  /** Say what sounds. */
  showSounding() {
    const { playing, selected } = this.#player;
    const name = this.#label(selected);
    const prompt = this.#options.prompt?.(selected) ?? gettext("Playing {name}", { name });
    say($("#sounding"), playing ? prompt : gettext("{name} is paused", { name }));
  }

  #showTime() {
    const position = this.#player.position();
    this.#waveform.show(position);
    say($("#time"), clock(position));
  }

  async #prepare() {
    const { outlined, ready } = this.#options;
    /** @type {Map<string, AudioBuffer>} */
    const here = new Map();
    let drawn = false;
    await fetchSounds(this.#context, page.sounds, {
      firstAlone: true,
      arrived: (name, buffer) => {
        here.set(name, buffer);
        this.#add(name, buffer);
        const shown = drawn ? null : outlined ? outlined(this.#context, here) : buffer;
        if (!shown) return;
        drawn = true;
        this.#waveform.draw(channelsOf(shown));
      },
    });
    if (!this.#player.playing) say($("#sounding"), ready);
    focusFirst(this.#buttons.get(page.sounds[0].name));
  }

  /**
   * @param {string} name
   * @param {AudioBuffer} buffer
   */
  #add(name, buffer) {
    const player = this.#player;
    if (!player.duration) {
      this.#waveform.ready(buffer.duration);
      say($("#duration"), clock(buffer.duration));
      for (const button of [find("#play", HTMLButtonElement), this.#loopButton]) button.disabled = false;
    }
    player.add(name, buffer);
    const button = this.#buttons.get(name);
    if (button) button.disabled = false;
  }
}
