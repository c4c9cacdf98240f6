// The table of a phase. A row unfolds to what its team says of the method, and all numbers.

import { label, numberList, outside, score, when } from "./board_shared.js";
import { element } from "./page.js";

/**
 * @typedef {{rank: number, team: string, submission: number, method: string, description: string, link: string,
 *   created_at: number, numbers: Record<string, number>}} Row
 */

/**
 * @param {Row[]} rows
 * @param {string} main the number that ranks
 * @param {string} own team of who looks
 */
export function scoreTable(rows, main, own) {
  const names = Object.keys(rows[0].numbers).sort((a, b) => Number(b === main) - Number(a === main));
  const head = element(
    "tr",
    {},
    element("th", { class: "right", scope: "col" }, "#"),
    element("th", { scope: "col" }, "Team"),
    element("th", { scope: "col" }, "Method"),
    ...names.map((name) => element("th", { class: name === main ? "right" : "right roomy", scope: "col" }, label(name))),
    element("th", { class: "roomy", scope: "col" }, "Sent (UTC)"),
  );
  const lines = rows.flatMap((row) => unfolding(row, names, main, own));
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": "Scores" },
    element("table", { class: "table scores" }, element("caption", { class: "sr" }, "The best submission of each team"), element("thead", {}, head), element("tbody", {}, ...lines)),
  );
}

/** @param {Row} row @param {string[]} names @param {string} main @param {string} own */
function unfolding(row, names, main, own) {
  const key = `about-${row.submission}`;
  const more = element(
    "tr",
    { class: "unfolded", id: key, hidden: true },
    element(
      "td",
      { colspan: names.length + 4 },
      element(
        "div",
        { class: "form" },
        element("p", { class: "plain" }, row.description || "The team has not described this method."),
        row.link && element("p", { class: "plain" }, outside(row.link, row.link)),
        numberList(Object.fromEntries(names.map((name) => [name, row.numbers[name]]))),
        element("p", { class: "hint" }, `Submission ${row.submission}, sent ${when(row.created_at)} UTC`),
      ),
    ),
  );
  const button = element("button", { class: "unfold", type: "button", "aria-expanded": "false", "aria-controls": key, onclick: turn }, row.method || "without a name");
  function turn() {
    more.hidden = !more.hidden;
    button.setAttribute("aria-expanded", String(!more.hidden));
  }
  const line = element(
    "tr",
    { class: row.team === own ? "own" : null },
    element("td", { class: "right" }, row.rank),
    element("td", { class: "name" }, row.team, row.team === own && " ", row.team === own && element("span", { class: "badge accent" }, "yours")),
    element("td", { class: "name" }, button),
    ...names.map((name) => element("td", { class: name === main ? "right main-number" : "right roomy" }, score(row.numbers[name]))),
    element("td", { class: "roomy date" }, when(row.created_at)),
  );
  return [line, more];
}
