// Pieces that the manager's pages share: figures in words, tables, pages of lists, pictures.

import { element } from "./page.js";
import { STAGES } from "./work_list.js";

/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {Node | string | number | null | undefined | false} Content */
/**
 * A column. value: what a cell shows. sort: the name by which the server sorts.
 * @template T
 * @typedef {{title: string, value: (row: T) => Content, right?: boolean, sort?: string, hint?: string, text?: boolean}} ColumnOf
 */

/** @param {number | null | undefined} value */
export const count = (value) => (value == null ? "–" : value.toLocaleString("en"));
/** @param {number | null | undefined} value @param {number} [digits] */
export const decimal = (value, digits = 2) => (value == null ? "–" : value.toFixed(digits));
/** @param {number | null | undefined} value */
export const percent = (value) => (value == null ? "–" : `${Math.round(100 * value)} %`);

/** @param {number} value hours */
export function hours(value) {
  if (value >= 100) return `${Math.round(value).toLocaleString("en")} h`;
  return value >= 1 ? `${value.toFixed(1)} h` : `${Math.round(60 * value)} min`;
}

/** @param {number} value */
export const money = (value) => value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 2 : 0 });

/** @param {number | null | undefined} at UTC microseconds */
export const day = (at) => (at == null ? "–" : new Date(at / 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }));

/** @param {string} stage */
export const stageName = (stage) => STAGES[stage]?.[0] ?? { training: "Training" }[stage] ?? stage;

/** @param {unknown} error */
export const words = (error) => (error instanceof Error ? error.message : String(error));

/** @param {HTMLElement} root @param {unknown} error */
export function showProblem(root, error) {
  root.append(element("p", { class: "banner error", role: "alert" }, words(error)));
}

/** A line that tells what has just happened. */
export function notice() {
  const line = element("p", { class: "banner good", role: "status", hidden: true });
  return {
    line,
    /** @param {string} text */
    say(text) {
      line.className = "banner good";
      line.textContent = text;
      line.hidden = false;
    },
    /** @param {unknown} error */
    refuse(error) {
      line.className = "banner error";
      line.textContent = words(error);
      line.hidden = false;
    },
  };
}

/** @param {string} title @param {...Content} content */
export const section = (title, ...content) => element("section", { class: "card form", "aria-label": title }, element("h2", {}, title), ...content);

/** @param {string} text @param {...Content} more */
export const empty = (text, ...more) => element("div", { class: "empty" }, element("p", {}, text), ...more);

/** @param {string} text @param {"good" | "warn" | "bad" | "accent" | ""} [kind] */
export const badge = (text, kind = "") => element("span", { class: `badge ${kind}` }, text);

/** @type {Record<string, "good" | "warn" | "bad" | "accent" | "">} */
const STATE_KINDS = {
  active: "good", open: "good", accepted: "good", passed: "good", kept: "good", known_good: "good",
  paused: "warn", pending: "warn", look_again: "warn", candidate: "warn",
  banned: "bad", discarded: "bad", missed: "bad", gate_failed: "bad", removed: "bad", known_bad: "bad",
  training: "accent", iconic: "accent",
};
/** @param {string} state */
export const stateBadge = (state) => badge(state.replaceAll("_", " "), STATE_KINDS[state] ?? "");

/** @param {Record<string, Content>} of */
export function figures(of) {
  return element("dl", { class: "figures" }, ...Object.entries(of).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
}

/**
 * A table; with `onSort`, columns that the server sorts by have buttons.
 * @template T
 * @param {string} caption
 * @param {ColumnOf<T>[]} columns
 * @param {T[]} rows
 * @param {{by: string, descending: boolean, change: (by: string) => void}} [sorting]
 */
export function table(caption, columns, rows, sorting) {
  const heads = columns.map(({ title, right, sort, hint }) => {
    const sorted = sorting && sort && sorting.by === sort;
    const direction = sorted ? (sorting.descending ? "descending" : "ascending") : null;
    return element(
      "th",
      { scope: "col", class: right ? "right" : null, "aria-sort": direction, title: hint },
      sorting && sort ? element("button", { type: "button", onclick: () => sorting.change(sort) }, title, sorted ? (sorting.descending ? " ↓" : " ↑") : "") : title,
    );
  });
  const lines = rows.map((row) =>
    element("tr", {}, ...columns.map(({ value, right, text }) => element("td", { class: right ? "right" : text ? "text" : null }, value(row)))),
  );
  return element(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    element("table", { class: "table" }, element("caption", { class: "sr" }, caption), element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...lines)),
  );
}

/**
 * A list that is fetched page by page. fetch: gives the rows after the last one that is shown, null at first.
 * @template T
 * @param {{fetch: (last: T | null) => Promise<T[]>, show: (rows: T[]) => Node, size: number, nothing: Node, more?: string}} options
 */
export async function pages({ fetch, show, size, nothing, more = "Show more" }) {
  const list = element("div", { class: "form" });
  const button = element("button", { type: "button" }, more);
  /** @type {T[]} */
  let rows = [];
  async function next() {
    button.disabled = true;
    const found = await fetch(rows.at(-1) ?? null).finally(() => (button.disabled = false));
    rows = [...rows, ...found];
    if (rows.length === 0) list.replaceChildren(nothing);
    else {
      const shown = show(rows);
      list.replaceChildren(shown, ...(found.length === size ? [button] : []));
    }
  }
  const problem = notice();
  button.addEventListener("click", () => next().catch((error) => list.append((problem.refuse(error), problem.line))));
  await next();
  return list;
}

/**
 * Of questions that overlap, the last one's answer is shown, whichever comes first. Gives for each question a function
 * that tells whether no other was asked since.
 * @returns {() => () => boolean}
 */
export function turns() {
  let last = 0;
  return () => {
    const mine = ++last;
    return () => mine === last;
  };
}

/** @param {Record<string, Picture>} media @param {number} image @param {string} variant */
export function address(media, image, variant) {
  const picture = media[image];
  return picture ? `${picture.base}/${variant}?${picture.access}` : "";
}

/**
 * @param {Record<string, Picture>} media
 * @param {number} image
 * @param {string} variant
 * @returns {Promise<HTMLImageElement>}
 */
export async function loaded(media, image, variant) {
  const picture = new Image();
  picture.src = address(media, image, variant);
  await picture.decode();
  return picture;
}

/** @param {string} label @param {Record<string, any>} attributes @param {[string, string][]} options */
export function choice(label, attributes, options) {
  return element("label", { class: "field" }, label, element("select", attributes, ...options.map(([value, text]) => element("option", { value, selected: value === attributes.value }, text))));
}

/** @type {[string, string][]} */
export const STAGE_CHOICES = [["", "all stages"], ...Object.keys(STAGES).map((stage) => /** @type {[string, string]} */ ([stage, stageName(stage)])), ["training", "Training"]];
