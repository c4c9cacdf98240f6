// All workers: a table that the server sorts, and the two plots of worker quality.

import { ask } from "./api.js";
import { agreementPlot, unionPlot } from "./charts.js";
import { badge, count, day, decimal, empty, hours, notice, percent, section, stateBadge, table, turns } from "./manage_parts.js";
import { element, field } from "./page.js";

const SIZE = 50;

/** @param {HTMLElement} root */
export async function workers(root) {
  const view = { sort: "id", descending: false, search: "", flagged: false, offset: 0 };
  const place = element("div", { class: "form" });
  const said = notice();
  const turn = turns();
  async function draw() {
    const isLast = turn();
    const query = new URLSearchParams({ ...view, descending: String(view.descending), flagged: String(view.flagged), offset: String(view.offset), limit: String(SIZE) });
    try {
      const found = await ask("GET", `/api/workers?${query}`);
      if (!isLast()) return;
      place.replaceChildren(...list(found));
      said.line.hidden = true;
    } catch (error) {
      said.refuse(error);
    }
  }
  /** @param {Partial<typeof view>} change */
  function change(change) {
    Object.assign(view, { offset: 0 }, change);
    return draw();
  }
  /** @param {any} found */
  function list({ total, workers: rows, at }) {
    if (total === 0) return [empty(view.search || view.flagged ? "Nobody fits." : "Nobody has come yet.", element("a", { class: "button", href: "/manage/people" }, "Invite somebody"))];
    const sorting = { by: view.sort, descending: view.descending, change: (/** @type {string} */ by) => change({ sort: by, descending: view.sort === by && !view.descending }) };
    const last = Math.min(view.offset + SIZE, total);
    return [
      table("Workers", COLUMNS, rows, sorting),
      element(
        "div",
        { class: "row between" },
        element("span", { class: "hint" }, `${count(view.offset + 1)} to ${count(last)} of ${count(total)}, counted ${day(at)}`),
        element(
          "span",
          { class: "row" },
          element("button", { type: "button", disabled: view.offset === 0, onclick: () => change({ offset: Math.max(0, view.offset - SIZE) }) }, "Previous"),
          element("button", { type: "button", disabled: last === total, onclick: () => change({ offset: view.offset + SIZE }) }, "Next"),
        ),
      ),
    ];
  }
  const search = field("Name or number", { type: "search", maxlength: 200, oninput: (/** @type {any} */ event) => change({ search: event.target.value }) });
  const flagged = element("label", {}, element("input", { type: "checkbox", onchange: (/** @type {any} */ event) => change({ flagged: event.target.checked }) }), "only those against whom something speaks");
  root.append(element("div", { class: "row" }, search, flagged), said.line, section("Workers", place));
  await draw();
  root.append(await plots());
}

/** @type {import("./manage_parts.js").ColumnOf<any>[]} */
const COLUMNS = [
  { title: "Worker", value: (row) => element("a", { href: `/manage/worker#${row.id}` }, row.display), sort: "display", text: true },
  { title: "State", value: (row) => element("span", { class: "row" }, stateBadge(row.state), row.expert && badge("expert", "accent")), sort: "state" },
  { title: "Answers", value: (row) => count(row.answers), right: true, sort: "answers" },
  { title: "Void", value: (row) => count(row.voided), right: true, sort: "voided", hint: "answers taken out of all decisions" },
  { title: "Late", value: (row) => count(row.late), right: true, sort: "late", hint: "kept, but too late to count" },
  { title: "Time", value: (row) => hours(row.hours), right: true, sort: "hours" },
  { title: "Pace", value: (row) => (row.pace === null ? "–" : `× ${decimal(row.pace)}`), right: true, sort: "pace", hint: "time taken, over what all take for the same answers" },
  { title: "Known items", value: (row) => percent(row.gold), right: true, sort: "gold", hint: "taken rightly at the first try" },
  { title: "Precision", value: (row) => decimal(row.precision), right: true, sort: "precision", hint: "share of the named categories that another worker named too" },
  { title: "Recall", value: (row) => decimal(row.recall), right: true, sort: "recall", hint: "share of what the others named that was named" },
  { title: "Masks kept", value: (row) => (row.accepted + row.discarded === 0 ? "–" : `${row.accepted} of ${row.accepted + row.discarded}`), right: true, sort: "discarded", hint: "of those decided; sorted by discarded ones" },
  { title: "Against", value: (row) => (row.flags.length === 0 ? "" : element("span", { class: "row" }, ...row.flags.map((/** @type {string} */ flag) => badge(flag, "bad")))) },
];

async function plots() {
  const [quality, everyone] = await Promise.all([ask("GET", "/api/quality"), ask("GET", "/api/workers?limit=1000")]);
  const names = new Map(everyone.workers.map((/** @type {any} */ row) => [row.id, row.display]));
  const sample = quality.whole ? [] : [element("p", { class: "hint" }, "From the latest answers alone: there are too many for all of them.")];
  const proposed = quality.void_proposals.map((/** @type {any} */ one) => element("li", {}, element("a", { href: `/manage/voids#${one.worker}` }, names.get(one.worker) ?? `worker ${one.worker}`), `: ${one.discarded} of ${one.decided} masks discarded`));
  return element(
    "div",
    { class: "form" },
    proposed.length > 0 && section("Proposed for voiding", element("ul", {}, ...proposed)),
    element(
      "div",
      { class: "wide" },
      section("Every worker against the others", ...(quality.labellers.length > 0 ? agreementPlot(quality.labellers, quality.line, names) : [empty("Nobody has labelled an image yet.")]), ...sample),
      section("Several workers against the experts", ...(quality.union ? unionPlot(quality.union, names) : [empty("No expert has labelled an image that others labelled too.")])),
    ),
  );
}
