// A phase in words: whether it is open and for how long, what a team may send, who sees the scores.

import { leftInWords, size, until, when } from "./board_shared.js";
import { badge } from "./manage_parts.js";
import { element } from "./page.js";

/** @typedef {import("./board_shared.js").Board} Board */
/** @typedef {import("./board_shared.js").Phase} Phase */
/** @typedef {import("./board_shared.js").PhaseSettings} PhaseSettings */
/** @typedef {import("./board_shared.js").Mine} Mine */

const KINDS = {
  bbox: "boxes, by COCO's twelve numbers",
  segm: "masks, by COCO's twelve numbers",
  proposals: "boxes of any category, by average recall",
  "mask-proposals": "masks of any category, by average recall",
};
const SEEN_BY = { all: "everybody", owner: "the team that made the submission", nobody: "the organisers, for now" };

/**
 * Whether a phase takes submissions, and what comes next.
 * @param {PhaseSettings} config
 * @param {number} [now] milliseconds
 * @returns {{open: boolean, state: string, text: string}}
 */
export function openness({ opens_at: opens, closes_at: closes }, now = Date.now()) {
  if (opens && opens / 1000 > now) return { open: false, state: "not open yet", text: `Opens in ${until(opens, now)}, on ${when(opens)} UTC.` };
  if (!closes) return { open: true, state: "open", text: "It stays open until further notice." };
  if (closes / 1000 > now) return { open: true, state: "open", text: `Closes in ${until(closes, now)}, on ${when(closes)} UTC.` };
  return { open: false, state: "closed", text: `Closed ${until(closes, now)} ago, on ${when(closes)} UTC.` };
}

/** @param {number} frozen @param {number} [now] milliseconds */
export function frozenInWords(frozen, now = Date.now()) {
  return frozen / 1000 > now
    ? `in ${until(frozen, now)}, on ${when(frozen)} UTC: what is sent later is scored, but not shown`
    : `since ${when(frozen)} UTC: what was sent later is not shown`;
}

/**
 * The card that stands beside the table of a phase.
 * @param {Board} board
 * @param {Phase} phase
 * @param {Mine | null} mine
 */
export function phaseCard(board, phase, mine) {
  const { frozen_at, per_day, total, visibility, description } = phase.config;
  const { open, state, text } = openness(phase.config);
  const lines = [
    ["Scored", KINDS[/** @type {keyof typeof KINDS} */ (board.kind)]],
    ["Images", `${phase.images.toLocaleString("en")} in this phase; which of the list is not told`],
    ["A team may send", `${per_day} a day, ${total} in all`],
    ["A file may have", `${size(board.limits.max_bytes)}, ${board.limits.max_per_image.toLocaleString("en")} records an image; .json, or .zip with it`],
    ["Scores are seen by", SEEN_BY[visibility]],
    ["Equal scores", board.tie === "earlier" ? "the earlier submission goes first" : "share the place"],
    ["Table is frozen", frozen_at ? frozenInWords(frozen_at) : ""],
  ];
  const facts = element("dl", { class: "facts" }, ...lines.filter(([, one]) => one).flatMap(([name, one]) => [element("dt", {}, name), element("dd", {}, one)]));
  return element(
    "section",
    { class: "card halves", "aria-label": `Phase ${phase.name}` },
    element(
      "div",
      { class: "form" },
      element("div", { class: "row" }, element("h2", {}, `Phase ${phase.name}`), badge(state, open ? "good" : "warn"), element("span", {}, text)),
      description && element("p", { class: "plain" }, description),
      mine && open && element("p", {}, element("strong", {}, `${mine.team}: `), leftInWords(mine.left[phase.name])),
      mine && open && element("div", {}, element("a", { class: "button primary", href: `/submissions#${encodeURIComponent(phase.name)}` }, "Send a submission")),
    ),
    element("details", { open: !matchMedia("(max-width: 900px)").matches }, element("summary", { class: "hint" }, "Rules of this phase"), facts, element("p", {}, element("a", { href: "/api/board/images", download: "images.json" }, "Images and categories (JSON)"))),
  );
}
