/* What the clip page and the front page share: the player of one clip's systems, a stage that shows them,
   buttons, and the keyboard. */

import { CLIP_RATE, loadClip } from "../audio/load.js";
import { FADE_SECONDS, MIN_LOOP_SECONDS, Player } from "../audio/player.js";
import { find } from "../common/dom.js";
import { Emitter } from "../common/emitter.js";
import { listenToKeys } from "../common/keys.js";
import { Stage } from "./stage.js";

export const ORIGINAL = "original";
const SKIP_SECONDS = 1;
const PARALLEL_LOADS = 4;

/**
 * @typedef {object} System as evaluation/web/player_data.py describes it
 * @property {string} slug
 * @property {string} title
 * @property {string} colour
 * @property {string} marker
 * @property {string | null} audio_url
 * @property {number | null} kbps
 * @property {number | null} pesq_wb
 * @property {number | null} pesq_nb
 */

/**
 * Plays the systems of a clip. Events: "change" (the choice, playing or loop changed), "move" (the listener chose a
 * system, a position or a loop), "loaded" (detail: slug) and "failed" (detail: slug and message).
 *
 * @extends {Emitter<{ change: undefined, move: undefined, loaded: string, failed: { slug: string, message: string } }>}
 */
export class ClipPlayer extends Emitter {
  #player = new Player(() => new AudioContext({ sampleRate: CLIP_RATE, latencyHint: "interactive" }), new Map(), {
    confined: true,
  });
  /** @type {Map<string, System>} */
  #systems = new Map();
  /** @type {((slug: string) => string) | null} labels while names are hidden */
  #label = null;
  /** @type {System[]} */
  #waiting = [];
  #loads = 0;
  #stage;
  #playButton;
  #loopButton;
  #wholeButton;

  /** @param {HTMLElement} root holds the stage and transport of templates/evaluation/_stage.html */
  constructor(root) {
    super();
    const player = this.#player;
    this.#stage = new Stage(root, this);
    this.#playButton = find("[data-play]", HTMLButtonElement, root);
    this.#loopButton = find("[data-loop]", HTMLButtonElement, root);
    this.#wholeButton = find("[data-whole]", HTMLButtonElement, root);
    this.#playButton.addEventListener("click", () => this.toggle());
    this.#loopButton.addEventListener("click", () => this.#setLooping(!player.looping));
    this.#wholeButton.addEventListener("click", () => this.setRegion(null));
    player.on("change", () => this.#show());
    player.on("add", (slug) => this.#showSound(slug));
    player.on("end", () => this.emit("move"));
    player.on("interrupt", () => player.pause());
    this.#show();
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
   * @param {System[]} systems
   */
  setSystems(systems) {
    for (const system of systems) {
      const known = this.#systems.get(system.slug);
      this.#systems.set(system.slug, system);
      if (system.audio_url && !known?.audio_url) this.#waiting.push(system);
    }
    // What is chosen is heard first; the original is the ground for everything else.
    const urgent = (/** @type {System} */ { slug }) => (slug === this.selected ? 0 : slug === ORIGINAL ? 1 : 2);
    this.#waiting.sort((a, b) => urgent(a) - urgent(b));
    this.#loadNext();
    this.#show();
  }

  #loadNext() {
    while (this.#loads < PARALLEL_LOADS) {
      const system = this.#waiting.shift();
      if (!system) return;
      this.#loads += 1;
      this.load(system.slug, system.audio_url ?? "").finally(() => {
        this.#loads -= 1;
        this.#loadNext();
      });
    }
  }

  /**
   * @param {string} slug
   * @param {string} url
   */
  async load(slug, url) {
    try {
      this.#player.add(slug, await loadClip(url));
      this.emit("loaded", slug);
    } catch (error) {
      this.emit("failed", { slug, message: error instanceof Error ? error.message : String(error) });
    }
  }

  /** @param {string} slug */
  select(slug) {
    if (slug === this.selected) return;
    this.#player.select(slug);
    this.emit("move");
  }

  async play() {
    if (!this.has(this.selected)) return;
    await this.#player.resume();
    this.#player.play();
    this.emit("move");
  }

  pause() {
    this.#player.pause();
    this.emit("move");
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
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
    if (slug === ORIGINAL) this.#stage.setOriginal(this.#player.samples(ORIGINAL));
    this.#stage.ready();
  }

  #show() {
    const { playing, looping, hasRegion, selected } = this.#player;
    this.#playButton.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.#playButton.classList.toggle("playing", playing);
    this.#playButton.disabled = !this.has(selected);
    this.#loopButton.setAttribute("aria-pressed", String(looping));
    this.#wholeButton.hidden = !hasRegion;
    const system = this.#systems.get(selected);
    if (this.#label) this.#stage.setSelected(null, this.#label(selected), "");
    else if (system) this.#stage.setSelected(this.#player.samples(selected), system.title, system.colour);
    this.#stage.refresh();
    this.emit("change");
  }

  /**
   * Keys anywhere on the page but where they mean something else.
   *
   * @param {() => string[]} order the slugs that 1-9 stand for
   */
  listenToKeys(order) {
    /** @param {-1 | 1} step */
    const selectNeighbour = (step) => {
      const slugs = [ORIGINAL, ...order()];
      this.select(slugs[(slugs.indexOf(this.selected) + step + slugs.length) % slugs.length]);
    };
    listenToKeys((name) => {
      if (name === " ") this.toggle();
      else if (name === "0" || name === "r") this.select(ORIGINAL);
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
