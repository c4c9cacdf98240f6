// Every automatic step: what was looked at, and what followed.

import { ask } from "./api.js";
import { day, empty, notice, pages, section } from "./manage_parts.js";
import { element, field } from "./page.js";

const SIZE = 30;
const SUBJECT = "[a-z_]{1,40}/[0-9]{1,18}(/[0-9]{1,18})?";
const MOST = 12; // entries of a list that are shown

/** @param {HTMLElement} root */
export async function decisions(root) {
  const subject = decodeURIComponent(location.hash.slice(1));
  const said = notice();
  const form = element(
    "form",
    { class: "row" },
    field("Of what, such as cell/7, image/3, segmentation/12", { name: "subject", value: subject, pattern: SUBJECT, title: "a word, a stroke and a number, such as cell/7", maxlength: 80 }),
    element("button", { class: "primary" }, "Show"),
    subject && element("a", { class: "button", href: "#" }, "The latest of all"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    location.hash = String(new FormData(form).get("subject"));
  });
  root.append(form, said.line);
  if (subject && !new RegExp(`^${SUBJECT}$`).test(subject)) return said.refuse(`There is nothing called “${subject}”. Write a word, a stroke and a number, such as cell/7.`);
  const nothing = empty(subject ? `Nothing has been decided about ${subject}.` : "Nothing has been decided yet.");
  const list = await pages({
    size: SIZE,
    nothing,
    more: "Show earlier ones",
    fetch: (last) => (subject ? ask("GET", `/api/decisions?subject=${encodeURIComponent(subject)}`) : ask("GET", `/api/decisions?limit=${SIZE}${last ? `&before=${last.id}` : ""}`)),
    show: (rows) => element("div", { class: "form" }, ...rows.map(entry)),
  });
  root.append(section(subject ? `About ${subject}, oldest first` : "The latest decisions", list));
}

/** @param {any} row */
function entry({ rule, subject, inputs, outcome, created_at }) {
  return element(
    "article",
    { class: "card form" },
    element("div", { class: "row between" }, element("span", {}, element("strong", {}, rule.replaceAll("_", " ")), " of ", element("a", { href: `#${subject}` }, subject)), element("span", { class: "hint" }, day(created_at))),
    tree(outcome),
    element("details", {}, element("summary", { class: "hint" }, "What was looked at"), tree(inputs)),
  );
}

/** Plain values as names and words. @param {Record<string, any>} value */
export function tree(value) {
  return element("dl", { class: "tree" }, ...Object.entries(value).flatMap(([name, one]) => [element("dt", {}, name.replaceAll("_", " ")), element("dd", {}, inLine(one))]));
}

/** @param {any} value @returns {string} */
function inLine(value) {
  if (Array.isArray(value)) {
    if (value.length === 0) return "none";
    const shown = value.slice(0, MOST).map(inLine).join(", ");
    return value.length > MOST ? `${shown} … ${value.length} in all` : shown;
  }
  if (value && typeof value === "object") return Object.entries(value).map(([name, one]) => `${name.replaceAll("_", " ")} ${inLine(one)}`).join(", ");
  return value === "" ? "–" : String(value);
}
