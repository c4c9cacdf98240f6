// Captions: a sentence or two about an image.

import { checked, tidied, wordsOf } from "./caption_rules.js";
import { CanvasView } from "./canvas_view.js";
import { element, keycaps } from "./page.js";

/** @typedef {import("./types.js").CaptionTask} CaptionTask */
/** @typedef {{text: string}} State */
/** @typedef {import("./types.js").Desk<State>} Desk */

const ADVICE = [
  "Describe what is seen: the important things, and what they do.",
  "Write so that somebody who does not see the picture knows what it shows.",
  "No guesses about before and after, no names of persons, no talk.",
  "Do not begin with “There is” or “This is a picture of”.",
];

/** @param {Desk} desk */
function mount(desk) {
  /** @type {CaptionTask} */
  const task = desk.task;
  const picture = element("div", { class: "area" });
  const count = element("output", { class: "number large" });
  const rules = element("ul", { class: "rules" });
  const problem = element("p", { class: "problem", role: "alert" });
  const text = element("textarea", { rows: 6, class: "sentence", maxlength: 2000, spellcheck: "true", "aria-label": "Your sentence", "aria-describedby": "caption-rules", placeholder: "A …", autocomplete: "off" });
  rules.id = "caption-rules";
  const side = element(
    "aside",
    { class: "guide", "aria-label": "Your sentence" },
    text,
    element("div", { class: "row between" }, element("span", {}, count, ` of ${task.min_words} to ${task.max_words} words`), keycaps("Ctrl Enter")),
    problem,
    rules,
    element("section", { class: "case" }, element("h3", {}, "A good sentence"), element("ul", { class: "hint" }, ...ADVICE.map((line) => element("li", {}, line)))),
  );
  desk.root.append(element("div", { class: "beside wide" }, side, picture));
  desk.toolbar.append(element("span", { class: "subject" }, "Describe the picture in a sentence or two"));
  const view = new CanvasView({ ...desk, root: picture }, task.image, { draw: () => {} });
  desk.keys({ ...view.keys(), Escape: () => text.blur(), Enter: () => text.focus() });

  text.addEventListener("input", () => {
    problem.textContent = "";
    // a step of the history is a word, not a letter
    desk.change({ text: text.value }, `word ${wordsOf(text.value)}`, "typing");
  });
  text.addEventListener("keydown", (event) => {
    // the history of the desk goes on after a reload, the browser's does not
    if (!(event.ctrlKey || event.metaKey) || !["z", "y"].includes(event.key.toLowerCase())) return;
    event.preventDefault();
    if (event.shiftKey || event.key.toLowerCase() === "y") desk.redo();
    else desk.undo();
  });
  if (!desk.readOnly) text.focus({ preventScroll: true });

  return {
    /** @param {State} state */
    update(state) {
      if (text.value !== state.text) text.value = state.text;
      const results = checked(state.text, task);
      count.textContent = String(wordsOf(state.text));
      count.classList.toggle("good", results.every(({ kept }) => kept));
      const shown = results.filter(({ kept, always }) => always || !kept);
      rules.replaceChildren(...shown.map(({ rule, kept, waits }) => element("li", { class: kept ? "kept" : waits ? "waits" : "broken" }, rule, element("span", { class: "sr" }, kept ? ": kept" : ": not kept"))));
    },
    destroy: () => view.destroy(),
  };
}

/** @type {import("./types.js").Screen<State>} */
export const screen = {
  stage: "captions",
  title: "Captions",
  help: [
    { keys: "Escape", does: "leave the text; then the keys below work on the picture" },
    { keys: "Enter", does: "back to the text" },
    { keys: "+ −", does: "zoom; the wheel too" },
    { keys: "m", does: "magnifier" },
    { keys: "0", does: "all of the picture" },
  ],
  start: () => ({ text: "" }),
  mount,
  problem: ({ text }, task) => checked(text, task).find(({ kept }) => !kept)?.problem ?? null,
  body: ({ text }) => ({ text: tidied(text) }),
  refused(_code, message, desk) {
    const problem = desk.root.querySelector(".problem");
    if (problem) problem.textContent = `${message[0].toUpperCase()}${message.slice(1)}. Say it in other words.`;
    return Boolean(problem);
  },
};
