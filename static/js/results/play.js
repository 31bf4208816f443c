// Points of a scatter play what they stand for. A system's point has several sounds, one an item:
// each click goes on to the next.

export function playPoints(root, bar) {
  if (!bar) return;
  const sound = new Audio();
  const words = bar.querySelector("span");
  let point = null;
  let turn = 0;

  function stop() {
    sound.pause();
    point?.classList.remove("playing");
    point = null;
    bar.hidden = true;
  }

  async function play(next) {
    const sounds = next.dataset.play.split(" ");
    if (next === point && sounds.length === 1) return stop();
    turn = next === point ? (turn + 1) % sounds.length : 0;
    point?.classList.remove("playing");
    point = next;
    point.classList.add("playing");
    sound.src = sounds[turn];
    const name = next.getAttribute("aria-label").replace(/^Play /, "");
    words.textContent = sounds.length > 1 ? `${name} · item ${turn + 1} of ${sounds.length}` : name;
    bar.hidden = false;
    try {
      await sound.play();
    } catch (error) {
      if (error.name !== "AbortError") words.textContent = "This sound can't be played.";
    }
  }

  sound.addEventListener("ended", stop);
  bar.querySelector("button").addEventListener("click", stop);
  root.addEventListener("click", (event) => {
    const next = event.target.closest?.("[data-play]");
    if (next) play(next);
  });
  root.addEventListener("keydown", (event) => {
    const next = event.target.closest?.("[data-play]");
    if (!next || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    play(next);
  });
}
