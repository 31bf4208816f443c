/* The columns of stimuli: a slider, its grade in figures and the button that plays it. */

import { say } from "./text.js";
import { gettext } from "./words.js";

/* A thumb's place while there is no grade; the thumb is not shown then. */
const MIDDLE = 50;

const WORDS = [gettext("Bad"), gettext("Poor"), gettext("Fair"), gettext("Good"), gettext("Excellent")];

/** The scale's word for a grade; a boundary belongs to the band above. */
export function band(score) {
  return WORDS[Math.min(4, Math.floor(score / 20))];
}

/**
 * Dispatches "pick" (detail: key), "grade" (detail: {key, score}) on every change that the listener makes, and
 * "graded" (detail: key) when a change is complete.
 */
export class Columns extends EventTarget {
  #element;
  #columns;
  #labels;

  /** @param {Map<string, string>} labels what each key's stimulus is called */
  constructor(element, labels) {
    super();
    this.#element = element;
    this.#labels = labels;
    this.#columns = new Map([...element.querySelectorAll(".column")].map((column) => [column.dataset.key, column]));
    for (const [key, column] of this.#columns) this.#listen(key, column);
    this.sorted = false;
  }

  /** Keys from the left (in Arabic from the right) as they stand now. */
  get order() {
    return [...this.#element.querySelectorAll(".column")].map((column) => column.dataset.key);
  }

  #listen(key, column) {
    const slider = column.querySelector("input");
    const dispatch = (type, detail) => this.dispatchEvent(new CustomEvent(type, { detail }));
    const moved = () => dispatch("grade", { key, score: Number(slider.value) });
    slider.addEventListener("input", moved);
    // A click where the hidden thumb is changes no value, so there is no input event.
    slider.addEventListener("pointerup", () => {
      if (slider.disabled || column.classList.contains("graded")) return;
      moved();
      dispatch("graded", key);
    });
    slider.addEventListener("change", () => dispatch("graded", key));
    column.querySelector(".pick").addEventListener("click", () => dispatch("pick", key));
  }

  showGrade(key, score) {
    const column = this.#columns.get(key);
    const slider = column.querySelector("input");
    const name = this.#labels.get(key);
    const graded = score !== null;
    column.classList.toggle("graded", graded);
    slider.value = graded ? score : MIDDLE;
    slider.setAttribute("aria-label", graded ? name : gettext("{name}, no grade yet", { name }));
    slider.setAttribute("aria-valuetext", graded ? `${score}, ${band(score)}` : gettext("no grade yet"));
    say(column.querySelector(".grade"), graded ? String(score) : "–");
  }

  /** Only the slider of what sounds can be moved; it is outlined, and its button is pressed. */
  showSounding(selected, sounding) {
    for (const [key, column] of this.#columns) {
      column.classList.toggle("sounding", key === sounding);
      column.querySelector("input").disabled = key !== sounding;
      column.querySelector(".pick").setAttribute("aria-pressed", key === selected);
    }
  }

  /** Mark what is still to hear and grade, once the listener wanted to go on. */
  showLacking(keys) {
    for (const [key, column] of this.#columns) column.classList.toggle("lacking", keys.includes(key));
  }

  /** The sound has arrived. */
  enable(key) {
    this.#columns.get(key).querySelector(".pick").disabled = false;
  }

  focus(key) {
    this.#columns.get(key).querySelector(".pick").focus();
  }

  /** Put the columns in order of grade, best first and those without one last; or in their own order again. */
  sort(on, score) {
    const focused = document.activeElement;
    const worth = (key) => score(key) ?? -1;
    const keys = [...this.#columns.keys()];
    if (on) keys.sort((one, other) => worth(other) - worth(one));
    for (const key of keys) this.#element.append(this.#columns.get(key));
    this.sorted = on;
    focused?.focus();
  }
}
