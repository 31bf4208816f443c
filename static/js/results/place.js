// When htmx brings news, what was folded out stays folded out, and the page stays where it was.

export function keepPlace(root) {
  let open = null;
  let focus = null;
  let scroll = 0;

  if (!document.getElementById("results")) return;
  root.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.status === 204) return;
    open = new Map([...root.querySelectorAll("#results details[id]")].map((each) => [each.id, each.open]));
    focus = document.activeElement?.closest?.("#results") ? pathOf(document.activeElement) : null;
    scroll = scrollY;
  });
  root.addEventListener("htmx:afterSwap", () => {
    for (const [id, state] of open ?? []) {
      const details = document.getElementById(id);
      if (details) details.open = state;
    }
    if (focus) elementAt(focus)?.focus({ preventScroll: true });
    scrollTo({ top: scroll, behavior: "instant" });
    open = focus = null;
  });
}

/** Where an element stands below #results, as the numbers of children on the way. */
function pathOf(element) {
  const path = [];
  for (let at = element; at.id !== "results"; at = at.parentElement) {
    path.unshift([...at.parentElement.children].indexOf(at));
  }
  return path;
}

function elementAt(path) {
  return path.reduce((at, index) => at?.children[index], document.getElementById("results"));
}
