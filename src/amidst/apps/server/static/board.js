// The leaderboard: what the benchmark is, what a phase is beside its table, scores over time.

import { ask } from "./api.js";
import { openness, phaseCard } from "./board_phase.js";
import { plot } from "./board_plot.js";
import { label, openBoard, ownTeam, wanted, whom } from "./board_shared.js";
import { scoreTable } from "./board_table.js";
import { section, showProblem, turns } from "./manage_parts.js";
import { element } from "./page.js";

/** @typedef {import("./board_shared.js").Board} Board */
/** @typedef {import("./board_shared.js").Mine} Mine */
/** @typedef {import("./board_shared.js").Phase} Phase */

/**
 * Why a table is empty, and what to do about it.
 * @param {Phase} phase
 * @param {Mine | null} mine
 */
function noScores({ config }, mine) {
  const hidden = { nobody: "The organisers have not opened the scores of this phase.", owner: "Each team sees its own scores here; yours has none yet.", all: "No scores to show yet." }[config.visibility];
  const next = config.visibility === "nobody" ? "" : mine && openness(config).open ? "Send the first submission." : mine ? "" : "Teams come in by an invitation of the organisers.";
  return element("div", { class: "empty" }, element("p", {}, hidden), next && element("p", { class: "hint" }, next));
}

/**
 * @param {Board} board
 * @param {string} name
 * @param {HTMLElement} place
 * @param {Mine | null} mine
 * @param {() => boolean} isLast whether no other phase was asked for since
 */
async function showPhase(board, name, place, mine, isLast) {
  const path = `/api/phases/${encodeURIComponent(name)}/table`;
  const { phase, rows, history } = await ask("GET", path);
  if (!isLast()) return;
  const frozen = phase.config.frozen_at && phase.config.frozen_at / 1000 < Date.now();
  const table = section(
    "Table",
    frozen && element("p", { class: "banner warning" }, "This table is frozen: later submissions are scored, but not shown."),
    rows.length > 0 ? scoreTable(rows, board.main, mine?.team ?? "") : noScores(phase, mine),
    rows.length > 0 && element("p", { class: "row hint" }, "A method unfolds to its description and all numbers.", element("a", { href: `${path}.csv`, download: "leaderboard.csv" }, "CSV")),
  );
  const over = history.length > 0 && section(`${label(board.main)} over time`, ...plot(history, label(board.main)));
  place.replaceChildren(phaseCard(board, phase, mine), table, ...(over ? [over] : []));
}

const { account, board, content } = await openBoard();
try {
  const mine = await ownTeam(account);
  const place = element("div", { class: "phase" });
  const buttons = board.phases.map(({ name }) => element("button", { type: "button", onclick: () => (location.hash = encodeURIComponent(name)) }, name));
  content.append(
    board.description ? element("p", { class: "plain" }, board.description) : "",
    whom(board),
    buttons.length > 1 ? element("div", {}, element("div", { class: "segments", role: "group", "aria-label": "Phase" }, ...buttons)) : "",
    place,
  );
  const turn = turns();
  const show = async () => {
    const isLast = turn();
    const name = (board.phases.find((phase) => phase.name === wanted()) ?? board.phases[0]).name;
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === name)));
    await showPhase(board, name, place, mine, isLast);
    content.classList.add("ready");
  };
  addEventListener("hashchange", () => show().catch((error) => showProblem(content, error)));
  await show();
} catch (error) {
  showProblem(content, error);
}
