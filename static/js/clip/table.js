/* The table of systems: sorting, names hidden and shown, and rows that change in place. */

import { find, findAll } from "../common/dom.js";
import { rememberPlace } from "../common/place.js";

/**
 * Letters for hidden names: A, B, ... Z, AA, ...
 *
 * @param {number} index
 * @returns {string}
 */
function letterAt(index) {
  return index < 26 ? String.fromCharCode(65 + index) : letterAt(Math.floor(index / 26) - 1) + letterAt(index % 26);
}

/**
 * @template T
 * @param {T[]} items
 */
function shuffle(items) {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = crypto.getRandomValues(new Uint32Array(1))[0] % (i + 1);
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}

/** @param {HTMLElement} row */
const slugOf = (row) => row.dataset.system ?? "";

export class SystemTable {
  #body;
  /** @type {Map<string, string>} the server's markup by slug, to see what changed */
  #markup = new Map();
  /** @type {string[]} slugs in the server's order */
  #registry = [];
  /** @type {{ key: string, descending: boolean } | null} */
  #sort = null;
  #sortButtons;
  /** @type {Map<string, string>} by slug, while names are hidden */
  #letters = new Map();
  #blind = false;

  /** @param {HTMLTableElement} table */
  constructor(table) {
    this.#body = table.tBodies[0];
    for (const row of this.#body.rows) this.#markup.set(slugOf(row), row.innerHTML);
    this.#registry = [...this.#markup.keys()];
    this.#sortButtons = findAll("[data-sort]", HTMLButtonElement, table);
    for (const button of this.#sortButtons) {
      button.addEventListener("click", () => this.#sortBy(button.dataset.sort ?? ""));
    }
    this.#arrange();
  }

  get rows() { return [...this.#body.rows]; }

  /** @param {string} slug */
  row(slug) { return this.rows.find((row) => slugOf(row) === slug); }

  /**
   * Slugs as they stand, top to bottom.
   *
   * @param {string | null} except
   */
  order(except) {
    return this.rows.map(slugOf).filter((slug) => slug !== except);
  }

  /** @param {string} slug */
  letter(slug) { return this.#letters.get(slug) ?? ""; }

  /**
   * Take over the newer rows that differ; the others keep focus and open logs.
   *
   * @param {Iterable<Element>} rows
   */
  merge(rows) {
    /** @type {(() => void) | null} */
    let back = null;
    for (const fresh of [...rows]) {
      if (!(fresh instanceof HTMLTableRowElement)) continue;
      const slug = slugOf(fresh);
      const markup = fresh.innerHTML;
      if (this.#markup.get(slug) === markup) continue;
      const old = this.row(slug);
      if (old) {
        back ??= rememberPlace();
        old.replaceChildren(...fresh.childNodes);
        for (const [key, value] of Object.entries(fresh.dataset)) old.dataset[key] = value;
      } else {
        this.#body.append(fresh);
        this.#registry.push(slug);
      }
      this.#markup.set(slug, markup);
    }
    this.#arrange();
    back?.(); // by then the new rows are called as the old ones were
  }

  /**
   * The best first, then the worst, then as before.
   *
   * @param {string} key
   */
  #sortBy(key) {
    const bestFirst = key.startsWith("pesq") || key === "stoi";
    if (this.#sort?.key !== key) this.#sort = { key, descending: bestFirst };
    else if (this.#sort.descending === bestFirst) this.#sort = { key, descending: !bestFirst };
    else this.#sort = null;
    const { key: active, descending } = this.#sort ?? { key: null, descending: false };
    for (const button of this.#sortButtons) {
      const sorted = descending ? "descending" : "ascending";
      button.closest("th")?.setAttribute("aria-sort", button.dataset.sort === active ? sorted : "none");
    }
    this.#arrange();
  }

  #heard() {
    return this.#registry.filter((slug) => this.row(slug)?.dataset.audio);
  }

  /**
   * Hide the names of what can be heard behind letters in a new random order, or show them again.
   *
   * @param {boolean} blind
   */
  setBlind(blind) {
    this.#blind = blind;
    if (blind) this.#letters = new Map(shuffle(this.#heard()).map((slug, index) => [slug, letterAt(index)]));
    for (const button of this.#sortButtons) button.disabled = blind;
    this.#arrange();
  }

  #arrange() {
    if (this.#blind) {
      // What became ready meanwhile joins at the end.
      for (const slug of this.#heard()) {
        if (!this.#letters.has(slug)) this.#letters.set(slug, letterAt(this.#letters.size));
      }
    }
    const slugs = this.#blind ? [...new Set([...this.#letters.keys(), ...this.#registry])] : this.#registry;
    const ranks = new Map(slugs.map((slug, index) => [slug, index]));
    const rank = (/** @type {HTMLElement} */ row) => ranks.get(slugOf(row)) ?? slugs.length;
    const sort = this.#blind ? null : this.#sort;
    /** @type {(a: HTMLElement, b: HTMLElement) => number} */
    const compare = (a, b) => {
      const byRank = rank(a) - rank(b);
      if (!sort) return byRank;
      const [left, right] = [a, b].map((row) => row.dataset[sort.key] ?? "");
      if (left === "" || right === "") return Number(left === "") - Number(right === "") || byRank;
      const difference = sort.key === "title" ? left.localeCompare(right) : Number(left) - Number(right);
      return (sort.descending ? -difference : difference) || byRank;
    };
    const before = this.rows;
    const after = [...before].sort(compare);
    if (after.some((row, index) => row !== before[index])) {
      const focused = document.activeElement;
      this.#body.append(...after);
      if (focused instanceof HTMLElement && this.#body.contains(focused)) focused.focus();
    }
    this.#label();
  }

  #label() {
    let number = 0;
    for (const row of this.rows) {
      const slug = slugOf(row);
      const original = slug === "original" && !this.#blind;
      const counts = row.dataset.audio && !original;
      if (counts) number += 1;
      find("[data-key]", HTMLElement, row).textContent = original ? "0" : counts && number <= 9 ? `${number}` : "";
      const name = this.#blind ? `Sound ${this.letter(slug)}` : (row.dataset.title ?? "");
      for (const element of findAll("[data-name]", HTMLElement, row)) element.textContent = name;
      const chip = find("[data-letter]", HTMLElement, row);
      chip.textContent = this.letter(slug);
      chip.hidden = this.#blind || !this.letter(slug);
      row.querySelector("[data-play-system]")?.setAttribute("aria-label", `Play ${name}`);
    }
  }
}
