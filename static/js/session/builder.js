/* The questionnaire as cards that can be added, removed and put in order by buttons; what is sent is the JSON
   in the text field, which the cards write and which can be edited, or pasted from another study, itself. */

import { find, findAll, readData } from "../common/dom.js";

/**
 * @typedef {{ value: string, label: string }} Choice
 * @typedef {object} Question
 * @property {string} name in exports
 * @property {string} label
 * @property {string} type
 * @property {string} when
 * @property {boolean} required
 * @property {string} [help]
 * @property {number | string} [minimum] a string where that is no number: the server refuses it
 * @property {number | string} [maximum]
 * @property {Choice[]} [choices]
 */

const builder = find("#questionnaire-builder");
const source = find(`#${builder.dataset.source}`, HTMLTextAreaElement);
const status = find("#questionnaire-status");
/**
 * What each type is called; questions that many studies ask, a start to be changed; the answers of a new scale.
 *
 * @type {{ types: Record<string, string>, ready: Record<string, Question>, likert: Choice[] }}
 */
const { types, ready, likert } = readData("#questionnaire-words");
const withChoices = new Set(["single", "multiple", "likert"]);
/* Places of the buttons in a card's head. */
const [UP, DOWN] = [1, 2];
const frozen = source.disabled || source.closest("fieldset[disabled]") !== null;

/** @type {Question[]} */
let questions = [];
/** @type {WeakSet<Question>} questions whose fields are shown */
let opened = new WeakSet();
let count = 0;

/**
 * Lines "value | label", or labels alone, as choices.
 *
 * @param {string} text
 */
function options(text) {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean)
    .map((line) => {
      const bar = line.indexOf("|");
      if (bar < 0) return { value: line, label: line };
      return { value: line.slice(0, bar).trim(), label: line.slice(bar + 1).trim() };
    });
}

/** @param {Choice[] | undefined} choices */
function lines(choices) {
  if (!Array.isArray(choices)) return "";
  return choices.map(({ value, label }) => (value === label ? label : `${value} | ${label}`)).join("\n");
}

/**
 * A question in a line, for its closed card.
 *
 * @param {Question} question
 */
function summary({ type, when, required }) {
  return `${types[type]} · ${when === "after" ? "after" : "before"} the trials${required ? " · required" : ""}`;
}

/**
 * A name for exports out of the question's words, not used by another question.
 *
 * @param {string} label
 * @param {string[]} others
 */
function nameFor(label, others) {
  const words = label.normalize("NFKD").toLowerCase().match(/[a-z0-9]+/g) ?? ["question"];
  const stem = words.slice(0, 4).join("_").slice(0, 40);
  let name = stem;
  for (let n = 2; others.includes(name); n++) name = `${stem}_${n}`;
  return name;
}

function read() {
  try {
    const parsed = JSON.parse(source.value || "[]");
    questions = Array.isArray(parsed) ? parsed.filter((entry) => entry && typeof entry === "object") : [];
    return Array.isArray(parsed);
  } catch {
    return false;
  }
}

function write() {
  source.value = JSON.stringify(questions.map(tidy), null, 1);
}

/**
 * The question as it is sent: only what its type has.
 *
 * @param {Question} question
 */
function tidy({ name, label, help, type, when, required, minimum, maximum, choices }) {
  /** @type {Question} */
  const question = { name, label, type, when, required };
  if (help) question.help = help;
  if (type === "number") {
    if (minimum !== undefined && minimum !== "") question.minimum = minimum;
    if (maximum !== undefined && maximum !== "") question.maximum = maximum;
  }
  if (withChoices.has(type)) question.choices = choices ?? [];
  return question;
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<Record<keyof HTMLInputElement | keyof HTMLLabelElement, unknown>>} properties
 * @param {(Node | string)[]} children
 */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  Object.assign(made, properties);
  made.append(...children);
  return made;
}

/**
 * A labelled control.
 *
 * @param {string} text
 * @param {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} control
 * @param {(value: string) => void} set gets its value at every change
 * @param {string} help
 */
function field(text, control, set, help = "") {
  control.id = `question-control-${++count}`;
  if (!(control instanceof HTMLSelectElement)) control.dir = "auto";
  if (!(control instanceof HTMLSelectElement)) control.dir = "auto";
  control.addEventListener("input", () => {
    set(control.value);
    write();
  });
  const label = element("label", { htmlFor: control.id, textContent: text });
  const made = element("div", { className: "field" }, label, control);
  if (help) {
    const note = element("p", { className: "help", id: `${control.id}-help`, textContent: help });
    control.setAttribute("aria-describedby", note.id);
    made.append(note);
  }
  return made;
}

/**
 * @param {[string, string][]} choices values and what they are called
 * @param {string} value
 */
function select(choices, value) {
  const made = element("select");
  for (const [key, text] of choices) made.append(new Option(text, key, false, key === value));
  return made;
}

/**
 * @param {string} text
 * @param {string} name for screen readers
 * @param {() => void} press
 */
function button(text, name, press) {
  const made = element("button", { type: "button", className: "button small", textContent: text, disabled: frozen });
  made.setAttribute("aria-label", name);
  made.addEventListener("click", press);
  return made;
}

/**
 * @param {Question} question
 * @param {number} index
 */
function card(question, index) {
  const called = `question ${index + 1}`;
  const title = element("strong", { dir: "auto", textContent: question.label || "New question" });
  const about = element("span", { className: "muted small", dir: "auto", textContent: summary(question) });
  const extra = element("div");
  let ownName = question.name !== "";

  const label = element("input", { value: question.label, maxLength: 500, disabled: frozen });
  const name = element("input", { value: question.name, maxLength: 200, disabled: frozen });
  const type = select(Object.entries(types), question.type);
  const when = select([["before", "before the trials"], ["after", "after the trials"]], question.when);
  const help = element("input", { value: question.help ?? "", maxLength: 500, disabled: frozen });
  const required = element("input", { type: "checkbox", checked: question.required, disabled: frozen });
  type.disabled = when.disabled = frozen;

  const others = () => questions.filter((other) => other !== question).map((other) => other.name);
  const number = (/** @type {"minimum" | "maximum"} */ key) => (/** @type {string} */ text) => {
    question[key] = text.trim() === "" || Number.isNaN(Number(text)) ? text.trim() : Number(text);
  };
  const showExtra = () => {
    extra.replaceChildren();
    if (question.type === "number") {
      const limits = /** @type {const} */ (["minimum", "maximum"]).map((key) =>
        field(
          key === "minimum" ? "Smallest number" : "Largest number",
          element("input", { value: question[key] ?? "", inputMode: "decimal", disabled: frozen }),
          number(key),
        ),
      );
      extra.append(element("div", { className: "pair" }, ...limits));
    }
    if (withChoices.has(question.type)) {
      const text = element("textarea", { value: lines(question.choices), disabled: frozen });
      extra.append(
        field(
          "Answers to choose from",
          text,
          (value) => (question.choices = options(value)),
          question.type === "likert"
            ? "One on a line, from one end of the scale to the other: “1 | Not at all”. What is before the | is stored."
            : "One on a line. “no | No, never” stores “no” and shows the rest.",
        ),
      );
    }
  };
  const words = element("span", { textContent: "An answer is required" });
  const requiredLabel = element("label", { className: "check" }, required, words);
  required.addEventListener("change", () => {
    question.required = required.checked;
    write();
  });

  const fields = element("div", { className: "fields-of", id: `question-fields-${++count}` });
  const toggle = button("Edit", `Edit ${called}`, () => open(!opened.has(question)));
  toggle.setAttribute("aria-controls", fields.id);
  const open = (/** @type {boolean} */ shown) => {
    if (shown) opened.add(question);
    else opened.delete(question);
    fields.hidden = !shown;
    about.textContent = summary(question);
    toggle.textContent = shown ? "Close" : "Edit";
    toggle.setAttribute("aria-expanded", String(shown));
  };

  fields.append(
    field("Question", label, (value) => {
      question.label = value;
      title.textContent = value || "New question";
      if (!ownName) name.value = question.name = nameFor(value, others());
    }),
    element(
      "div",
      { className: "pair" },
      field("Type", type, (value) => {
        question.type = value;
        if (value === "likert" && !question.choices?.length) {
          question.choices = structuredClone(likert);
        }
        showExtra();
      }),
      field("Asked", when, (value) => (question.when = value)),
      field("Name in exports", name, (value) => {
        question.name = value;
        ownName = value !== "";
      }),
    ),
    extra,
    field("Explanation (optional)", help, (value) => (question.help = value)),
    requiredLabel,
  );
  const item = element(
    "li",
    {},
    element(
      "div",
      { className: "head" },
      element("div", { className: "grow" }, title, about),
      toggle,
      button("↑", `Move ${called} up`, () => move(index, -1)),
      button("↓", `Move ${called} down`, () => move(index, 1)),
      button("Remove", `Remove ${called}`, () => remove(index)),
    ),
    fields,
  );
  item.setAttribute("aria-label", `Question ${index + 1}`);
  showExtra();
  open(opened.has(question));
  return item;
}

function show() {
  list.replaceChildren(...questions.map(card));
  const heads = findAll(".head", HTMLElement, list);
  heads[0]?.querySelectorAll("button")[UP].setAttribute("disabled", "");
  heads.at(-1)?.querySelectorAll("button")[DOWN].setAttribute("disabled", "");
}

/** @param {string} message */
function changed(message) {
  write();
  show();
  status.textContent = message;
}

/** @param {Partial<Question>} question */
function add(question) {
  const added = {
    label: "",
    type: "text",
    when: "before",
    required: false,
    ...question,
    name: question.name ? nameFor(question.name, questions.map((other) => other.name)) : "",
  };
  questions.push(added);
  opened.add(added);
  changed(`Question ${questions.length} added.`);
  list.lastElementChild?.querySelector("input")?.focus();
}

/** @param {number} index */
function remove(index) {
  questions.splice(index, 1);
  changed(`Question ${index + 1} removed, ${questions.length} left.`);
  const next = list.children[Math.min(index, questions.length - 1)] ?? foot;
  find("button", HTMLButtonElement, next).focus();
}

/**
 * @param {number} index
 * @param {-1 | 1} by
 */
function move(index, by) {
  const to = index + by;
  if (to < 0 || to >= questions.length) return;
  questions.splice(to, 0, ...questions.splice(index, 1));
  changed(`Now question ${to + 1} of ${questions.length}.`);
  const buttons = findAll(".head button", HTMLButtonElement, list.children[to]);
  const same = buttons[by < 0 ? UP : DOWN];
  (same.disabled ? buttons[by < 0 ? DOWN : UP] : same).focus();
}

const list = element("ol", { className: "builder" });
const foot = element("div", { className: "builder-foot" }, button("Add a question", "Add a question", () => add({})));
if (!frozen) {
  foot.append(element("span", { className: "muted small", textContent: "or one of these:" }));
  for (const [text, question] of Object.entries(ready)) {
    foot.append(button(text, `Add the question “${text}”`, () => add(structuredClone(question))));
  }
}
builder.append(list, foot);
if (read()) {
  // What the server refused may be in any of them.
  if (builder.dataset.problems === "yes") opened = new WeakSet(questions);
  show();
} else find("#questionnaire-json", HTMLDetailsElement).open = true;
source.addEventListener("change", () => {
  if (read()) show();
});
