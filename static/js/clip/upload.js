/* Uploads: drop or choose several recordings; each is sent by itself, with its own progress and,
   where the server refuses it, its own reason. Without this script the form sends them together. */

import { find } from "../common/dom.js";
import { acceptDrops } from "../common/drop.js";
import { quantity } from "../common/text.js";

const form = find("[data-upload]", HTMLFormElement);
const input = find("input[type=file]", HTMLInputElement, form);
const list = find("[data-uploads]", HTMLElement, form);
const most = Number(form.dataset.maxBytes);

/** @param {File} file */
function addLine(file) {
  const item = document.createElement("li");
  const name = Object.assign(document.createElement("span"), { className: "upload-name", dir: "auto", textContent: file.name });
  const state = Object.assign(document.createElement("span"), { className: "upload-state", dir: "auto" });
  state.setAttribute("role", "status");
  const bar = Object.assign(document.createElement("progress"), { className: "progress", max: 1, value: 0 });
  bar.setAttribute("aria-label", `Upload of ${file.name}`);
  item.append(name, state, bar);
  list.append(item);
  list.hidden = false;
  return { item, name, state, bar };
}

/**
 * @param {ReturnType<typeof addLine>} line
 * @param {string} message
 */
function fail({ item, state, bar }, message) {
  item.classList.add("failed");
  state.textContent = message;
  bar.remove();
}

/**
 * What the server says; an empty object where that is a page for people.
 *
 * @param {XMLHttpRequest} request
 */
function read(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return {};
  }
}

/**
 * Why a file was refused.
 *
 * @param {XMLHttpRequest} request
 * @param {string | undefined} error what the server says, if anything
 */
function reason(request, error) {
  if (error) return error;
  // Whoever is signed out is sent to another page, and the request follows.
  if (request.responseURL && request.responseURL !== form.action) return "You are signed out. Sign in, then choose it again.";
  return `The server answered ${request.status}.`;
}

/**
 * @param {File} file
 * @returns {Promise<void>}
 */
function send(file) {
  const row = addLine(file);
  if (file.size > most) {
    fail(row, `The file has ${(file.size / 1e6).toFixed(1)} MB; this site takes up to ${most / 1e6} MB.`);
    return Promise.resolve();
  }
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      row.bar.value = event.loaded / event.total;
      row.state.textContent = event.loaded < event.total ? quantity(Math.round((100 * event.loaded) / event.total), "%") : "checking";
    });
    request.addEventListener("load", () => {
      const { url, created, error } = read(request);
      if (url) {
        const link = document.createElement("a");
        link.href = url;
        link.textContent = file.name;
        row.name.replaceChildren(link);
        row.state.textContent = created ? "uploaded" : "already here";
        row.item.classList.add("done");
        row.bar.remove();
        find("#clip-rows").dispatchEvent(new Event("refresh"));
      } else {
        fail(row, reason(request, error));
      }
      resolve();
    });
    request.addEventListener("error", () => {
      fail(row, "The connection broke before the file arrived. Choose it again.");
      resolve();
    });
    const body = new FormData(form); // with the systems that are chosen now
    body.set("file", file);
    request.send(body);
    row.state.textContent = "0 %";
  });
}

let queue = Promise.resolve();

/** @param {Iterable<File>} files */
function sendAll(files) {
  for (const file of files) queue = queue.then(() => send(file));
}

form.classList.add("scripted");
function sendChosen() {
  sendAll([...(input.files ?? [])]);
  input.value = "";
}

input.addEventListener("change", sendChosen);
sendChosen(); // what was chosen before this script ran
acceptDrops(find("[data-drop]", HTMLElement, form), sendAll);
