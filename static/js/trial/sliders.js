/* The columns of stimuli: a slider, its grade in figures, and the button that plays it. Only the slider of what
   sounds can be moved (M11). */

import { find, findAll } from "../common/dom.js";
import { say } from "../common/text.js";
import { gettext } from "../common/words.js";
import { elapsed, isLeaving, note, page, refresh, store } from "./page.js";

/**
 * @typedef {object} Scale
 * @property {number} lowest
 * @property {number} highest
 * @property {number} perUnit steps of the scale in one unit
 * @property {number} leap steps of one key press with Shift
 * @property {number} first where the first key press puts a grade that isn't there yet; the slider stands there too
 * @property {(score: number) => string} write a grade in figures
 * @property {(score: number) => string} [speak] a grade for screen readers; by default as written
 */

export class Sliders {
  #element;
  #scale;
  #switching;
  #labels = new Map(page.sounds.map(({ name, label }) => [name, label]));
  #columns;
  /** @type {{ score: number | null, since: number } | null} the grade before the change that is being made */
  #movedFrom = null;

  /**
   * @param {HTMLElement} element that holds the columns
   * @param {Scale} scale
   * @param {import("./switching.js").Switching} switching
   */
  constructor(element, scale, switching) {
    this.#element = element;
    this.#scale = scale;
    this.#switching = switching;
    this.#columns = new Map(
      findAll(".column", HTMLElement, element).map((column) => {
        const slider = find("input", HTMLInputElement, column);
        return [column.dataset.key ?? "", { column, slider, figures: find(".grade", HTMLElement, column) }];
      }),
    );
    for (const [key, { column, slider }] of this.#columns) this.#listen(key, column, slider);
    this.isSorted = false;
  }

  /** Keys as they stand now, from the left (in Arabic from the right). */
  get order() {
    return findAll(".column", HTMLElement, this.#element).map((column) => column.dataset.key ?? "");
  }

  /** The key of the stimulus that is heard now; null if that is none, or the reference. */
  get sounding() {
    const name = this.#switching.sounding;
    return name !== null && this.#columns.has(name) ? name : null;
  }

  /**
   * The grade of a stimulus, or null.
   *
   * @param {string} key
   */
  score(key) {
    const score = store.score(key);
    return score === null ? null : Number(score);
  }

  /**
   * @param {string} key
   * @param {HTMLElement} column
   * @param {HTMLInputElement} slider
   */
  #listen(key, column, slider) {
    slider.addEventListener("input", () => this.#move(key, Number(slider.value)));
    // A click where the hidden thumb is changes no value, so there is no input event.
    slider.addEventListener("pointerup", () => {
      if (!slider.disabled && !column.classList.contains("graded")) this.grade(key, Number(slider.value));
    });
    slider.addEventListener("change", () => this.#finish(key));
  }

  /** Bring grades and what sounds up to date. */
  show() {
    for (const [key, { column, slider, figures }] of this.#columns) {
      const score = this.score(key);
      const name = this.#labels.get(key) ?? key;
      const sounds = key === this.sounding;
      column.classList.toggle("graded", score !== null);
      column.classList.toggle("sounding", sounds);
      slider.disabled = !sounds;
      slider.value = String(score ?? this.#scale.first);
      slider.setAttribute("aria-label", score !== null ? name : gettext("{name}, no grade yet", { name }));
      slider.setAttribute("aria-valuetext", score !== null ? this.#speak(score) : gettext("no grade yet"));
      say(figures, score !== null ? this.#scale.write(score) : "–");
    }
  }

  /** @param {number} score */
  #speak(score) {
    return (this.#scale.speak ?? this.#scale.write)(score);
  }

  /**
   * Grade the stimulus that is sounding; any other stays as it is.
   *
   * @param {string} key
   * @param {number} score
   */
  grade(key, score) {
    this.#move(key, score);
    this.#finish(key);
  }

  /**
   * Change the grade of what is sounding by steps of the scale.
   *
   * @param {number} steps
   */
  nudge(steps) {
    const key = this.sounding;
    if (key === null) return;
    const score = this.score(key);
    this.grade(key, score === null ? this.#scale.first : score + steps / this.#scale.perUnit);
  }

  /**
   * Work a key that grades what is sounding, as keys work a slider in focus; false if it is none.
   *
   * @param {string} name
   * @param {boolean} shift
   */
  key(name, shift) {
    const { lowest, highest, leap } = this.#scale;
    const steps = shift ? leap : 1;
    if (name === "ArrowUp") this.nudge(steps);
    else if (name === "ArrowDown") this.nudge(-steps);
    else if (name === "PageUp") this.nudge(leap);
    else if (name === "PageDown") this.nudge(-leap);
    else if (name === "End" || name === "Home") {
      if (this.sounding !== null) this.grade(this.sounding, name === "End" ? highest : lowest);
    } else return false;
    return true;
  }

  /**
   * @param {string} key
   * @param {number} score
   */
  #move(key, score) {
    if (isLeaving() || key !== this.sounding) {
      this.show();
      return;
    }
    const { lowest, highest, perUnit } = this.#scale;
    const value = Math.round(Math.min(highest, Math.max(lowest, score)) * perUnit) / perUnit;
    const before = this.score(key);
    if (value === before) return;
    this.#movedFrom ??= { score: before, since: Math.round(elapsed()) };
    store.grade(key, value);
    refresh({ forget: true });
    this.#switching.showSounding();
  }

  /** @param {string} key whose change is complete */
  #finish(key) {
    if (!this.#movedFrom) return;
    note("grade", { sound: key, score: store.score(key), from: this.#movedFrom.score, since: this.#movedFrom.since });
    this.#movedFrom = null;
  }

  /**
   * Mark what is still to hear and grade, once the listener wanted to go on.
   *
   * @param {string[]} keys
   */
  showLacking(keys) {
    for (const [key, { column }] of this.#columns) column.classList.toggle("lacking", keys.includes(key));
  }

  /** Put the columns in order of grade, best first and those without one last; or in their own order again. */
  sort() {
    this.isSorted = !this.isSorted;
    const focused = document.activeElement;
    const worth = (/** @type {string} */ key) => this.score(key) ?? -Infinity;
    const columns = [...this.#columns];
    if (this.isSorted) columns.sort(([one], [other]) => worth(other) - worth(one) || 0);
    for (const [, { column }] of columns) this.#element.append(column);
    if (focused instanceof HTMLElement) focused.focus();
  }
}
