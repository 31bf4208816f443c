/* What the clip page, the front page and demo pages share: the player of one clip's systems, a stage that shows
   them, buttons, and the keyboard. */

import { loadClip } from "../audio/load.js";
import { FADE_SECONDS, MIN_LOOP_SECONDS, Player } from "../audio/player.js";
import { find } from "../common/dom.js";
import { Emitter } from "../common/emitter.js";
import { listenToKeys } from "../common/keys.js";
import { Stage } from "./stage.js";

export const ORIGINAL = "original";
const SKIP_SECONDS = 1;
const PARALLEL_LOADS = 4;
/* Sounds that are loaded before anybody asks for them, as they come over the network, in bytes: a few of a sentence,
   none of a minute. All others are loaded when they are played. */
const AHEAD_BYTES = 1.5e6;
const SAMPLE_BYTES = 2;

/**
 * @typedef {object} Heard what is played
 * @property {string} slug
 * @property {string} title
 * @property {string} colour
 * @property {string | null} audio_url
 *
 * @typedef {object} Measured as evaluation/web/player_data.py describes it
 * @property {string} marker
 * @property {number | null} kbps
 * @property {number | null} pesq_wb
 * @property {number | null} pesq_nb
 * @property {number | null} visqol_audio
 *
 * @typedef {Heard & Measured} System
 *
 * @typedef {{ rate: number, channels: number, seconds: number }} Shape of a clip: Hz, 1 or 2, its length
 */

/**
 * Plays the systems of a clip. Events: "change" (the choice, playing or loop changed), "move" (the listener chose a
 * system, a position or a loop), "loaded" (detail: slug) and "failed" (detail: slug and message).
 *
 * @extends {Emitter<{ change: undefined, move: undefined, loaded: string, failed: { slug: string, message: string } }>}
 */
export class ClipPlayer extends Emitter {
  #rate = 0;
  /** @type {AudioContext | null} made when something is played first, at the clip's rate */
  #context = null;
  #player = this.#makePlayer();
  /** @type {Map<string, Heard>} */
  #systems = new Map();
  /** @type {((slug: string) => string) | null} labels while names are hidden */
  #label = null;
  /** @type {Heard[]} */
  #waiting = [];
  #loads = 0;
  #hasFirst = false; // whether any sound has come, or could not
  #wanted = ""; // is to sound as soon as it has arrived
  #asked = false; // whether what is chosen is to be heard, and not just shown
  #ahead = 0; // how many more sounds are loaded before anybody asks for them
  #stage;
  #playButton;
  #loopButton;
  #wholeButton;

  /** @param {HTMLElement} root holds the stage and transport of templates/evaluation/_stage.html */
  constructor(root) {
    super();
    const { rate, channels, seconds } = find("[data-stage]", HTMLElement, root).dataset;
    this.#expect({ rate: Number(rate), channels: Number(channels), seconds: Number(seconds) });
    this.#stage = new Stage(root, this);
    this.#playButton = find("[data-play]", HTMLButtonElement, root);
    this.#loopButton = find("[data-loop]", HTMLButtonElement, root);
    this.#wholeButton = find("[data-whole]", HTMLButtonElement, root);
    this.#playButton.addEventListener("click", () => this.toggle());
    this.#loopButton.addEventListener("click", () => this.#setLooping(!this.#player.looping));
    this.#wholeButton.addEventListener("click", () => this.setRegion(null));
    this.#show();
  }

  #makePlayer() {
    const player = new Player(() => this.#provideContext(), new Map(), { confined: true });
    /** @param {() => void} act */
    const whileOurs = (act) => () => {
      if (this.#player === player) act();
    };
    player.on("change", whileOurs(() => this.#show()));
    player.on("add", (slug) => {
      if (this.#player === player) this.#showSound(slug);
    });
    player.on("end", whileOurs(() => this.emit("move")));
    player.on("interrupt", () => player.pause());
    return player;
  }

  #provideContext() {
    if (this.#context && this.#context.sampleRate !== this.#rate) {
      this.#context.close();
      this.#context = null;
    }
    this.#context ??= new AudioContext({ sampleRate: this.#rate, latencyHint: "interactive" });
    return this.#context;
  }

  /** @param {Shape} shape of the clip whose systems are heard next */
  #expect({ rate, channels, seconds }) {
    this.#rate = rate;
    this.#hasFirst = false;
    this.#ahead = Math.floor(AHEAD_BYTES / (SAMPLE_BYTES * channels * seconds * rate));
  }

  /**
   * Take another clip in place of the one before, which falls silent; nothing is selected.
   *
   * @param {Shape} shape
   * @param {Heard[]} systems
   */
  setClip(shape, systems) {
    const { looping } = this.#player;
    this.#player.pause();
    this.#systems.clear();
    this.#waiting = [];
    this.#expect(shape);
    this.#player = this.#makePlayer();
    this.#player.setLooping(looping);
    this.#stage.reset();
    this.setSystems(systems);
  }

  get selected() { return this.#player.selected; }
  get playing() { return this.#player.playing; }
  get position() { return this.#player.position(); }
  get duration() { return this.#player.duration; }

  /** The part that is repeated, in seconds; null for all of the clip. */
  get region() {
    const { hasRegion, loopStart, loopEnd } = this.#player;
    return hasRegion ? { start: loopStart, end: loopEnd } : null;
  }

  /** @param {string} slug */
  has(slug) {
    return this.#player.has(slug);
  }

  /**
   * Take in what there is to hear now; what is new and done gets loaded.
   *
   * @param {Heard[]} systems
   */
  setSystems(systems) {
    for (const system of systems) {
      const known = this.#systems.get(system.slug);
      this.#systems.set(system.slug, system);
      if (system.audio_url && !known?.audio_url) this.#waiting.push(system);
    }
    // What is chosen is heard first; the original is the ground for everything else.
    const urgent = (/** @type {Heard} */ { slug }) => (slug === this.selected ? 0 : slug === ORIGINAL ? 1 : 2);
    this.#waiting.sort((a, b) => urgent(a) - urgent(b));
    this.#loadNext();
    this.#show();
  }

  /** What was not loaded ahead is, when it is chosen. */
  #loadSelected() {
    const place = this.#waiting.findIndex(({ slug }) => slug === this.selected);
    if (place > 0) this.#waiting.unshift(...this.#waiting.splice(place, 1));
    if (place >= 0) this.#loadNext();
  }

  #loadNext() {
    while (this.#loads < PARALLEL_LOADS) {
      const [system] = this.#waiting;
      const wanted = this.#asked && system?.slug === this.selected;
      if (!system || (this.#ahead < 1 && !wanted)) return;
      // The first has the line to itself, so that there is something to hear as soon as can be.
      if (!this.#hasFirst && this.#loads > 0 && !wanted) return;
      this.#waiting.shift();
      this.#ahead -= 1;
      this.#loads += 1;
      this.load(system.slug, system.audio_url ?? "").finally(() => {
        this.#loads -= 1;
        this.#hasFirst = true;
        this.#loadNext();
      });
    }
  }

  /**
   * @param {string} slug
   * @param {string} url
   */
  async load(slug, url) {
    const player = this.#player;
    try {
      const sound = await loadClip(url, this.#rate);
      if (player !== this.#player) return; // of a clip that has been replaced
      player.add(slug, sound);
      this.emit("loaded", slug);
      if (slug === this.#wanted && slug === this.selected) this.play();
    } catch (error) {
      if (player === this.#player) this.emit("failed", { slug, message: error instanceof Error ? error.message : String(error) });
    }
  }

  /** @param {string} slug */
  select(slug) {
    if (slug === this.selected) return;
    this.#player.select(slug);
    if (this.playing) this.#asked = true;
    this.#loadSelected();
    this.emit("move");
  }

  async play() {
    this.#wanted = this.has(this.selected) ? "" : this.selected;
    if (this.#wanted) {
      this.#asked = true;
      this.#loadSelected();
      return;
    }
    await this.#player.resume();
    this.#player.play();
    this.emit("move");
  }

  pause() {
    this.#wanted = "";
    this.#player.pause();
    this.emit("move");
  }

  /**
   * Hear a system now, or as soon as it has arrived, unless something else is asked for meanwhile.
   *
   * @param {string} slug
   */
  playWhenReady(slug) {
    this.select(slug);
    this.play();
  }

  toggle() {
    return this.playing || this.#wanted ? this.pause() : this.play();
  }

  /**
   * Hear a system now; asked again while it sounds, pause.
   *
   * @param {string} slug
   */
  playOrPause(slug) {
    if (this.playing && this.selected === slug) {
      this.pause();
      return;
    }
    this.select(slug);
    this.play();
  }

  /**
   * Go to a place, within the region if there is one.
   *
   * @param {number} seconds
   */
  seek(seconds) {
    const { loopStart, loopEnd } = this.#player;
    this.#player.seek(Math.min(Math.max(seconds, loopStart), Math.max(loopStart, loopEnd - FADE_SECONDS)));
    this.emit("move");
  }

  /** @param {boolean} on */
  #setLooping(on) {
    this.#player.setLooping(on);
    this.emit("move");
  }

  /**
   * Keep to a region, made as long as a loop has to be; null lifts it.
   *
   * @param {[number, number] | null} region seconds
   */
  setRegion(region) {
    const player = this.#player;
    if (region) {
      const start = Math.max(0, Math.min(region[0], player.duration - MIN_LOOP_SECONDS));
      player.setLoop(start, Math.min(player.duration, Math.max(region[1], start + MIN_LOOP_SECONDS)));
    } else {
      player.clearLoop();
    }
    this.emit("move");
  }

  /**
   * Repeat a region from its start.
   *
   * @param {[number, number]} region seconds
   */
  loop(region) {
    this.#player.setLooping(true);
    this.setRegion(region);
    this.seek(region[0]);
  }

  /**
   * Hide which system is heard, or show it again.
   *
   * @param {((slug: string) => string) | null} label names systems while they are hidden
   */
  setBlind(label) {
    this.#label = label;
    this.#stage.setBlind(label !== null);
    this.#show();
  }

  /** @param {string} slug */
  #showSound(slug) {
    if (slug === ORIGINAL) this.#stage.setOriginal(this.#player.sound(ORIGINAL));
    this.#stage.ready();
  }

  #show() {
    const { playing, looping, hasRegion, selected } = this.#player;
    this.#playButton.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.#playButton.classList.toggle("playing", playing);
    this.#playButton.disabled = !this.has(selected) && !this.#systems.get(selected)?.audio_url;
    this.#loopButton.setAttribute("aria-pressed", String(looping));
    this.#wholeButton.hidden = !hasRegion;
    const system = this.#systems.get(selected);
    if (this.#label) this.#stage.setSelected(null, this.#label(selected), "");
    else if (system) this.#stage.setSelected(this.#player.sound(selected), system.title, system.colour);
    this.#stage.refresh();
    this.emit("change");
  }

  /** While names are hidden, no key may tell which sound is the original. */
  #selectOriginal() {
    if (!this.#label) this.select(ORIGINAL);
  }

  /**
   * Keys anywhere on the page but where they mean something else.
   *
   * @param {() => string[]} order the slugs that 1-9 stand for: all but the original, or, while names are hidden, all
   */
  listenToKeys(order) {
    /** @param {-1 | 1} step */
    const selectNeighbour = (step) => {
      const slugs = this.#label ? order() : [ORIGINAL, ...order()];
      this.select(slugs[(slugs.indexOf(this.selected) + step + slugs.length) % slugs.length]);
    };
    listenToKeys((name) => {
      if (name === " ") this.toggle();
      else if (name === "0" || name === "r") this.#selectOriginal();
      else if (/^[1-9]$/.test(name)) this.select(order()[Number(name) - 1] ?? this.selected);
      else if (name === "l") this.#setLooping(!this.#player.looping);
      else if (name === "ArrowLeft") this.seek(this.position - SKIP_SECONDS);
      else if (name === "ArrowRight") this.seek(this.position + SKIP_SECONDS);
      else if (name === "ArrowUp") selectNeighbour(-1);
      else if (name === "ArrowDown") selectNeighbour(1);
      else return false;
      return true;
    });
  }
}
