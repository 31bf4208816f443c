/* Answers are kept on the server while they are given, so that a reload or another device goes on from there. */

import { find, findAll } from "../common/dom.js";

const form = find("#questions", HTMLFormElement);
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let sending = false;
let changed = false;

function send() {
  const draft = new FormData(form);
  draft.set("draft", "yes");
  return fetch(form.action, { method: "POST", body: draft, keepalive: true });
}

/** Send what is there now: one request at a time, so that an older draft never comes after a newer one. */
async function keep() {
  clearTimeout(timer);
  timer = undefined;
  changed = true;
  if (sending) return;
  sending = true;
  while (changed) {
    changed = false;
    try {
      await send();
    } catch {
      // A draft that is lost costs some typing; what counts is sent with the form.
    }
  }
  sending = false;
}

form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(keep, 600);
});
form.addEventListener("change", keep);
form.addEventListener("submit", () => {
  clearTimeout(timer);
  timer = undefined;
  changed = false;
});
addEventListener("pagehide", () => {
  if (timer !== undefined || changed) send().catch(() => {});
});
findAll(".question.wrong :is(input, textarea)")[0]?.focus();
