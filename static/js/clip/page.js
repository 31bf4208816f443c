/* The clip page: player, table and scatter of one clip, live while the systems are at work. */

import { copy } from "../common/copy.js";
import { closest, find, findAll, readData } from "../common/dom.js";
import { say } from "../common/text.js";
import { ClipPlayer, ORIGINAL } from "./player.js";
import { Scatter } from "./scatter.js";
import { SystemTable } from "./table.js";

const POLL_MILLISECONDS = 1500;
const POLL_AFTER_ERROR_MILLISECONDS = 5000;

/**
 * @typedef {object} ClipData
 * @property {import("./player.js").System[]} systems
 * @property {string} start the system to begin with
 * @property {boolean} finished
 * @property {string} status_text
 * @property {boolean} waits whether there is something to cancel
 */

const page = find("[data-clip-page]");
const status = find("[data-status]", HTMLElement, page);
/** @param {string} text */
const announce = (text) => { find("[data-announce]", HTMLElement, page).textContent = text; };

/** @type {ClipData} */
let data = readData("#player-data");
const player = new ClipPlayer(page);
const table = new SystemTable(find("[data-systems]", HTMLTableElement, page));
const scatter = new Scatter(find("[data-scatter]", SVGSVGElement, page), (slug) => player.playOrPause(slug));
const blindButton = find("[data-blind]", HTMLElement, page);
const shareButton = find("[data-share]", HTMLButtonElement, page);
const cancel = /** @type {HTMLElement | null} */ (page.querySelector("[data-cancel]"));
let blind = false;

// -- One state, shown in every place

function show() {
  for (const row of table.rows) {
    const selected = row.dataset.system === player.selected;
    row.classList.toggle("selected", selected);
    const button = row.querySelector("[data-play-system]");
    if (!button) continue;
    button.setAttribute("aria-pressed", String(selected));
    button.classList.toggle("playing", selected && player.playing);
    button.classList.toggle("ready", player.has(row.dataset.system ?? ""));
  }
  scatter.select(blind ? null : player.selected);
}

/** @param {ClipData} fresh */
function take(fresh) {
  data = fresh;
  player.setSystems(data.systems);
  scatter.setSystems(blind ? [] : data.systems);
  say(status, data.status_text);
  if (cancel) cancel.hidden = !data.waits;
  show();
}

player.on("change", show);
player.on("failed", ({ slug, message }) => {
  const title = data.systems.find((system) => system.slug === slug)?.title ?? slug;
  announce(`${blind ? "A sound" : title} could not be loaded: ${message}`);
});

find("[data-systems]", HTMLElement, page).addEventListener("click", (event) => {
  const { system = "", audio } = closest(event, "tr[data-system]")?.dataset ?? {};
  if (!system) return;
  if (closest(event, "[data-play-system]")) player.playOrPause(system);
  else if (!closest(event, "a, button, summary, details, form") && audio) player.select(system);
});
player.listenToKeys(() => table.order(blind ? null : ORIGINAL).filter((slug) => table.row(slug)?.dataset.audio));

if (page.querySelector("[data-metric-always]")) scatter.setMetric("visqol_audio");
const metricButtons = findAll("[data-metric]", HTMLElement, page);
for (const button of metricButtons) {
  button.addEventListener("click", () => {
    for (const other of metricButtons) other.setAttribute("aria-pressed", String(other === button));
    scatter.setMetric(button.dataset.metric === "pesq_nb" ? "pesq_nb" : "pesq_wb");
  });
}

// -- Names hidden

blindButton.addEventListener("click", () => {
  blind = !blind;
  page.classList.toggle("blind", blind);
  blindButton.setAttribute("aria-pressed", String(blind));
  find("[data-text]", HTMLElement, blindButton).textContent = blind ? "Reveal names" : "Listen blind";
  table.setBlind(blind);
  player.setBlind(blind ? (slug) => `Sound ${table.letter(slug)}` : null);
  scatter.setSystems(blind ? [] : data.systems);
  shareButton.disabled = blind;
  announce(blind ? "Names are hidden, sounds are in a new random order." : "Names are shown again.");
  if (!blind) remember();
  else history.replaceState(null, "", location.pathname);
  show();
});

// -- The link that opens the same clip, system and position

function link() {
  const place = new URLSearchParams({ system: player.selected, t: player.position.toFixed(2) });
  return new URL(`#${place}`, location.href);
}

function remember() {
  if (!blind && player.selected) history.replaceState(null, "", link());
}

player.on("move", remember);

const publish = page.querySelector("dialog");

function share() {
  remember();
  const done = page.dataset.public ? "Link copied" : "Copied: opens for you only";
  copy(find("[data-text]", HTMLElement, shareButton), () => link().href, { done, failed: "Link is in the address bar" });
}

shareButton.addEventListener("click", () => {
  if (publish && !page.dataset.public) publish.showModal();
  else share();
});

publish?.addEventListener("submit", async (event) => {
  const chosen = event.submitter instanceof HTMLButtonElement ? event.submitter : null;
  if (chosen?.formMethod === "dialog") {
    if (chosen.value) share();
    return;
  }
  event.preventDefault();
  const form = find("form", HTMLFormElement, publish);
  try {
    const response = await fetch(form.action, { method: "POST", body: new FormData(form, chosen), credentials: "same-origin" });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    page.dataset.public = "true";
    shareButton.title = "";
    publish.close();
    share();
    announce("The clip is public.");
  } catch {
    form.submit(); // as without this script: the page says what happened
  }
});

/** Go where the address says: `#system=opus-9k&t=2.34`. */
function open() {
  const place = new URLSearchParams(location.hash.slice(1));
  const wanted = data.systems.find(({ slug }) => slug === place.get("system"));
  if (wanted || !player.selected) player.select(wanted?.slug ?? data.start);
  let seconds = Number.parseFloat(place.get("t") ?? "");
  const go = () => {
    if (!Number.isFinite(seconds) || !player.has(ORIGINAL)) return;
    player.seek(seconds);
    seconds = Number.NaN;
  };
  player.on("loaded", go);
  go();
}

window.addEventListener("hashchange", open);

/** @type {HTMLElement | null} the part of the page that a button leads back to; the player writes over the address */
const part = document.getElementById(location.hash.slice(1));

// -- Live while it runs

/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

async function poll() {
  clearTimeout(timer);
  let pause = POLL_MILLISECONDS;
  try {
    const response = await fetch(page.dataset.rowsUrl ?? "", { credentials: "same-origin", cache: "no-store" });
    if (response.status === 404 || response.redirected) return; // deleted or signed out meanwhile
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const fragment = new DOMParser().parseFromString(await response.text(), "text/html");
    const before = data.finished;
    table.merge(fragment.querySelectorAll("tbody > tr"));
    take(readData("#player-data", fragment));
    if (data.finished && !before) announce(data.status_text);
  } catch {
    pause = POLL_AFTER_ERROR_MILLISECONDS;
  }
  if (!data.finished) timer = setTimeout(poll, pause);
}

page.addEventListener("submit", async (event) => {
  const form = closest(event, "[data-retry]", HTMLFormElement);
  if (!form || form.closest("#other-metrics")) return; // that table comes anew with the page
  event.preventDefault();
  const button = find("button", HTMLButtonElement, form);
  button.disabled = true;
  try {
    await fetch(form.action, { method: "POST", body: new FormData(form), credentials: "same-origin" });
    data.finished = false;
    poll();
  } catch {
    button.disabled = false;
    announce("The server could not be reached. Try again.");
  }
});

for (const form of findAll("[data-delete]", HTMLFormElement, page)) {
  form.addEventListener("submit", (event) => {
    if (!window.confirm("Delete this clip with everything that was made from it? This cannot be undone.")) event.preventDefault();
  });
}

open();
take(data);
part?.focus();
part?.scrollIntoView();
if (!data.finished) timer = setTimeout(poll, POLL_MILLISECONDS);
page.dataset.ready = "true";
