// What the clip page and the front page share: an engine and a stage for the systems of one clip,
// buttons that choose a system, and the keyboard.

import { Engine } from "./engine.js";
import { Stage } from "./stage.js";

export const ORIGINAL = "original";
const SKIP_SECONDS = 1;
const PARALLEL_LOADS = 4;

/** Events: "change" (the choice or playing changed), "loaded" and "failed" (detail: {key, message}). */
export class Player extends EventTarget {
  #root;
  #systems = new Map();
  #blind = false;
  #waiting = [];
  #loads = 0;

  /** `root` holds the stage and transport of templates/evaluation/_stage.html. */
  constructor(root) {
    super();
    this.#root = root;
    this.engine = new Engine();
    this.stage = new Stage(root, this.engine);
    this.playButton = root.querySelector("[data-play]");
    this.loopButton = root.querySelector("[data-loop]");
    this.wholeButton = root.querySelector("[data-whole]");
    this.playButton.addEventListener("click", () => this.engine.toggle());
    this.loopButton.addEventListener("click", () => this.engine.setLoop(!this.engine.loop));
    this.wholeButton.addEventListener("click", () => this.engine.setRegion(null));
    this.engine.addEventListener("load", (event) => this.#loaded(event.detail.key));
    this.engine.addEventListener("fail", (event) => {
      this.dispatchEvent(new CustomEvent("failed", { detail: event.detail }));
    });
    for (const kind of ["state", "select"]) this.engine.addEventListener(kind, () => this.#changed());
    this.#changed();
  }

  get selected() { return this.engine.selected; }
  get playing() { return this.engine.playing; }

  /** Take in what there is to hear now; what is new and done gets loaded. */
  setSystems(systems) {
    for (const system of systems) {
      const known = this.#systems.get(system.slug);
      this.#systems.set(system.slug, system);
      if (system.audio_url && !known?.audio_url) this.#waiting.push(system);
    }
    // What is chosen is heard first; the original is the ground for everything else.
    const urgent = ({ slug }) => (slug === this.selected ? 0 : slug === ORIGINAL ? 1 : 2);
    this.#waiting.sort((a, b) => urgent(a) - urgent(b));
    this.#loadNext();
    this.#changed();
  }

  #loadNext() {
    while (this.#waiting.length && this.#loads < PARALLEL_LOADS) {
      const { slug, audio_url: url } = this.#waiting.shift();
      this.#loads += 1;
      this.engine.load(slug, url).finally(() => {
        this.#loads -= 1;
        this.#loadNext();
      });
    }
  }

  #loaded(key) {
    if (key === ORIGINAL) this.stage.setOriginal(this.engine.samples(ORIGINAL));
    if (key === this.selected || key === ORIGINAL) this.#changed();
    this.dispatchEvent(new CustomEvent("loaded", { detail: { key } }));
  }

  select(slug) {
    this.engine.select(slug);
  }

  /** Hear a system now; asked again while it sounds, pause. */
  playOrPause(slug) {
    if (this.playing && this.selected === slug) {
      this.engine.pause();
      return;
    }
    this.select(slug);
    this.engine.play();
  }

  /** Hide which system is seen. `label` names the selected one for the time being. */
  setBlind(blind, label = () => "") {
    this.#blind = blind ? label : false;
    this.stage.setBlind(blind);
    this.#changed();
  }

  #changed() {
    const { playing, loop, region, selected } = this.engine;
    this.playButton.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.playButton.classList.toggle("playing", playing);
    this.playButton.disabled = !this.engine.has(selected);
    this.loopButton.setAttribute("aria-pressed", loop);
    this.wholeButton.hidden = !region;
    const system = this.#systems.get(selected);
    if (system) {
      const samples = this.engine.samples(selected);
      if (this.#blind) this.stage.setSelected(null, this.#blind(selected), "");
      else this.stage.setSelected(samples, system.title, system.colour);
    }
    this.dispatchEvent(new Event("change"));
  }

  /** Keys anywhere on the page but where they mean something else: `order()` lists slugs for 1-9. */
  listenToKeys(order) {
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const { target } = event;
      if (target.matches("input:not([type=range]), textarea, select, [contenteditable]")) return;
      const { key } = event;
      if (key === " ") {
        // A focused button, link or point keeps its own space key.
        if (target.closest("button, a, summary, [role=button]")) return;
        this.engine.toggle();
      } else if (key === "0" || key === "r") {
        this.select(ORIGINAL);
      } else if (key >= "1" && key <= "9") {
        const slug = order()[Number(key) - 1];
        if (slug) this.select(slug);
      } else if (key === "l") {
        this.engine.setLoop(!this.engine.loop);
      } else if (target.matches("input[type=range]")) {
        return; // arrows move the slider itself
      } else if (key === "ArrowLeft" || key === "ArrowRight") {
        this.engine.seek(this.engine.position + (key === "ArrowLeft" ? -SKIP_SECONDS : SKIP_SECONDS));
      } else if (key === "ArrowUp" || key === "ArrowDown") {
        const slugs = [ORIGINAL, ...order()];
        const next = slugs.indexOf(this.selected) + (key === "ArrowUp" ? -1 : 1);
        this.select(slugs[(next + slugs.length) % slugs.length]);
      } else {
        return;
      }
      event.preventDefault();
    });
  }
}
