// The clip page: player, table and scatter of one clip, live while the systems are at work.

import { ORIGINAL, Player } from "./player.js";
import { Scatter } from "./scatter.js";
import { SystemTable } from "./table.js";

const POLL_MILLISECONDS = 1500;
const POLL_AFTER_ERROR_MILLISECONDS = 5000;

const page = document.querySelector("[data-clip-page]");
const status = page.querySelector("[data-status]");
const say = (text) => { page.querySelector("[data-announce]").textContent = text; };
const read = (root) => JSON.parse(root.querySelector("#player-data").textContent);

let data = read(document);
const player = new Player(page);
const table = new SystemTable(page.querySelector("[data-systems]"));
const scatter = new Scatter(page.querySelector("[data-scatter]"), (slug) => player.playOrPause(slug));
const blindButton = page.querySelector("[data-blind]");
let blind = false;

// -- One state, shown in every place

function show() {
  for (const row of table.rows) {
    const selected = row.dataset.system === player.selected;
    row.classList.toggle("selected", selected);
    const button = row.querySelector("[data-play-system]");
    if (!button) continue;
    button.setAttribute("aria-pressed", selected);
    button.classList.toggle("playing", selected && player.playing);
    button.classList.toggle("ready", player.engine.has(row.dataset.system));
  }
  scatter.select(blind ? null : player.selected);
}

function take(fresh) {
  data = fresh;
  player.setSystems(data.systems);
  scatter.setSystems(blind ? [] : data.systems);
  if (status.textContent !== data.status_text) status.textContent = data.status_text;
  show();
}

player.addEventListener("change", show);
player.addEventListener("loaded", show);
player.addEventListener("failed", (event) => {
  const system = data.systems.find(({ slug }) => slug === event.detail.key);
  say(`${blind ? "A sound" : system.title} could not be loaded: ${event.detail.message}.`);
});

page.querySelector("[data-systems]").addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-system]");
  if (!row) return;
  if (event.target.closest("[data-play-system]")) player.playOrPause(row.dataset.system);
  else if (!event.target.closest("a, button, summary, details, form") && row.dataset.audio) player.select(row.dataset.system);
});
player.listenToKeys(() => table.order(blind ? null : ORIGINAL).filter((slug) => table.row(slug).dataset.audio));

for (const button of page.querySelectorAll("[data-metric]")) {
  button.addEventListener("click", () => {
    for (const other of page.querySelectorAll("[data-metric]")) other.setAttribute("aria-pressed", other === button);
    scatter.setMetric(button.dataset.metric);
  });
}

// -- Names hidden

blindButton.addEventListener("click", () => {
  blind = !blind;
  page.classList.toggle("blind", blind);
  blindButton.setAttribute("aria-pressed", blind);
  blindButton.querySelector("[data-text]").textContent = blind ? "Reveal names" : "Hide names";
  table.setBlind(blind);
  player.setBlind(blind, (slug) => `Sound ${table.letter(slug)}`);
  scatter.setSystems(blind ? [] : data.systems);
  shareButton.disabled = blind;
  say(blind ? "Names are hidden, sounds are in a new random order." : "Names are shown again.");
  if (!blind) remember();
  else history.replaceState(null, "", location.pathname);
  show();
});

// -- The link that opens the same clip, system and position

const shareButton = page.querySelector("[data-share]");

function link() {
  const place = new URLSearchParams({ system: player.selected, t: player.engine.position.toFixed(2) });
  return new URL(`#${place}`, location.href);
}

function remember() {
  if (!blind && player.selected) history.replaceState(null, "", link());
}

player.engine.addEventListener("select", remember);
player.engine.addEventListener("seek", remember);
player.engine.addEventListener("state", remember);

shareButton.addEventListener("click", async () => {
  remember();
  const text = shareButton.querySelector("[data-text]");
  try {
    await navigator.clipboard.writeText(link().href);
    text.textContent = page.dataset.public ? "Link copied" : "Copied: opens for you only";
    say(page.dataset.public ? "Link copied." : "Link copied. The clip is private: it opens for you only.");
  } catch {
    text.textContent = "Link is in the address bar";
  }
  setTimeout(() => { text.textContent = "Copy link"; }, 4000);
});

/** Go where the address says: `#system=opus-9k&t=2.34`. */
function open() {
  const place = new URLSearchParams(location.hash.slice(1));
  const wanted = data.systems.find(({ slug }) => slug === place.get("system"));
  if (wanted || !player.selected) player.select(wanted?.slug ?? data.start);
  const seconds = Number.parseFloat(place.get("t"));
  if (Number.isFinite(seconds)) {
    const go = () => {
      if (!player.engine.has(ORIGINAL)) return;
      player.removeEventListener("loaded", go);
      player.engine.seek(seconds);
    };
    player.addEventListener("loaded", go);
    go();
  }
}

window.addEventListener("hashchange", open);

// -- Live while it runs

let timer = 0;

async function poll() {
  clearTimeout(timer);
  let pause = POLL_MILLISECONDS;
  try {
    const response = await fetch(page.dataset.rowsUrl, { credentials: "same-origin", cache: "no-store" });
    if (response.status === 404 || response.redirected) return; // deleted or signed out meanwhile
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    const fragment = new DOMParser().parseFromString(await response.text(), "text/html");
    const before = data.finished;
    table.merge(fragment.querySelector("tbody"));
    take(read(fragment));
    if (data.finished && !before) say(data.status_text);
  } catch {
    pause = POLL_AFTER_ERROR_MILLISECONDS;
  }
  if (!data.finished) timer = setTimeout(poll, pause);
}

page.addEventListener("submit", async (event) => {
  const form = event.target.closest("[data-retry]");
  if (!form) return;
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    await fetch(form.action, { method: "POST", body: new FormData(form), credentials: "same-origin" });
    data.finished = false;
    poll();
  } catch {
    button.disabled = false;
    say("The server could not be reached. Try again.");
  }
});

page.querySelector("[data-delete]")?.addEventListener("submit", (event) => {
  if (!window.confirm("Delete this clip with everything that was made from it? This cannot be undone.")) event.preventDefault();
});

open();
take(data);
if (!data.finished) timer = setTimeout(poll, POLL_MILLISECONDS);
page.dataset.ready = "true";
