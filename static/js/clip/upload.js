// Uploads: drop or choose several recordings; each is sent by itself, with its own progress and,
// where the server refuses it, its own reason. Without this script the form sends them together.

const form = document.querySelector("[data-upload]");
const input = form.querySelector("input[type=file]");
const zone = form.querySelector("[data-drop]");
const list = form.querySelector("[data-uploads]");
const most = Number(form.dataset.maxBytes);

function line(file) {
  const item = document.createElement("li");
  item.innerHTML = '<span class="upload-name"></span><span class="upload-state" role="status"></span><progress class="progress" max="1" value="0"></progress>';
  const [name, state, bar] = item.children;
  name.textContent = file.name;
  bar.setAttribute("aria-label", `Upload of ${file.name}`);
  list.append(item);
  list.hidden = false;
  return { item, name, state, bar };
}

function fail({ item, state, bar }, message) {
  item.classList.add("failed");
  state.textContent = message;
  bar.remove();
}

/** What the server says; an empty object where that is a page for people. */
function read(request) {
  try {
    return JSON.parse(request.responseText);
  } catch {
    return {};
  }
}

function reason(request, error) {
  if (error) return error;
  // Whoever is signed out is sent to another page, and the request follows.
  if (request.responseURL && request.responseURL !== form.action) return "You are signed out. Sign in, then choose it again.";
  return `The server answered ${request.status}.`;
}

function send(file) {
  const row = line(file);
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
      row.state.textContent = event.loaded < event.total ? `${Math.round((100 * event.loaded) / event.total)} %` : "checking";
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
        window.htmx.trigger("#clip-rows", "refresh");
      } else {
        fail(row, reason(request, error));
      }
      resolve();
    });
    request.addEventListener("error", () => {
      fail(row, "The connection broke before the file arrived. Choose it again.");
      resolve();
    });
    const body = new FormData();
    body.append("csrfmiddlewaretoken", form.querySelector("[name=csrfmiddlewaretoken]").value);
    body.append("file", file);
    request.send(body);
    row.state.textContent = "0 %";
  });
}

let queue = Promise.resolve();

function sendAll(files) {
  for (const file of files) queue = queue.then(() => send(file));
}

form.classList.add("scripted");
input.addEventListener("change", () => {
  sendAll([...input.files]);
  input.value = "";
});

for (const kind of ["dragenter", "dragover"]) {
  zone.addEventListener(kind, (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
}
for (const kind of ["dragleave", "drop"]) {
  zone.addEventListener(kind, (event) => {
    event.preventDefault();
    if (kind === "drop" || !zone.contains(event.relatedTarget)) zone.classList.remove("over");
  });
}
zone.addEventListener("drop", (event) => sendAll([...event.dataTransfer.files]));
// A file dropped beside the zone would replace the page.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
