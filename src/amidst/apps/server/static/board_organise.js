// For organisers: phases, the benchmark, teams and people, submissions, events; one tab each.

import { benchmark } from "./board_benchmark.js";
import { events } from "./board_events.js";
import { openBoard, whom } from "./board_shared.js";
import { phases } from "./board_settings.js";
import { sent } from "./board_sent.js";
import { teams } from "./board_teams.js";
import { empty, showProblem } from "./manage_parts.js";
import { element } from "./page.js";

/** @typedef {import("./types.js").Account} Account */
/** @typedef {import("./board_shared.js").Board} Board */
/** @typedef {(root: HTMLElement, account: Account, board: Board) => Promise<void | (() => void)>} Tab fills its root; may give what ends it */

/** @type {Record<string, {title: string, tab: Tab}>} */
const TABS = {
  phases: { title: "Phases", tab: phases },
  benchmark: { title: "Benchmark", tab: benchmark },
  teams: { title: "Teams and people", tab: teams },
  submissions: { title: "Submissions", tab: (root, _, board) => sent(root, board) },
  events: { title: "Events", tab: events },
};

const { account, board, content } = await openBoard();
const main = /** @type {HTMLElement} */ (content.parentElement);

/** @type {void | (() => void)} */
let close;
let opened = 0;

/** @param {Account} who */
async function show(who) {
  close?.();
  close = undefined;
  const mine = ++opened;
  const name = location.hash.slice(1) in TABS ? location.hash.slice(1) : "phases";
  const root = element("div", { class: "page" });
  const links = Object.entries(TABS).map(([key, { title }]) => element("a", { href: `#${key}`, "aria-current": key === name ? "page" : null }, title));
  main.replaceChildren(element("nav", { class: "tabs", "aria-label": "Organise" }, ...links), root);
  try {
    const end = await TABS[name].tab(root, who, board);
    if (mine === opened) close = end;
    else end?.();
  } catch (error) {
    showProblem(root, error);
  }
  root.classList.add("ready");
}

if (!account) location.replace("/enter?to=/organise");
else if (!["owner", "manager"].includes(account.role)) content.append(empty("This page is for the organisers.", element("p", { class: "hint" }, "The first organiser makes others, by a link."), whom(board)));
else {
  addEventListener("hashchange", () => show(account));
  await show(account);
}
