/* Every figure with data-how says its unit, n and method when it is pointed at, tapped or focused.
   A table is one stop of the Tab key; the arrow keys go through its figures. */

import { closest, findAll } from "../common/dom.js";

const GAP = 8;

/** @param {HTMLElement} root */
export function explain(root) {
  const box = document.createElement("div");
  box.id = "how";
  box.dir = "auto";
  box.dir = "auto";
  box.setAttribute("role", "tooltip");
  box.hidden = true;
  root.append(box);
  /** @type {HTMLElement | SVGElement | null} */
  let shown = null;

  /** @param {HTMLElement | SVGElement} element */
  function show(element) {
    if (shown === element) return;
    hide();
    shown = element;
    box.textContent = element.dataset.how ?? "";
    box.hidden = false;
    element.setAttribute("aria-describedby", "how");
    const target = element.getBoundingClientRect();
    const { width, height } = box.getBoundingClientRect();
    const left = Math.min(Math.max(GAP, target.left + target.width / 2 - width / 2), innerWidth - width - GAP);
    const below = target.bottom + GAP;
    const top = below + height > innerHeight ? Math.max(GAP, target.top - height - GAP) : below;
    box.style.left = `${left}px`;
    box.style.top = `${top}px`;
  }

  function hide() {
    shown?.removeAttribute("aria-describedby");
    shown = null;
    box.hidden = true;
  }

  const found = (/** @type {Event} */ event) =>
    closest(event, "[data-how]") ?? closest(event, "[data-how]", SVGElement);
  root.addEventListener("pointerover", (event) => {
    const element = found(event);
    if (element) show(element);
    else if (shown && shown !== document.activeElement) hide();
  });
  root.addEventListener("focusin", (event) => {
    const element = found(event);
    if (element) show(element);
    else hide();
  });
  root.addEventListener("focusout", hide);
  root.addEventListener("click", (event) => {
    const element = found(event);
    if (element instanceof HTMLTableCellElement) element.focus();
  });
  document.addEventListener("scroll", hide, { capture: true, passive: true });
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    const cell = closest(event, "td[data-how]", HTMLTableCellElement);
    if (cell) move(event, cell);
  });
  prepare(root);
  root.addEventListener("htmx:afterSettle", () => {
    hide();
    prepare(root);
  });
}

/**
 * One figure of each table takes the focus, the others when the arrow keys come by.
 *
 * @param {HTMLElement} root
 */
function prepare(root) {
  for (const table of findAll("table.hinted", HTMLTableElement, root)) {
    const cells = findAll("td[data-how]", HTMLElement, table);
    for (const [index, cell] of cells.entries()) cell.tabIndex = index === 0 ? 0 : -1;
  }
}

/** @type {Record<string, [number, number] | undefined>} rows and columns to go */
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/**
 * @param {KeyboardEvent} event
 * @param {HTMLTableCellElement} cell
 */
function move(event, cell) {
  const step = STEPS[event.key];
  const row = cell.parentElement;
  const body = row?.parentElement;
  if (!step || !(row instanceof HTMLTableRowElement) || !(body instanceof HTMLTableSectionElement)) return;
  event.preventDefault();
  const rows = [...body.rows];
  let [y, x] = [rows.indexOf(row), cell.cellIndex];
  do {
    y += step[0];
    x += step[1];
  } while (rows[y]?.cells[x] && !rows[y].cells[x].matches("td[data-how]"));
  const next = rows[y]?.cells[x];
  if (!next) return;
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
