/* The blind test of a demo page: two sounds of a recording, one of them the original, and a tally of answers. */

import { ORIGINAL } from "../clip/player.js";
import { find, findAll } from "../common/dom.js";

const SOUNDS = /** @type {const} */ (["a", "b"]);
/** @typedef {typeof SOUNDS[number]} Letter */

/**
 * A whole number from 0 to `count` - 1, each as likely.
 *
 * @param {number} count
 */
function draw(count) {
  return Math.floor((crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32) * count);
}

/**
 * How an answer went, in words; the title stands apart, in its own direction.
 *
 * @param {boolean} right
 * @param {string} title of the system
 * @param {Letter} original
 */
function verdict(right, title, original) {
  const other = original === "a" ? "B" : "A";
  return `${right ? "Right" : "No"}: ${original.toUpperCase()} is the original, ${other} is \u2068${title}\u2069.`;
}

export class Quiz {
  #root;
  #player;
  #recordings;
  #take;
  #panel;
  #button;
  #right = 0;
  #answered = 0;
  /** @type {{ row: number, slug: string, title: string, original: Letter, done: boolean } | null} */
  #pair = null;

  /**
   * @param {HTMLElement} root the article
   * @param {import("../clip/player.js").ClipPlayer} player
   * @param {import("./demo.js").Recording[]} recordings
   * @param {(row: number) => void} take lets the player have a recording
   */
  constructor(root, player, recordings, take) {
    this.#root = root;
    this.#player = player;
    this.#recordings = recordings;
    this.#take = take;
    this.#panel = find("[data-quiz]", HTMLElement, root);
    this.#button = find("[data-blind]", HTMLButtonElement, root);
    this.#button.hidden = this.#pairs().length === 0;
    this.#button.addEventListener("click", () => (this.running ? this.#end() : this.#begin()));
    for (const letter of SOUNDS) {
      find(`[data-quiz-hear=${letter}]`, HTMLElement, root).addEventListener("click", () => this.#hear(letter));
      find(`[data-quiz-answer=${letter}]`, HTMLElement, root).addEventListener("click", () => this.#answer(letter));
    }
    find("[data-quiz-next]", HTMLElement, root).addEventListener("click", () => this.#next());
  }

  /** Whether names are hidden now. */
  get running() {
    return this.#pair !== null;
  }

  /** The two sounds, A first. */
  get order() {
    return SOUNDS.map((letter) => this.#slugOf(letter));
  }

  /** Every recording with every system but its original. */
  #pairs() {
    return this.#recordings.flatMap(({ systems }, row) =>
      systems.some(({ slug }) => slug === ORIGINAL)
        ? systems.filter(({ slug }) => slug !== ORIGINAL).map(({ slug, title }) => ({ row, slug, title }))
        : [],
    );
  }

  #begin() {
    this.#root.classList.add("blind");
    this.#panel.hidden = false;
    this.#button.setAttribute("aria-pressed", "true");
    this.#button.textContent = "End the blind test";
    this.#next();
  }

  #end() {
    this.#pair = null;
    this.#root.classList.remove("blind");
    this.#panel.hidden = true;
    this.#button.setAttribute("aria-pressed", "false");
    this.#button.textContent = "Listen blind";
    this.#player.setBlind(null);
  }

  #next() {
    const pairs = this.#pairs();
    const last = this.#pair;
    const others = pairs.filter(({ row, slug }) => row !== last?.row || slug !== last.slug);
    const { row, slug, title } = (others.length ? others : pairs)[draw((others.length ? others : pairs).length)];
    this.#player.pause();
    this.#take(row);
    this.#pair = { row, slug, title, original: SOUNDS[draw(2)], done: false };
    this.#player.setBlind((name) => `Sound ${this.#letterOf(name).toUpperCase()}`);
    this.#player.select(this.#slugOf("a"));
    find("[data-quiz-recording]", HTMLElement, this.#root).textContent = this.#recordings[row].title;
    find("[data-now]", HTMLElement, this.#root).textContent = this.#recordings[row].title;
    find("[data-quiz-verdict]", HTMLElement, this.#root).textContent = "";
    this.show();
    find("[data-quiz-hear=a]", HTMLElement, this.#root).focus();
  }

  /** @param {Letter} letter */
  #slugOf(letter) {
    return letter === this.#pair?.original ? ORIGINAL : (this.#pair?.slug ?? ORIGINAL);
  }

  /** @param {string} slug */
  #letterOf(slug) {
    return slug === this.#slugOf("a") ? "a" : "b";
  }

  /** @param {Letter} letter */
  #hear(letter) {
    const { playing, selected } = this.#player;
    if (playing && selected !== this.#slugOf(letter)) this.#player.select(this.#slugOf(letter));
    else if (playing) this.#player.pause();
    else this.#player.playWhenReady(this.#slugOf(letter));
  }

  /** @param {Letter} letter */
  #answer(letter) {
    const pair = this.#pair;
    if (!pair || pair.done) return;
    pair.done = true;
    const right = letter === pair.original;
    this.#answered += 1;
    if (right) this.#right += 1;
    find("[data-quiz-verdict]", HTMLElement, this.#root).textContent = verdict(right, pair.title, pair.original);
    this.show();
    find("[data-quiz-next]", HTMLElement, this.#root).focus();
  }

  /** Bring the buttons up to date. */
  show() {
    const pair = this.#pair;
    if (!pair) return;
    const { playing, selected } = this.#player;
    for (const letter of SOUNDS) {
      const button = find(`[data-quiz-hear=${letter}]`, HTMLElement, this.#root);
      button.setAttribute("aria-pressed", String(playing && selected === this.#slugOf(letter)));
    }
    for (const button of findAll("[data-quiz-answer]", HTMLButtonElement, this.#root)) button.hidden = pair.done;
    find("[data-quiz-next]", HTMLElement, this.#root).hidden = !pair.done;
    const tally = find("[data-tally]", HTMLElement, this.#root);
    const text = this.#answered ? `${this.#right} of ${this.#answered} right (guessing gets half of them)` : "";
    if (tally.textContent !== text) tally.textContent = text;
  }
}
