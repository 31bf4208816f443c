// The first step of a study: clips become items, items become excerpts; what the choice amounts to.

import { Excerpt } from "./excerpt.js";

const form = document.getElementById("setup");
const list = form.querySelector("[data-items]");
const blank = document.getElementById("item-row");
const none = form.querySelector("[data-none]");
const out = form.querySelector("[data-sum]");
const systems = form.querySelector("[data-systems]");
const method = form.elements["basics-method"];
const clips = [...form.querySelectorAll(".clips [data-clip]")];
const longSeconds = Number(list.dataset.long);
const shortest = Number(list.dataset.shortest);

const rows = () => [...list.querySelectorAll("[data-item]")];
const field = (row, name) => row.querySelector(`[name="items-${name}"]`);
const seconds = (row, name) => Number.parseFloat(field(row, name).value.replace(",", "."));

function wire(row) {
  const excerpt = new Excerpt(row, {
    audio: row.dataset.audio,
    duration: Number(row.dataset.seconds),
    shortest,
    start: field(row, "start"),
    end: field(row, "end"),
  });
  row.addEventListener("excerpt", sum);
  row.querySelector("[data-remove]").addEventListener("click", () => {
    excerpt.stop();
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    (next?.querySelector("[data-remove]") ?? form.querySelector("[data-search]"))?.focus();
    sum();
  });
  row.querySelector("[data-again]").addEventListener("click", () => add(clipOf(row.dataset.clip) ?? row, row));
}

function clipOf(id) {
  return clips.find((clip) => clip.dataset.clip === id);
}

function add(clip, after = null) {
  const row = blank.content.cloneNode(true).querySelector("[data-item]");
  const { clip: id, audio, seconds: length } = clip.dataset;
  Object.assign(row.dataset, { clip: id, audio, seconds: length });
  row.querySelector("[data-title]").textContent =
    clip.dataset.title ?? clip.querySelector("[data-title]").textContent;
  field(row, "clip").value = id;
  field(row, "start").value = "0";
  field(row, "end").value = String(Number(length));
  // The first item is for training, too, as long as nobody says otherwise.
  field(row, "role").value = rows().length ? "graded" : "both";
  if (after) after.after(row);
  else list.append(row);
  wire(row);
  sum();
  row.scrollIntoView({ block: "nearest" });
}

function chosenSystems() {
  return [...systems.querySelectorAll("input:checked")];
}

/** As the server reckons: half a minute to get into a trial, each signal heard about three times. */
function minutes(signals, items) {
  let total = 0;
  for (const row of items) {
    const length = seconds(row, "end") - seconds(row, "start");
    const trials = field(row, "role").value === "both" ? 2 : 1;
    if (length > 0) total += trials * (30 + 3 * signals * length);
  }
  return Math.max(1, Math.ceil(total / 60));
}

function sum() {
  const mushra = method.value === "mushra";
  const items = rows().filter((row) => field(row, "role").value !== "out");
  none.hidden = rows().length > 0;
  const picked = chosenSystems();
  for (const row of rows()) {
    const length = seconds(row, "end") - seconds(row, "start");
    row.querySelector("[data-length]").textContent = length > 0 ? `= ${length.toFixed(1)} s` : "";
    row.querySelector("[data-long]").hidden = !(length > longSeconds);
    const done = clipOf(row.dataset.clip)?.dataset.done.split(" ");
    const lacking = done ? picked.filter((box) => !done.includes(box.value)).map((box) => box.dataset.title) : [];
    const missing = row.querySelector("[data-missing]");
    missing.hidden = lacking.length === 0;
    missing.textContent = lacking.length ? `not through ${lacking.join(", ")}` : "";
  }
  for (const text of form.querySelectorAll("[data-method]")) text.hidden = text.dataset.method !== method.value;
  for (const text of form.querySelectorAll("[data-for]")) text.hidden = text.dataset.for !== method.value;
  const graded = items.filter((row) => field(row, "role").value !== "training").length;
  const training = items.filter((row) => field(row, "role").value !== "graded").length;
  const parts = [
    `${graded} ${graded === 1 ? "item" : "items"}`,
    training ? `${training} for training` : "no training",
  ];
  if (mushra) {
    const room = Number(systems.dataset.room);
    const always = Number(systems.dataset.always);
    const signals = Math.min(picked.length, room) + always;
    if (picked.length > room) parts.push(`${picked.length} systems, shared out in balanced blocks`);
    else parts.push(`${signals} signals a trial`);
    if (graded && picked.length && picked.length <= room && !("partial" in systems.dataset)) parts.push(`about ${minutes(signals, items)} min a listener`);
  }
  out.textContent = parts.join(" · ");
}

if (!list.closest("fieldset").disabled) {
  const search = form.querySelector("[data-search]");
  if (search) {
    search.hidden = clips.length < 8;
    search.addEventListener("input", () => {
      const wanted = search.value.trim().toLowerCase();
      for (const clip of clips) clip.hidden = !clip.dataset.title.toLowerCase().includes(wanted);
    });
    search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }
  for (const clip of clips) {
    // Without this script the box takes the clip whole; with it there is a button, and any number of excerpts.
    const label = clip.querySelector("label");
    label.querySelector("input").remove();
    const button = clip.querySelector("[data-add]");
    button.hidden = false;
    button.addEventListener("click", () => add(clip));
  }
}
rows().forEach(wire);
form.addEventListener("change", sum);
form.addEventListener("input", sum);
sum();
