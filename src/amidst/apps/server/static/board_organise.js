// For organisers: phases, teams and their invitations, all submissions, and those that are nearly the same.

import { ask } from "./api.js";
import { label, openBoard, score, when, words } from "./board_shared.js";
import { element, field, openDialog } from "./page.js";

/** @typedef {import("./board_shared.js").Board} Board */
/** @typedef {import("./board_shared.js").Phase} Phase */
/** @typedef {import("./board_shared.js").PhaseSettings} PhaseSettings */
/** @typedef {import("./board_shared.js").Submission} Submission */
/** @typedef {{id: number, name: string, members: {account: number, display: string}[], submissions: number}} Team */
/** @typedef {{submission: number, other: number, similarity: number, created_at: number}} NearEqual */

const TIMES = /** @type {const} */ ([
  ["opens_at", "Opens (UTC)"],
  ["closes_at", "Closes (UTC)"],
  ["frozen_at", "Table frozen at (UTC)"],
]);

/**
 * @param {string[]} head
 * @param {(Node | string | number)[][]} rows
 */
function table(head, rows) {
  if (!rows.length) return element("p", { class: "hint" }, "None yet.");
  const lines = rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell))));
  return element("div", { class: "scrolls" }, element("table", { class: "table" }, element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))), element("tbody", {}, ...lines)));
}

/** @param {Phase} phase */
function phaseForm(phase) {
  const said = element("p", { role: "status", class: "hint" });
  const times = TIMES.map(([name, text]) => field(text, { name, type: "datetime-local", value: phase.config[name] ? when(/** @type {number} */ (phase.config[name])).replace(" ", "T") : "" }));
  const audience = [
    ["all", "everybody"],
    ["owner", "the team that made the submission"],
    ["nobody", "organisers alone"],
  ].map(([value, text]) => element("option", { value, selected: phase.config.visibility === value }, text));
  const form = element(
    "form",
    { class: "card form" },
    element("h2", {}, `Phase ${phase.name}`),
    element("p", { class: "hint" }, `${phase.images.toLocaleString("en")} images`),
    element("label", { class: "field" }, "Description", element("textarea", { name: "description", maxlength: 4000, rows: 2 }, phase.config.description)),
    ...times,
    element("div", { class: "row" }, field("A day", { name: "per_day", type: "number", min: 1, value: phase.config.per_day, required: true }), field("In all", { name: "total", type: "number", min: 1, value: phase.config.total, required: true })),
    element("label", { class: "field" }, "Scores are seen by", element("select", { name: "visibility" }, ...audience)),
    said,
    element("div", { class: "row" }, element("button", { class: "primary" }, "Save")),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = /** @type {Record<string, string>} */ (/** @type {unknown} */ (Object.fromEntries(new FormData(form))));
    /** @param {string} text */
    const micros = (text) => (text ? Date.parse(`${text}Z`) * 1000 : null);
    const config = { ...values, per_day: Number(values.per_day), total: Number(values.total), ...Object.fromEntries(TIMES.map(([name]) => [name, micros(values[name])])) };
    try {
      await ask("POST", `/api/phases/${encodeURIComponent(phase.name)}/settings`, config);
      said.className = "hint";
      said.textContent = "saved";
    } catch (error) {
      said.className = "problem";
      said.textContent = words(error);
    }
  });
  return form;
}

/** @param {() => Promise<void>} refresh */
function inviteForm(refresh) {
  const problem = element("p", { class: "problem", role: "alert" });
  const form = element(
    "form",
    { class: "form" },
    element("div", { class: "row" }, field("Team", { name: "team", maxlength: 60, required: true }), field("People", { name: "uses", type: "number", min: 1, max: 100, value: 1, required: true }), element("button", { class: "primary" }, "Invite")),
    problem,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    const values = new FormData(form);
    try {
      const { token } = await ask("POST", "/api/teams/invite", { team: values.get("team"), uses: Number(values.get("uses")) });
      openDialog(
        `Invitation to ${values.get("team")}`,
        [element("p", { class: "hint" }, "Give this link to the team; it is shown only now."), element("p", {}, element("code", {}, `${location.origin}/enter#${token}`))],
        [{ value: "", text: "Done", kind: "primary" }],
      );
      form.reset();
      await refresh();
    } catch (error) {
      problem.textContent = words(error);
    }
  });
  return form;
}

/** @param {Board} board */
async function organise(board) {
  const teams = element("div");
  const showTeams = async () => {
    /** @type {Team[]} */
    const found = await ask("GET", "/api/teams");
    teams.replaceChildren(table(["Team", "Members", "Submissions"], found.map((team) => [team.name, team.members.map(({ display }) => display).join(", "), team.submissions])));
  };
  await showTeams();
  /** @type {[Submission[], NearEqual[]]} */
  const [sent, near] = await Promise.all([ask("GET", "/api/organise/submissions"), ask("GET", "/api/organise/near-equal")]);
  const lines = sent.map((one) => [one.id, one.phase, one.team, one.state.replace("_", " "), one.method, score(one.numbers[board.main]), when(one.created_at), element("span", { class: "hint" }, one.reason)]);
  const pairs = near.map(({ submission, other, similarity, created_at }) => [submission, other, `${Math.round(similarity * 100)} %`, when(created_at)]);
  return [
    element("div", { class: "columns" }, ...board.phases.map(phaseForm)),
    element("section", { class: "card form" }, element("h2", {}, "Teams"), inviteForm(showTeams), teams),
    element("section", { class: "card form" }, element("h2", {}, "Submissions"), table(["No.", "Phase", "Team", "State", "Method", label(board.main), "Sent (UTC)", "Reason"], lines)),
    element(
      "section",
      { class: "card form" },
      element("h2", {}, "Nearly the same"),
      element("p", { class: "hint" }, "Many small changes of one submission may be an attempt to learn the hidden annotations."),
      table(["Submission", "Earlier one", "The same", "When (UTC)"], pairs),
    ),
  ];
}

const { account, board, content } = await openBoard();
if (!account) location.replace("/enter?to=/organise");
else {
  try {
    content.append(...(await organise(board)));
  } catch (error) {
    content.append(element("p", { class: "problem", role: "alert" }, words(error)));
  }
}
