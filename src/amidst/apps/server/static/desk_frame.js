// The parts of the desk's page: notices, tools, the stage, the foot with what is said and what can be pressed.

import { element, keycaps } from "./page.js";

/**
 * @typedef {object} Frame
 * @property {HTMLElement} notices
 * @property {HTMLElement} toolbar
 * @property {HTMLElement} stage
 * @property {HTMLElement} said
 * @property {HTMLElement} saved
 * @property {HTMLButtonElement} undo
 * @property {HTMLButtonElement} redo
 * @property {HTMLButtonElement} giveBack
 * @property {HTMLButtonElement} stop
 * @property {HTMLButtonElement} submit
 */

/**
 * @param {HTMLElement} main
 * @param {{undo: () => void, redo: () => void, giveBack: () => void, stop: () => void, submit: () => void}} actions
 * @returns {Frame}
 */
export function makeFrame(main, actions) {
  const button = (/** @type {string} */ text, /** @type {string} */ keys, /** @type {() => void} */ onclick, kind = "") =>
    element("button", { type: "button", class: kind, onclick }, text, keys && keycaps(keys));
  const frame = {
    notices: element("div", { class: "notices" }),
    toolbar: element("div", { class: "toolbar", role: "toolbar", "aria-label": "Tools" }),
    stage: element("section", { class: "stage", "aria-label": "Work" }),
    said: element("p", { class: "said", role: "status" }),
    saved: element("span", { class: "hint", "data-saved": "" }),
    undo: button("Undo", "", actions.undo, "quiet"),
    redo: button("Redo", "", actions.redo, "quiet"),
    giveBack: button("Give back", "", actions.giveBack, "quiet"),
    stop: button("Stop here", "", actions.stop, "quiet"),
    submit: button("Submit", "Ctrl Enter", actions.submit, "primary"),
  };
  frame.undo.title = "Take back the last step (Ctrl Z)";
  frame.redo.title = "Do it again (Ctrl Shift Z)";
  frame.giveBack.title = "Somebody else shall do this one";
  frame.stop.title = "Leave the desk; what is fetched ahead goes back";
  main.classList.add("desk");
  main.replaceChildren(
    frame.notices,
    frame.toolbar,
    frame.stage,
    element("footer", { class: "foot" }, frame.said, frame.saved, frame.undo, frame.redo, frame.giveBack, frame.stop, frame.submit),
  );
  return frame;
}

/**
 * A line over the tools that stays; the same name replaces it, without text it goes.
 * @param {Frame} frame
 * @param {string} name
 * @param {string} text
 * @param {"info" | "warning" | "error"} kind
 * @param {...Node} more
 */
export function notice(frame, name, text, kind = "info", ...more) {
  frame.notices.querySelector(`[data-notice="${name}"]`)?.remove();
  if (text) frame.notices.append(element("div", { class: `banner ${kind}`, role: "status", "data-notice": name }, element("span", { class: "grow" }, text), ...more));
}

/**
 * Nothing to work on.
 * @param {Frame} frame
 * @param {string} text
 * @param {...Node} more
 */
export function showEmpty(frame, text, ...more) {
  frame.toolbar.replaceChildren();
  frame.stage.replaceChildren(element("div", { class: "empty" }, element("p", { class: "large" }, text), ...more, element("a", { class: "button", href: "/work" }, "All stages")));
}
