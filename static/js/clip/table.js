// The table of systems: sorting, names hidden and shown, and rows that change in place.

/** Letters for hidden names: A, B, ... Z, AA, ... */
function letter(index) {
  return index < 26 ? String.fromCharCode(65 + index) : letter(Math.floor(index / 26) - 1) + letter(index % 26);
}

function shuffled(items) {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = crypto.getRandomValues(new Uint32Array(1))[0] % (i + 1);
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}

export class SystemTable {
  #table;
  #body;
  #markup = new Map(); // slug -> the server's markup, to see what changed
  #registry = []; // slugs in the server's order
  #sort = null; // {key, descending}
  #letters = new Map();
  #blind = false;

  constructor(table) {
    this.#table = table;
    this.#body = table.tBodies[0];
    for (const row of this.#body.rows) this.#markup.set(row.dataset.system, row.innerHTML);
    this.#registry = [...this.#markup.keys()];
    for (const button of table.querySelectorAll("[data-sort]")) {
      button.addEventListener("click", () => this.#sortBy(button.dataset.sort));
    }
    this.#arrange();
  }

  get rows() { return [...this.#body.rows]; }

  row(slug) { return this.rows.find((row) => row.dataset.system === slug); }

  /** Slugs as they stand, top to bottom, without `except`. */
  order(except) {
    return this.rows.map((row) => row.dataset.system).filter((slug) => slug !== except);
  }

  letter(slug) { return this.#letters.get(slug) ?? ""; }

  /** Take over the rows of a newer `body` that differ; the others keep focus and open logs. */
  merge(body) {
    for (const fresh of [...body.rows]) {
      const slug = fresh.dataset.system;
      const markup = fresh.innerHTML;
      if (this.#markup.get(slug) === markup) continue;
      const old = this.row(slug);
      if (old) {
        const focus = old.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
        old.replaceChildren(...fresh.childNodes);
        for (const [key, value] of Object.entries(fresh.dataset)) old.dataset[key] = value;
        if (focus) old.querySelector(`[data-focus="${focus}"]`)?.focus();
      } else {
        this.#body.append(fresh);
        this.#registry.push(slug);
      }
      this.#markup.set(slug, markup);
    }
    this.#arrange();
  }

  #sortBy(key) {
    if (this.#sort?.key !== key) this.#sort = { key, descending: key.startsWith("pesq") || key === "stoi" };
    else if (this.#sort.descending === (key.startsWith("pesq") || key === "stoi")) this.#sort.descending = !this.#sort.descending;
    else this.#sort = null;
    for (const button of this.#table.querySelectorAll("[data-sort]")) {
      const active = this.#sort?.key === button.dataset.sort;
      button.closest("th").setAttribute("aria-sort", active ? (this.#sort.descending ? "descending" : "ascending") : "none");
    }
    this.#arrange();
  }

  #heard() {
    return this.#registry.filter((slug) => this.row(slug).dataset.audio);
  }

  /** Hide the names of what can be heard behind letters in a new random order, or show them again. */
  setBlind(blind) {
    this.#blind = blind;
    if (blind) this.#letters = new Map(shuffled(this.#heard()).map((slug, index) => [slug, letter(index)]));
    for (const button of this.#table.querySelectorAll("[data-sort]")) button.disabled = blind;
    this.#arrange();
  }

  #arrange() {
    if (this.#blind) {
      // What became ready meanwhile joins at the end.
      for (const slug of this.#heard()) {
        if (!this.#letters.has(slug)) this.#letters.set(slug, letter(this.#letters.size));
      }
    }
    const slugs = this.#blind ? [...new Set([...this.#letters.keys(), ...this.#registry])] : this.#registry;
    const rank = new Map(slugs.map((slug, index) => [slug, index]));
    const sort = this.#blind ? null : this.#sort;
    const compare = (a, b) => {
      const byRank = rank.get(a.dataset.system) - rank.get(b.dataset.system);
      if (!sort) return byRank;
      const [left, right] = [a, b].map((row) => row.dataset[sort.key] ?? "");
      if (left === "" || right === "") return (left === "") - (right === "") || byRank;
      const difference = sort.key === "title" ? left.localeCompare(right) : Number(left) - Number(right);
      return (sort.descending ? -difference : difference) || byRank;
    };
    const before = this.rows;
    const after = [...before].sort(compare);
    if (after.some((row, index) => row !== before[index])) {
      const focused = document.activeElement;
      this.#body.append(...after);
      if (this.#body.contains(focused)) focused.focus();
    }
    this.#label();
  }

  #label() {
    let number = 0;
    for (const row of this.rows) {
      const slug = row.dataset.system;
      const original = slug === "original" && !this.#blind;
      const counts = row.dataset.audio && !original;
      if (counts) number += 1;
      row.querySelector("[data-key]").textContent = original ? "0" : counts && number <= 9 ? `${number}` : "";
      const name = this.#blind ? `Sound ${this.letter(slug)}` : row.dataset.title;
      for (const element of row.querySelectorAll("[data-name]")) element.textContent = name;
      const chip = row.querySelector("[data-letter]");
      chip.textContent = this.letter(slug);
      chip.hidden = this.#blind || !this.letter(slug);
      row.querySelector("[data-play-system]")?.setAttribute("aria-label", `Play ${name}`);
    }
  }
}
