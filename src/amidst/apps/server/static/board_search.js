// Looking through long lists of submissions: words and a state that stand in the address, one page at a time.

import { choice } from "./manage_parts.js";
import { element, field } from "./page.js";

export const PAGE = 100;
const STATES = ["received", "checking", "queued", "running", "scored", "failed", "timed_out", "withdrawn"];

/**
 * @param {string[]} names of the words that are asked for, such as "team"
 * @param {() => void} changed called when another page is to be shown
 */
export function searching(names, changed) {
  const keys = [...names, "state"];
  const state = choice("State", { name: "state" }, [["", "all"], ...STATES.map((one) => /** @type {[string, string]} */ ([one, one.replace("_", " ")]))]);
  const words = names.map((name) => field(`${name[0].toUpperCase()}${name.slice(1)} has`, { name, type: "search", maxlength: 100 }));
  const form = element("form", { class: "row search", role: "search", "aria-label": "Submissions" }, ...words, state, element("button", {}, "Search"));
  const newest = element("button", { type: "button", hidden: true, onclick: () => go("") }, "Newest");
  const older = element("button", { type: "button", hidden: true }, "Older");
  const told = element("span", { class: "hint", role: "status" });
  const asked = () => new URLSearchParams([...new URLSearchParams(location.search)].filter(([key, value]) => value && [...keys, "before"].includes(key)));
  const fill = () => keys.forEach((key) => (/** @type {HTMLInputElement} */ (form.elements.namedItem(key)).value = asked().get(key) ?? ""));
  /** @param {string | number} before */
  function go(before) {
    const values = new FormData(form);
    const found = new URLSearchParams(keys.map((key) => [key, String(values.get(key)).trim()]).filter(([, value]) => value));
    if (before) found.set("before", String(before));
    history.pushState(null, "", `${location.pathname}?${found}${location.hash}`.replace("?#", "#"));
    changed();
  }
  const back = () => (fill(), changed());
  form.addEventListener("submit", (event) => (event.preventDefault(), go("")));
  state.addEventListener("change", () => go(""));
  addEventListener("popstate", back);
  fill();
  return {
    form,
    pages: element("div", { class: "row" }, newest, older, told),
    /** Whether something is looked for. */
    narrowed: () => [...asked()].length > 0,
    /** What the server is asked. @param {string} path */
    address: (path) => `${path}?${new URLSearchParams([...asked(), ["limit", String(PAGE)]])}`,
    /** @param {{id: number}[]} rows the page that is shown */
    show(rows) {
      newest.hidden = !asked().has("before");
      older.hidden = rows.length < PAGE;
      older.onclick = () => go(rows[rows.length - 1].id);
      const text = keys.some((key) => asked().has(key)) ? (rows.length < PAGE ? `${rows.length} found on this page` : `${rows.length} on this page`) : "";
      if (told.textContent !== text) told.textContent = text;
    },
    end: () => removeEventListener("popstate", back),
  };
}
