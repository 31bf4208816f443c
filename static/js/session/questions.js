/* Answers are kept on the server while they are given, so that a reload or another device goes on from there. */

const form = document.querySelector("#questions");
let timer = null;

function keep() {
  clearTimeout(timer);
  timer = null;
  const draft = new FormData(form);
  draft.set("draft", "yes");
  // A draft that is lost costs some typing; what counts is sent with the form.
  fetch(form.action, { method: "POST", body: draft, keepalive: true }).catch(() => {});
}

form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(keep, 600);
});
form.addEventListener("change", keep);
form.addEventListener("submit", () => clearTimeout(timer));
addEventListener("pagehide", () => timer !== null && keep());
document.querySelector(".question.wrong :is(input, textarea)")?.focus();
