// For organisers: the submissions of all teams, live, and those that are nearly the same.

import { ask } from "./api.js";
import { label, numberList, OPEN_STATES, outside, score, size, stateBadge, when } from "./board_shared.js";
import { searching } from "./board_search.js";
import { empty, notice, section, table, turns, words } from "./manage_parts.js";
import { element, field, openDialog } from "./page.js";

/** @typedef {import("./board_shared.js").Board} Board */
/** @typedef {import("./board_shared.js").Submission} Submission */
/** @typedef {{submission: number, team: string, other: number, other_team: string, similarity: number, created_at: number}} NearEqual */

const AGAIN_MS = 3000;

/**
 * @param {HTMLElement} root
 * @param {Board} board
 * @returns {Promise<() => void>} ends the watching
 */
export async function sent(root, board) {
  const said = notice();
  const [list, near] = [element("div"), element("div")];
  const search = searching(["team", "method"], () => watch());
  let [known, same] = ["", ""]; // the submissions and the pairs that are shown
  let timer = 0;
  let ended = false;
  const turn = turns();
  let offline = false;
  /** Shows what there is now, and again after a while; what cannot be asked now is asked later. */
  async function watch() {
    clearTimeout(timer);
    try {
      await refresh();
      if (offline) said.line.hidden = true;
      offline = false;
    } catch (error) {
      offline = true;
      said.refuse(new Error(`${words(error)}; this list is as it was, and is asked for again`));
    }
    clearTimeout(timer);
    if (!ended) timer = setTimeout(watch, AGAIN_MS);
  }
  async function refresh() {
    const isLast = turn();
    /** @type {[Submission[], NearEqual[]]} */
    const [found, pairs] = await Promise.all([ask("GET", search.address("/api/organise/submissions")), ask("GET", "/api/organise/near-equal")]);
    if (!isLast()) return;
    search.show(found);
    // only what has changed is drawn: somebody may be about to press a button
    if (known !== JSON.stringify(found)) {
      known = JSON.stringify(found);
      list.replaceChildren(found.length > 0 ? table("Submissions of all teams", columns(board, said, refresh), found) : empty(search.narrowed() ? "None that fits." : "No team has sent anything yet."));
    }
    if (same !== JSON.stringify(pairs)) {
      same = JSON.stringify(pairs);
      near.replaceChildren(pairs.length > 0 ? table("Nearly the same", pairColumns, pairs) : empty("None so far."));
    }
  }
  root.append(
    said.line,
    section("Submissions", search.form, list, search.pages),
    section("Nearly the same", element("p", { class: "hint" }, "Many small changes of one submission may be an attempt to learn the hidden annotations."), near),
  );
  await watch();
  return () => {
    ended = true;
    search.end();
    clearTimeout(timer);
  };
}

/** @param {Board} board @param {ReturnType<typeof notice>} said @param {() => Promise<void>} refresh @returns {import("./manage_parts.js").ColumnOf<Submission>[]} */
function columns(board, said, refresh) {
  /** @param {string} text @param {string} name @param {Submission} one @param {() => void} work */
  const button = (text, name, one, work) => element("button", { class: "small", type: "button", "aria-label": `${name} submission ${one.id}`, onclick: work }, text);
  const can = (/** @type {Submission} */ one) => one.state === "scored" || OPEN_STATES.includes(one.state);
  return [
    { title: "No.", value: (one) => one.id, right: true },
    { title: "Phase", value: (one) => one.phase },
    { title: "Team", value: (one) => one.team, text: true },
    { title: "State", value: (one) => element("div", { class: "state" }, stateBadge(one), one.reason && element("div", { class: "reason" }, one.reason)) },
    { title: label(board.main), value: (one) => element("span", { class: "main-number" }, score(one.numbers[board.main])), right: true },
    { title: "Method", value: (one) => one.method, text: true },
    { title: "Sent (UTC)", value: (one) => element("span", { class: "date" }, when(one.created_at)) },
    { title: "Actions", value: (one) => element("div", { class: "row" }, button("Details…", "Details of", one, () => details(one)), can(one) && button("Withdraw…", "Withdraw", one, () => withdraw(one, said, refresh))) },
  ];
}

/** @param {Submission} one */
function details(one) {
  openDialog(
    `Submission ${one.id} of ${one.team}`,
    [
      element(
        "div",
        { class: "form" },
        element("p", { class: "plain" }, one.description || "Not described."),
        one.link ? element("p", { class: "plain" }, outside(one.link, one.link)) : "",
        numberList(one.numbers),
        element("p", { class: "hint plain" }, `${one.file_name}, ${size(one.bytes)}, sent ${when(one.created_at)} UTC`),
      ),
    ],
    [{ value: "", text: "Close", kind: "primary" }],
  );
}

/** @param {Submission} one @param {ReturnType<typeof notice>} said @param {() => Promise<void>} refresh */
async function withdraw(one, said, refresh) {
  const why = field("Why; the team reads it", { maxlength: 300 });
  const text = one.state === "scored" ? `It leaves the table of ${one.phase}.` : "It will not be scored.";
  const { answer } = openDialog(`Withdraw submission ${one.id} of ${one.team}?`, [element("div", { class: "form" }, element("p", {}, `${text} This cannot be undone, and stands in the events.`), why)], [
    { value: "", text: "Keep it" },
    { value: "yes", text: "Withdraw", kind: "danger" },
  ]);
  if ((await answer) !== "yes") return;
  try {
    await ask("POST", `/api/submissions/${one.id}/withdraw`, { reason: why.querySelector("input")?.value ?? "" });
    said.say(`Submission ${one.id} is withdrawn.`);
    await refresh();
  } catch (error) {
    said.refuse(error);
  }
}

/** @type {import("./manage_parts.js").ColumnOf<NearEqual>[]} */
const pairColumns = [
  { title: "Submission", value: (pair) => `${pair.submission}, ${pair.team}`, text: true },
  { title: "Earlier one", value: (pair) => `${pair.other}, ${pair.other_team}`, text: true },
  { title: "The same", value: (pair) => `${Math.round(pair.similarity * 100)} %`, right: true },
  { title: "When (UTC)", value: (pair) => when(pair.created_at) },
];
