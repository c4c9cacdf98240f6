// What a worker should know of a stage, beside the work; it can be put away, and stays away.

import { element, keycaps } from "./page.js";
import { recall, remember } from "./settings.js";

const HIDDEN = "guide-hidden";
const NARROW = "(max-width: 900px)"; // as in design.css

/**
 * @param {string} title
 * @param {string} lead
 * @param {{name: string, what: string, keys?: string, pictures?: Element[]}[]} cases
 */
export function makeGuide(title, lead, cases) {
  const aside = element(
    "aside",
    { class: "guide", "aria-label": "What to do", tabindex: 0 },
    element("h2", {}, title),
    element("p", {}, lead),
    ...cases.map(({ name, what, keys, pictures = [] }) =>
      element(
        "section",
        { class: pictures[0]?.classList.contains("drawn") ? "case drawn" : "case" },
        element("h3", {}, name, keys && " ", keys && keycaps(keys)),
        pictures.length > 0 && element("div", { class: "examples" }, ...pictures),
        element("p", { class: "hint" }, what),
      ),
    ),
  );
  const button = element("button", { type: "button", title: "What to do, with examples", onclick: () => show(aside.hidden === true) }, "Guide");
  /** @param {boolean} open */
  function show(open) {
    aside.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    remember(HIDDEN, open ? null : "yes");
  }
  aside.hidden = recall(HIDDEN) !== null || matchMedia(NARROW).matches; // there it would cover the work
  button.setAttribute("aria-expanded", String(!aside.hidden));
  return { aside, button };
}
