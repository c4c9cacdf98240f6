// Keys by name: "Ctrl+Z", "Shift+ArrowLeft", "m", "Enter", "?". Letters are lower case without Shift's name.

import { isTyping } from "./page.js";

/**
 * The name of what was pressed. Command counts as Ctrl.
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean, shiftKey: boolean}} event
 */
export function keyName(event) {
  const held = [];
  if (event.ctrlKey || event.metaKey) held.push("Ctrl");
  if (event.altKey) held.push("Alt");
  const letter = event.key.length === 1;
  if (event.shiftKey && (!letter || /[a-z]/i.test(event.key) || event.key === " ")) held.push("Shift");
  const key = event.key === " " ? "Space" : letter ? (held.length > 0 ? event.key.toUpperCase() : event.key) : event.key;
  return [...held, key].join("+");
}

/**
 * Calls what belongs to a key and keeps the browser from doing its own. While someone writes, only keys with Ctrl and
 * Escape are taken; undo and redo of text are the browser's.
 * @param {() => Record<string, (event: KeyboardEvent) => void>} map asked at each key
 * @returns {() => void} stops listening
 */
export function listen(map) {
  /** @param {KeyboardEvent} event */
  const pressed = (event) => {
    if (event.defaultPrevented || event.isComposing || document.querySelector("dialog[open]")) return;
    const name = keyName(event);
    const typing = isTyping(event.target);
    if (typing && !(name.startsWith("Ctrl+") && !/\+(Z|Y|Shift\+Z|[ACVX])$/.test(name)) && name !== "Escape") return;
    // a button in focus keeps what would press it
    if ((name === "Enter" || name === "Space") && event.target instanceof Element && event.target.closest("button, a, summary, select, input")) return;
    const act = map()[name];
    if (!act) return;
    event.preventDefault();
    act(event);
  };
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}
