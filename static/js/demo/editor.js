/* The editor of a demo page: what is written is saved while it is written, and the preview follows. */

import { find, findAll } from "../common/dom.js";
import { say } from "../common/text.js";

const PAUSE_MILLISECONDS = 600;

const form = find("[data-editor]", HTMLFormElement);
const frame = find("[data-preview]", HTMLIFrameElement);
const saved = find("[data-saved]", HTMLElement, form);
const problems = find("[data-problems]", HTMLElement, form);
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let turn = 0; // of the last save that was asked for
/* Each save stores the whole draft: an older one must not come after a newer one. */
let running = Promise.resolve();

/** @param {{ at: string, message: string }[]} rows */
function showProblems(rows) {
  problems.hidden = rows.length === 0;
  problems.replaceChildren(
    ...rows.map(({ at, message }) => {
      const item = document.createElement("li");
      item.append(Object.assign(document.createElement("a"), { href: `#${at}`, textContent: message }));
      return item;
    }),
  );
}

/** Show the page as it is now, at the place where it was. */
function refresh() {
  frame.contentWindow?.location.reload();
}

/** Save what is there when the save before is through; of several that wait only the last is sent. */
function save() {
  turn += 1;
  const ours = turn;
  say(saved, "Saving …");
  running = running.then(() => (ours === turn ? send(ours) : undefined));
  return running;
}

/** @param {number} ours */
async function send(ours) {
  const body = new FormData(form);
  body.delete("add_clip"); // its button adds
  try {
    const response = await fetch(form.dataset.save ?? "", {
      method: "POST",
      body,
      credentials: "same-origin",
      headers: { Accept: "application/json" },
    });
    if (ours !== turn) return;
    if (response.redirected) {
      say(saved, "You are signed out: sign in on another tab, then go on.");
      return;
    }
    const answer = await response.json();
    if (response.ok) {
      say(saved, "Saved.");
      showProblems(answer.problems);
      refresh();
    } else {
      say(saved, `Not saved: ${answer.errors?.map((/** @type {{ path: string, message: string }} */ each) => `${each.path} ${each.message}`).join(" ") ?? answer.error}`);
    }
  } catch {
    if (ours === turn) say(saved, "Not saved: the server could not be reached.");
  }
}

// The page has been published, or could not be.
document.body.addEventListener("job-settled", () => location.reload());

form.classList.add("scripted");
form.addEventListener("input", (event) => {
  const { target } = event;
  if (target instanceof HTMLInputElement && (target.name === "visibility" || "find" in target.dataset)) return;
  if (target instanceof HTMLSelectElement && target.name === "add_clip") return;
  clearTimeout(timer);
  timer = setTimeout(save, PAUSE_MILLISECONDS);
});
form.addEventListener("submit", (event) => {
  clearTimeout(timer);
  turn += 1; // what waits is sent with the form
  if (form.dataset.settled) return;
  const { submitter } = event;
  event.preventDefault();
  // A form does not submit again while its submit event is on the way, as it still is where nothing runs.
  running.then(() => setTimeout(() => {
    form.dataset.settled = "true";
    form.requestSubmit(submitter);
  }));
});
// Enter in a field saves; it would press the first button, which moves or removes a recording.
form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement)) return;
  event.preventDefault();
  if ("find" in event.target.dataset) return;
  clearTimeout(timer);
  save();
});
find("#add_clip", HTMLSelectElement, form).addEventListener("change", () => form.requestSubmit());

const widths = findAll("[data-width]", HTMLElement, form);
for (const button of widths) {
  button.addEventListener("click", () => {
    for (const other of widths) other.setAttribute("aria-pressed", String(other === button));
    find(".editor-preview", HTMLElement, form).classList.toggle("phone", button.dataset.width === "phone");
  });
}

find("[data-delete]", HTMLFormElement).addEventListener("submit", (event) => {
  if (!window.confirm("Delete this page with all its versions? Links to it will lead nowhere.")) event.preventDefault();
});
form.dataset.ready = "true";
