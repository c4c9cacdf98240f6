// The leaderboard: what the benchmark is, the table of a phase, scores over time.

import { ask } from "./api.js";
import { plot } from "./board_plot.js";
import { label, openBoard, outside, score, size, when, words } from "./board_shared.js";
import { element } from "./page.js";

/** @typedef {import("./board_shared.js").Board} Board */
/** @typedef {import("./board_shared.js").Phase} Phase */
/**
 * @typedef {{rank: number, team: string, submission: number, method: string, description: string, link: string,
 *   created_at: number, numbers: Record<string, number>}} Row
 */

const KINDS = {
  bbox: "boxes, by COCO's twelve numbers",
  segm: "masks, by COCO's twelve numbers",
  proposals: "boxes of any category, by average recall",
  "mask-proposals": "masks of any category, by average recall",
};

/**
 * @param {Board} board
 * @param {Phase} phase
 */
function facts(board, phase) {
  const { opens_at, closes_at, frozen_at, per_day, total, visibility } = phase.config;
  const lines = [
    ["Scored", KINDS[/** @type {keyof typeof KINDS} */ (board.kind)]],
    ["Images", `${phase.images.toLocaleString("en")} of this phase; which of the list is not told`],
    ["Open", `${opens_at ? when(opens_at) : "now"} to ${closes_at ? `${when(closes_at)} UTC` : "further notice"}`],
    ["Limits of a team", `${per_day} a day, ${total} in all`],
    ["A file may have", `${size(board.limits.max_bytes)}, ${board.limits.max_per_image.toLocaleString("en")} records an image; .json, or .zip with it`],
    ["Equal scores", board.tie === "earlier" ? "the earlier submission goes first" : "share the place"],
    ["Scores are seen by", { all: "everybody", owner: "the team that made the submission", nobody: "the organisers, for now" }[visibility]],
    ["Table frozen at", frozen_at ? `${when(frozen_at)} UTC` : ""],
  ];
  return element("dl", { class: "facts" }, ...lines.filter(([, text]) => text).flatMap(([name, text]) => [element("dt", {}, name), element("dd", {}, text)]));
}

/**
 * @param {Row[]} rows
 * @param {string} main
 */
function table(rows, main) {
  if (!rows.length) return element("p", { class: "hint" }, "No scores to show yet.");
  const names = Object.keys(rows[0].numbers);
  names.sort((a, b) => Number(b === main) - Number(a === main));
  const head = element(
    "tr",
    {},
    element("th", { class: "right rank", scope: "col" }, "#"),
    element("th", { scope: "col" }, "Team"),
    element("th", { scope: "col" }, "Method"),
    ...names.map((name) => element("th", { class: "right", scope: "col" }, label(name))),
    element("th", { scope: "col" }, "Sent (UTC)"),
  );
  const lines = rows.map((row) =>
    element(
      "tr",
      {},
      element("td", { class: "right" }, row.rank),
      element("td", {}, row.team),
      element("td", { title: row.description || null }, row.link ? outside(row.link, row.method || row.link) : row.method),
      ...names.map((name) => element("td", { class: name === main ? "right main-number" : "right" }, score(row.numbers[name]))),
      element("td", {}, when(row.created_at)),
    ),
  );
  return element("div", { class: "scrolls" }, element("table", { class: "table" }, element("thead", {}, head), element("tbody", {}, ...lines)));
}

/**
 * @param {Board} board
 * @param {string} name
 * @param {HTMLElement} place
 */
async function showPhase(board, name, place) {
  const path = `/api/phases/${encodeURIComponent(name)}/table`;
  const { phase, rows, history } = await ask("GET", path);
  place.replaceChildren(
    element("section", { class: "card form" }, phase.config.description && element("p", { class: "plain" }, phase.config.description), facts(board, phase)),
    element(
      "section",
      { class: "card form" },
      element("div", { class: "row between" }, element("h2", {}, "Table"), element("a", { href: `${path}.csv`, download: true }, "CSV")),
      table(rows, board.main),
    ),
  );
  if (history.length) place.append(element("section", { class: "card form" }, element("h2", {}, `${label(board.main)} over time`), ...plot(history, label(board.main))));
}

const { board, content } = await openBoard();
try {
  const place = element("div", { class: "form", "aria-live": "polite" });
  const buttons = board.phases.map(({ name }) => element("button", { type: "button", onclick: () => (location.hash = encodeURIComponent(name)) }, name));
  content.append(
    board.description ? element("p", { class: "plain" }, board.description) : "",
    element(
      "div",
      { class: "row between" },
      element("div", { class: "segments", role: "group", "aria-label": "Phase" }, ...buttons),
      element("a", { href: "/api/board/images", download: "images.json" }, "Images and categories (JSON)"),
    ),
    place,
  );
  const show = async () => {
    const wanted = decodeURIComponent(location.hash.slice(1));
    const name = board.phases.some((phase) => phase.name === wanted) ? wanted : board.phases[0].name;
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === name)));
    await showPhase(board, name, place);
  };
  addEventListener("hashchange", show);
  await show();
} catch (error) {
  content.append(element("p", { class: "problem", role: "alert" }, words(error)));
}
