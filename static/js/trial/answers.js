/* The answers to choose from, as radio buttons. */

import { findAll } from "../common/dom.js";
import { $, isLeaving, page, refresh, store } from "./page.js";

export class Answers {
  /** The stimulus, or the choice, that is answered for. */
  key = page.stimuli[0].key;
  #radios = findAll("#answers input", HTMLInputElement);
  #read;
  #chosen;

  /**
   * @param {(value: string) => import("./store.js").Score} read the answer that a radio button's value means
   * @param {(answer: import("./store.js").Score) => void} chosen called when the listener has chosen
   */
  constructor(read, chosen) {
    this.#read = read;
    this.#chosen = chosen;
    for (const radio of this.#radios) radio.addEventListener("change", () => this.choose(radio));
  }

  /** @type {HTMLInputElement | undefined} */
  get first() {
    return this.#radios[0];
  }

  get isGiven() {
    return store.score(this.key) !== null;
  }

  /** @param {boolean} wait whether something has to be heard first */
  show(wait) {
    const answer = store.score(this.key);
    for (const radio of this.#radios) {
      radio.disabled = wait;
      radio.checked = answer !== null && this.#read(radio.value) === answer;
    }
    $("#answers").classList.toggle("waiting", wait);
  }

  /**
   * The answer that stands there, counted from 1.
   *
   * @param {number} place
   */
  at(place) {
    return this.#radios[place - 1];
  }

  /**
   * The answer beside the one that is given; the first if none is.
   *
   * @param {-1 | 1} step up or down the page
   */
  beside(step) {
    const given = this.#radios.findIndex((radio) => radio.checked);
    return given < 0 ? this.first : this.#radios[given + step];
  }

  /**
   * Work a key of the answers; false if it is none.
   *
   * @param {string} name
   */
  work(name) {
    if (name === "ArrowUp") this.choose(this.beside(-1));
    else if (name === "ArrowDown") this.choose(this.beside(1));
    else return false;
    return true;
  }

  /**
   * The answer with this value.
   *
   * @param {string} value
   */
  with(value) {
    return this.#radios.find((radio) => radio.value === value);
  }

  /** @param {HTMLInputElement | undefined} radio */
  choose(radio) {
    if (!radio || radio.disabled || isLeaving()) return;
    const answer = this.#read(radio.value);
    if (answer === store.score(this.key)) return;
    store.grade(this.key, answer);
    this.#chosen(answer);
    refresh({ forget: true });
  }
}
