/* A demo page: a grid of recordings and systems, and one player for all of them. The same module works on the
   site, in a frame, in the author's preview and in a page that was exported. */

import { ClipPlayer, ORIGINAL } from "../clip/player.js";
import { closest, find, findAll, readData } from "../common/dom.js";
import { say } from "../common/text.js";
import { Quiz } from "./quiz.js";

/**
 * @typedef {{ title: string, systems: import("../clip/player.js").Heard[] } & import("../clip/player.js").Shape} Recording
 * @typedef {{ blind: boolean, recordings: Recording[] }} DemoData
 */

export class Demo {
  #root;
  #player;
  /** @type {Recording[]} */
  #recordings;
  #row = -1;
  /** @type {Quiz | null} */
  #quiz = null;

  /** @param {HTMLElement} root the article */
  constructor(root) {
    this.#root = root;
    /** @type {DemoData} */
    const { recordings, blind } = readData("#demo-data", root);
    this.#recordings = recordings;
    root.classList.add("scripted");
    const panel = find("[data-player]", HTMLElement, root);
    this.#player = new ClipPlayer(panel);
    this.#player.on("change", () => this.#show());
    this.#player.on("failed", ({ slug, message }) => {
      say(find("[data-announce]", HTMLElement, root), `${this.#titleOf(slug)} could not be loaded: ${message}`);
      say(find("[data-now]", HTMLElement, root), message);
    });
    root.addEventListener("click", (event) => {
      const button = closest(event, "[data-play-cell]");
      const row = Number(closest(event, "[data-row]")?.dataset.row);
      const slug = closest(event, "[data-system]")?.dataset.system;
      if (button && slug) this.#press(row, slug);
    });
    const spectrum = find("[data-spectrum]", HTMLElement, root);
    spectrum.addEventListener("click", () => {
      const open = panel.classList.toggle("open");
      spectrum.setAttribute("aria-expanded", String(open));
    });
    if (blind) this.#quiz = new Quiz(root, this.#player, recordings, (row) => this.#take(row));
    this.#player.listenToKeys(() => {
      if (this.#quiz?.running) return this.#quiz.order;
      const { systems = [] } = this.#recordings[this.#row] ?? {};
      return systems.map(({ slug }) => slug).filter((slug) => slug !== ORIGINAL);
    });
    if (recordings.length) this.#take(0);
    this.#show();
    root.dataset.ready = "true";
  }

  /** @param {string} slug */
  #titleOf(slug) {
    if (this.#quiz?.running) return "A sound";
    return this.#recordings[this.#row]?.systems.find((system) => system.slug === slug)?.title ?? slug;
  }

  /**
   * Let the player have a recording.
   *
   * @param {number} row
   */
  #take(row) {
    if (row === this.#row) return;
    this.#row = row;
    const { systems, ...shape } = this.#recordings[row];
    this.#player.setClip(shape, systems);
    this.#player.select(systems.find(({ slug }) => slug === ORIGINAL)?.slug ?? systems[0]?.slug ?? "");
  }

  /**
   * @param {number} row
   * @param {string} slug
   */
  #press(row, slug) {
    if (row === this.#row) {
      this.#player.playOrPause(slug);
      return;
    }
    this.#take(row);
    this.#player.playWhenReady(slug);
  }

  #show() {
    const { selected, playing } = this.#player;
    for (const row of findAll("[data-row]", HTMLElement, this.#root)) {
      const active = Number(row.dataset.row) === this.#row;
      row.classList.toggle("active", active && playing);
      for (const cell of findAll("[data-system]", HTMLElement, row)) {
        const chosen = active && cell.dataset.system === selected;
        const button = find("[data-play-cell]", HTMLElement, cell);
        button.setAttribute("aria-pressed", String(chosen && playing));
        button.classList.toggle("playing", chosen && playing);
      }
    }
    this.#quiz?.show();
    const recording = this.#recordings[this.#row];
    if (!recording || this.#quiz?.running) return;
    say(find("[data-now]", HTMLElement, this.#root), `${recording.title} · ${this.#titleOf(selected)}`);
  }
}
