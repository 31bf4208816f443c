/* The first step of a study: clips become items, items become excerpts; what the choice amounts to. */

import { find, findAll } from "../common/dom.js";
import { quantity } from "../common/text.js";
import { Excerpt, readNumber } from "./excerpt.js";

const form = find("#setup", HTMLFormElement);
const list = find("[data-items]", HTMLElement, form);
const blank = find("#item-row", HTMLTemplateElement);
const none = find("[data-none]", HTMLElement, form);
/** Beside the buttons, which who may not change the study has none of. */
const out = form.querySelector("[data-sum]");
const systems = find("[data-systems]", HTMLElement, form);
/** Its radio buttons have one value. */
const method = /** @type {RadioNodeList | HTMLSelectElement} */ (form.elements.namedItem("basics-method"));
const picker = find(".picker", HTMLElement, form);
const longSeconds = Number(list.dataset.long);
const shortest = Number(list.dataset.shortest);
/** @type {Record<string, string>} the titles of what methods add by themselves */
const alwaysTitles = JSON.parse(find("#always-titles", HTMLScriptElement).textContent ?? "{}");
/** Of how many systems the titles fit beside an item. */
const MOST_NAMED = 3;

const rows = () => findAll("[data-item]", HTMLElement, list);

/**
 * @param {HTMLElement} row
 * @param {"clip" | "start" | "end"} name
 */
const input = (row, name) => find(`[name="items-${name}"]`, HTMLInputElement, row);

/** @param {HTMLElement} row */
const role = (row) => find('[name="items-role"]', HTMLSelectElement, row);

/** @param {HTMLElement} row */
const length = (row) => readNumber(input(row, "end")) - readNumber(input(row, "start"));

/** @param {HTMLElement} row */
function wire(row) {
  const excerpt = new Excerpt(row, {
    audio: row.dataset.audio ?? "",
    outline: row.dataset.outline ?? "",
    rate: Number(row.dataset.rate),
    channels: Number(row.dataset.channels),
    duration: Number(row.dataset.seconds),
    shortest,
    start: input(row, "start"),
    end: input(row, "end"),
  });
  excerpt.on("change", sum);
  find("[data-remove]", HTMLElement, row).addEventListener("click", () => {
    excerpt.stop();
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    const focus = next?.querySelector("[data-remove]") ?? form.querySelector("[data-search]");
    if (focus instanceof HTMLElement) focus.focus();
    sum();
  });
  find("[data-again]", HTMLElement, row).addEventListener("click", () => add(row, row));
}

/**
 * Add an excerpt: all of a clip, to be cut.
 *
 * @param {HTMLElement} clip it, or another excerpt of it
 * @param {HTMLElement | null} after
 */
function add(clip, after = null) {
  const row = find("[data-item]", HTMLElement, /** @type {DocumentFragment} */ (blank.content.cloneNode(true)));
  const { clip: id = "", audio = "", outline = "", rate = "", channels = "", seconds = "", done = "" } = clip.dataset;
  Object.assign(row.dataset, { clip: id, audio, outline, rate, channels, seconds, done });
  find("[data-title]", HTMLElement, row).textContent =
    clip.dataset.title ?? find("[data-title]", HTMLElement, clip).textContent;
  input(row, "clip").value = id;
  input(row, "start").value = "0";
  input(row, "end").value = String(Number(seconds));
  // The first item is for training, too, as long as nobody says otherwise.
  role(row).value = rows().length ? "graded" : "both";
  if (after) after.after(row);
  else list.append(row);
  wire(row);
  sum();
  row.scrollIntoView({ block: "nearest" });
}

function chosenSystems() {
  return findAll("input:checked", HTMLInputElement, systems);
}

/**
 * As the server reckons: half a minute to get into a trial, each signal heard about three times.
 *
 * @param {number} signals
 * @param {HTMLElement[]} items
 */
function minutes(signals, items) {
  let total = 0;
  for (const row of items) {
    const trials = role(row).value === "both" ? 2 : 1;
    if (length(row) > 0) total += trials * (30 + 3 * signals * length(row));
  }
  return Math.max(1, Math.ceil(total / 60));
}

function sum() {
  const explanations = findAll("[data-method]", HTMLElement, form);
  const chosen = explanations.find((text) => text.dataset.method === method.value);
  const sideBySide = chosen !== undefined && "sideBySide" in chosen.dataset;
  const items = rows().filter((row) => role(row).value !== "out");
  none.hidden = rows().length > 0;
  const picked = chosenSystems();
  const always = (chosen?.dataset.always ?? "").split(" ").filter(Boolean);
  const signals = [
    ...always.map((slug) => [slug, alwaysTitles[slug]]),
    ...picked.map((box) => [box.value, box.dataset.title ?? box.value]),
  ];
  for (const row of rows()) {
    find("[data-length]", HTMLElement, row).textContent = length(row) > 0 ? `= ${quantity(length(row).toFixed(1), "s")}` : "";
    find("[data-long]", HTMLElement, row).hidden = !(length(row) > longSeconds);
    const done = row.dataset.done ? row.dataset.done.split(" ") : undefined;
    const lacking = done ? signals.filter(([slug]) => !done.includes(slug)).map(([, title]) => title) : [];
    const missing = find("[data-missing]", HTMLElement, row);
    missing.hidden = lacking.length === 0;
    missing.textContent = lacking.length
      ? `not processed yet by ${lacking.length > MOST_NAMED ? `${lacking.length} systems of this study` : lacking.join(", ")}`
      : "";
  }
  for (const text of explanations) text.hidden = text !== chosen;
  for (const text of findAll("[data-if-side-by-side]", HTMLElement, form)) text.hidden = !sideBySide;
  const graded = items.filter((row) => role(row).value !== "training").length;
  const training = items.filter((row) => role(row).value !== "graded").length;
  const parts = [
    `${graded} ${graded === 1 ? "item" : "items"}`,
    training ? `${training} for training` : "no training",
  ];
  if (sideBySide) {
    const room = Number(systems.dataset.room);
    const sounds = Math.min(picked.length, room) + Number(systems.dataset.always);
    if (picked.length > room) parts.push(`${picked.length} systems, shared out in balanced blocks`);
    else parts.push(`${sounds} sounds per trial`);
    if (graded && picked.length && picked.length <= room && !("partial" in systems.dataset)) parts.push(`about ${quantity(minutes(sounds, items), "min")} per listener`);
  }
  if (out) out.textContent = parts.join(" · ");
}

/** Without this script a clip's box takes it whole; with it there is a button, and any number of excerpts. */
function offerClips() {
  for (const clip of findAll("[data-clip]", HTMLElement, picker)) {
    find("label input", HTMLInputElement, clip).remove();
    const button = find("[data-add]", HTMLElement, clip);
    button.hidden = false;
    button.addEventListener("click", () => add(clip));
  }
}

if (!list.closest("fieldset")?.disabled) {
  offerClips();
  picker.addEventListener("htmx:afterSwap", offerClips); // others were found
  for (const search of findAll("[data-search]", HTMLInputElement, picker)) {
    search.hidden = search.dataset.long === undefined;
    search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }
}
rows().forEach(wire);
form.addEventListener("change", sum);
form.addEventListener("input", sum);
sum();
