// One worker: figures by stage, the state of the account, and the work at a glance.

import { answerView, inWords } from "./answer_view.js";
import { ask } from "./api.js";
import { badge, choice, count, day, decimal, empty, figures, hours, notice, pages, percent, section, STAGE_CHOICES, stageName, stateBadge, table, turns } from "./manage_parts.js";
import { element, field } from "./page.js";

const SIZE = 12;

/** @param {HTMLElement} root */
export async function worker(root) {
  const id = Number(location.hash.slice(1));
  if (!Number.isInteger(id) || id < 1) {
    root.append(empty("Which worker?", element("a", { class: "button", href: "/manage/workers" }, "All workers")));
    return;
  }
  const found = await ask("GET", `/api/workers/${id}`);
  root.append(...about(found), stages(found.worker), ...(found.worker.late > 0 ? [await late(id)] : []), await work(id));
}

/** @param {any} found */
function about({ worker: one, role, created_at }) {
  const said = notice();
  const state = choice("State", { name: "state", value: one.state }, [["active", "active"], ["paused", "paused: gets no tickets"], ["banned", "banned: cannot sign in"]]);
  const form = element("form", { class: "row" }, state, field("Note", { name: "note", maxlength: 500, value: one.note }), element("button", {}, "Save"));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await ask("POST", `/api/workers/${one.id}/state`, Object.fromEntries(new FormData(form)));
      said.say("Saved.");
    } catch (error) {
      said.refuse(error);
    }
  });
  return [
    element("div", { class: "row" }, element("h2", {}, one.display), stateBadge(one.state), badge(role), ...one.flags.map((/** @type {string} */ flag) => badge(flag, "bad"))),
    element(
      "div",
      { class: "card" },
      figures({
        answers: count(one.answers),
        time: hours(one.hours),
        "pace, 1 is everybody's": decimal(one.pace),
        "known items right": percent(one.gold),
        precision: decimal(one.precision),
        recall: decimal(one.recall),
        "masks kept": one.accepted + one.discarded === 0 ? "–" : `${one.accepted} of ${one.accepted + one.discarded}`,
      }),
    ),
    element("p", { class: "hint" }, `Number ${one.id}, came ${day(created_at)}, last answer ${day(one.last_at)}; ${count(one.voided)} answers void, ${count(one.late)} too late.`),
    section("Account", form, said.line, element("p", {}, element("a", { href: `/manage/voids#${one.id}` }, "See what voiding this work would reopen"))),
  ];
}

/** @param {any} one */
function stages(one) {
  const rows = Object.entries(one.stages);
  if (rows.length === 0) return section("By stage", empty("Nothing has been answered yet."));
  return section(
    "By stage",
    table(
      "By stage",
      [
        { title: "Stage", value: ([stage]) => stageName(stage) },
        { title: "Answers", value: ([, row]) => count(row.answers), right: true },
        { title: "Void", value: ([, row]) => count(row.voided), right: true },
        { title: "Seconds each", value: ([, row]) => decimal(row.seconds, 1), right: true },
        { title: "Too fast", value: ([, row]) => count(row.too_fast), right: true, hint: "faster than a third of what the fastest experts take" },
        { title: "Known items right", value: ([, row]) => (row.right + row.wrong === 0 ? "–" : `${row.right} of ${row.right + row.wrong}`), right: true },
        { title: "Reputation", value: ([, row]) => (row.right + row.wrong === 0 ? "–" : `${percent(row.low)} to ${percent(row.high)}`), right: true, hint: "95 % of the share of right answers" },
        { title: "", value: ([, row]) => (row.changed ? badge("sudden change", "bad") : "") },
      ],
      rows,
    ),
  );
}

/** Answers that came after their place was gone. @param {number} id */
async function late(id) {
  const said = notice();
  const place = element("div", {});
  /** @param {any} row */
  async function use(row) {
    try {
      await ask("POST", `/api/late/${row.id}/use`);
      said.say(`Late answer ${row.id} counts now.`);
      await show();
    } catch (error) {
      said.refuse(error);
    }
  }
  /** @param {any} row */
  function choose(row) {
    if (row.answer !== null) return badge(`used as answer ${row.answer}`);
    if (row.free === 0) return element("span", { class: "hint" }, "no place is free");
    return element("button", { type: "button", onclick: () => use(row) }, "Use");
  }
  async function show() {
    const list = await pages({
      size: SIZE,
      nothing: empty("No late answer."),
      more: "Show earlier late answers",
      fetch: async (last) => {
        const query = new URLSearchParams({ limit: String(SIZE) });
        if (last) query.set("before", last.id);
        return /** @type {any[]} */ (await ask("GET", `/api/workers/${id}/late?${query}`));
      },
      show: (rows) =>
        table(
          "Late answers",
          [
            { title: "Came", value: (row) => day(row.created_at) },
            { title: "Stage", value: (row) => stageName(row.stage) },
            { title: "Answer", value: (row) => element("details", {}, element("summary", {}, "show"), element("pre", {}, JSON.stringify(row.body, null, 1))) },
            { title: "", value: choose },
          ],
          rows,
        ),
    });
    place.replaceChildren(list);
  }
  await show();
  return section("Too late", element("p", { class: "hint" }, "Sent after the ticket had ended and others had its place. One can be used where a place is free again."), said.line, place);
}

/** @param {number} id */
async function work(id) {
  const place = element("div", {});
  const stage = choice("Stage", { value: "", onchange: () => show() }, STAGE_CHOICES);
  const select = /** @type {HTMLSelectElement} */ (stage.querySelector("select"));
  /** @type {Record<string, import("./types.js").Picture>} */
  const media = {};
  const turn = turns();
  async function show() {
    const isLast = turn();
    const wanted = select.value;
    const list = await pages({
      size: SIZE,
      nothing: empty("No answer here."),
      more: "Show earlier answers",
      fetch: async (last) => {
        const query = new URLSearchParams({ limit: String(SIZE) });
        if (wanted) query.set("stage", wanted);
        if (last) query.set("before", last.id);
        const found = await ask("GET", `/api/workers/${id}/answers?${query}`);
        Object.assign(media, found.media);
        return /** @type {any[]} */ (found.answers);
      },
      show: (rows) => element("div", { class: "answers" }, ...rows.map((row) => card(row, media))),
    });
    if (isLast()) place.replaceChildren(list);
  }
  await show();
  return section("The work, latest first", stage, place);
}

/** @param {any} answer @param {Record<string, import("./types.js").Picture>} media */
function card(answer, media) {
  const known = answer.known > 0 ? `${answer.known_right} of ${answer.known} known items right` : "";
  return element(
    "article",
    { class: "card", "aria-label": `Answer ${answer.id}` },
    element("div", { class: "row between" }, element("strong", {}, stageName(answer.stage)), element("span", { class: "hint" }, `${decimal(answer.seconds, 0)} s`)),
    ...answerView(answer, media),
    element("p", {}, inWords(answer), known && `; ${known}`),
    element(
      "div",
      { class: "row" },
      answer.status !== "accepted" && stateBadge(answer.status),
      answer.fate && stateBadge(answer.fate),
      answer.void !== null && badge(`void ${answer.void}`, "bad"),
      answer.subject && element("a", { class: "hint", href: `/manage/decisions#${answer.subject}` }, "why"),
      element("span", { class: "hint" }, day(answer.created_at)),
    ),
  );
}
