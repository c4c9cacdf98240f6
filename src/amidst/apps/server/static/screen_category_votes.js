// Category votes: a score from 1 to 5 for every candidate, by keys one after the other.

import { makeGuide } from "./guide.js";
import { element, keycaps } from "./page.js";

/** @typedef {import("./types.js").BallotTask} BallotTask */
/** @typedef {{scores: Record<string, number>, comments: Record<string, string>}} State by candidate id */
/** @typedef {import("./types.js").Desk<State>} Desk */

const SCORES = [1, 2, 3, 4, 5];
const MEANING = ["leave it out", "rather not", "undecided", "rather yes", "must be in"];

/**
 * @param {State} state
 * @param {number} id
 * @param {number | undefined} score
 * @returns {State}
 */
export function scored(state, id, score) {
  const { [id]: _, ...scores } = state.scores;
  return { ...state, scores: score ? { ...scores, [id]: score } : scores };
}

/**
 * The next candidate without a score, going around; -1 if there is none.
 * @param {State} state
 * @param {{id: number}[]} candidates
 * @param {number} after
 */
export function nextUnscored(state, candidates, after) {
  for (let step = 1; step <= candidates.length; step += 1) {
    const at = (after + step) % candidates.length;
    if (!state.scores[candidates[at].id]) return at;
  }
  return -1;
}

/** @param {Desk} desk */
function mount(desk) {
  /** @type {BallotTask["candidates"]} */
  const candidates = desk.task.candidates;
  let current = Math.max(nextUnscored(desk.state(), candidates, -1), 0);
  const rows = candidates.map((candidate, at) => rowOf(candidate, at));
  const list = element("div", { class: "ballot", role: "group", "aria-label": "Candidates" }, ...rows.map(({ row }) => row));
  const { aside, button } = makeGuide("Which categories should be in the dataset?", "Give every candidate 1 to 5 points. Nobody sees the points of others before the end.", [
    { name: "How common", what: "Is it seen often in everyday photographs?" },
    { name: "How useful", what: "Would a machine that knows it be of use?" },
    { name: "How different", what: "Is it a kind of its own, and not nearly the same as another candidate? Is it a thing that can be counted, not a stuff or a part?" },
    ...SCORES.map((score) => ({ name: MEANING[score - 1], keys: String(score), what: "" })),
  ]);
  desk.root.append(element("div", { class: "beside" }, aside, element("div", { class: "area scroller" }, list)));
  const count = element("span", { class: "badge number" });
  const bar = element("progress", { max: candidates.length, "aria-label": "Scored" });
  desk.toolbar.append(
    element("span", { class: "subject" }, "Score every candidate"),
    count,
    bar,
    element("span", { class: "grow" }),
    element("button", { type: "button", title: "Go to the next one without a score", onclick: open }, "Next without", keycaps("u")),
    button,
  );

  /** @param {{id: number, name: string, supercategory: string}} candidate @param {number} at */
  function rowOf({ id, name, supercategory }, at) {
    const points = SCORES.map((score) =>
      element("button", { type: "button", role: "radio", "aria-checked": "false", "aria-label": `${score}, ${MEANING[score - 1]}`, title: MEANING[score - 1], tabindex: -1, onclick: () => give(at, score) }, String(score)),
    );
    const comment = element("input", { class: "comment", placeholder: "Comment", maxlength: 500, "aria-label": `Comment on ${name}`, tabindex: -1, autocomplete: "off" });
    comment.addEventListener("input", () => desk.change({ ...desk.state(), comments: { ...desk.state().comments, [id]: comment.value } }, `comment ${id}`, "typing"));
    comment.addEventListener("keydown", (event) => {
      if (event.key === "Enter") go(at + 1);
      if (event.key === "Escape") go(at);
      if (event.key === "Enter" || event.key === "Escape") event.stopPropagation();
    });
    const group = element("span", { class: "segments", role: "radiogroup", "aria-label": `Points for ${name}` }, ...points);
    const row = element("div", { class: "candidate", tabindex: -1, "data-candidate": id }, element("span", { class: "of" }, String(at + 1)), element("span", { class: "name" }, name), element("span", { class: "hint" }, supercategory), group, comment);
    row.addEventListener("focusin", () => at !== current && go(at, false));
    return { row, points, comment };
  }

  /** @param {number} at @param {boolean} [focus] */
  function go(at, focus = true) {
    const to = Math.min(Math.max(at, 0), candidates.length - 1);
    rows[current]?.row.classList.remove("current");
    for (const { row } of rows.slice(current, current + 1)) row.tabIndex = -1;
    current = to;
    rows[to].row.classList.add("current");
    rows[to].row.tabIndex = 0;
    if (!focus) return;
    rows[to].row.focus({ preventScroll: true });
    rows[to].row.scrollIntoView({ block: "nearest" });
    rows[Math.min(to + 2, rows.length - 1)].row.scrollIntoView({ block: "nearest" });
  }

  /** @param {number} at @param {number} score */
  function give(at, score) {
    const { id } = candidates[at];
    if (desk.state().scores[id] !== score) desk.change(scored(desk.state(), id, score), `score ${id}`);
    go(at + 1);
    if (nextUnscored(desk.state(), candidates, at) < 0) desk.say("Every candidate has its points: hand it in with Ctrl Enter.");
  }
  function open() {
    const next = nextUnscored(desk.state(), candidates, current);
    if (next >= 0) go(next);
    else desk.say("Every candidate has its points.");
  }
  function take() {
    desk.change(scored(desk.state(), candidates[current].id, undefined), `no score ${candidates[current].id}`);
  }

  desk.keys({
    ...Object.fromEntries(SCORES.map((score) => [String(score), () => give(current, score)])),
    ArrowUp: () => go(current - 1),
    ArrowDown: () => go(current + 1),
    PageUp: () => go(current - 10),
    PageDown: () => go(current + 10),
    Home: () => go(0),
    End: () => go(candidates.length - 1),
    u: open,
    c: () => rows[current].comment.focus(),
    Delete: take,
    Backspace: take,
  });
  if (candidates.length > 0) go(current);

  return {
    /** @param {State} state */
    update({ scores, comments }) {
      rows.forEach(({ row, points, comment }, at) => {
        const { id } = candidates[at];
        row.dataset.score = String(scores[id] ?? "");
        points.forEach((point, place) => point.setAttribute("aria-checked", String(scores[id] === SCORES[place])));
        if (comment.value !== (comments[id] ?? "")) comment.value = comments[id] ?? "";
      });
      const done = Object.keys(scores).length;
      count.textContent = `${done} of ${candidates.length}`;
      bar.value = done;
    },
    destroy() {},
  };
}

/** @type {import("./types.js").Screen<State>} */
export const screen = {
  stage: "category_votes",
  title: "Category votes",
  help: [
    { keys: "1 … 5", does: "points for the candidate in the frame; then the next" },
    { keys: "↑ ↓", does: "the candidate before, the next; Page up and Page down, Home and End" },
    { keys: "u", does: "the next one without points" },
    { keys: "c", does: "write a comment; Enter goes on" },
    { keys: "Delete", does: "take the points back" },
  ],
  start: () => ({ scores: {}, comments: {} }),
  mount,
  problem({ scores }, task) {
    const missing = task.candidates.filter((/** @type {{id: number}} */ { id }) => !scores[id]);
    return missing.length > 0 ? `${missing.length} ${missing.length === 1 ? "candidate has" : "candidates have"} no points yet, such as “${missing[0].name}” (u goes there).` : null;
  },
  body: ({ scores, comments }) => ({
    scores: Object.entries(scores).map(([id, score]) => ({ candidate: Number(id), score, comment: (comments[id] ?? "").trim() })),
  }),
};
