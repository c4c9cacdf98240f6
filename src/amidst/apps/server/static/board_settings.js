// For organisers: the settings of each phase.

import { ask } from "./api.js";
import { openness } from "./board_phase.js";
import { when } from "./board_shared.js";
import { badge, choice, notice } from "./manage_parts.js";
import { element, field } from "./page.js";

/** @typedef {import("./board_shared.js").Board} Board */
/** @typedef {import("./board_shared.js").Phase} Phase */

const TIMES = /** @type {const} */ ([
  ["opens_at", "Opens (UTC); empty: now"],
  ["closes_at", "Closes (UTC); empty: never"],
  ["frozen_at", "Table frozen at (UTC); empty: never"],
]);

/** @param {HTMLElement} root */
export async function phases(root) {
  /** @type {Board} */
  const board = await ask("GET", "/api/board");
  root.append(element("p", { class: "hint" }, "What is saved here holds at once. All times are UTC."), element("div", { class: "columns" }, ...board.phases.map(phaseForm)));
}

/** @param {Phase} phase */
function phaseForm(phase) {
  const said = notice();
  const state = element("span", {});
  const times = TIMES.map(([name, text]) => field(text, { name, type: "datetime-local", value: phase.config[name] ? when(/** @type {number} */ (phase.config[name])).replace(" ", "T") : "" }));
  const form = element(
    "form",
    { class: "card form" },
    element("div", { class: "row" }, element("h2", {}, `Phase ${phase.name}`), state),
    element("p", { class: "hint" }, `${phase.images.toLocaleString("en")} images`),
    element("label", { class: "field" }, "Description", element("textarea", { name: "description", maxlength: 4000, rows: 3 }, phase.config.description)),
    ...times,
    element("div", { class: "pair" }, field("A team may send, a day", { name: "per_day", type: "number", min: 1, max: 1_000_000, value: phase.config.per_day, required: true }), field("In all", { name: "total", type: "number", min: 1, max: 1_000_000, value: phase.config.total, required: true })),
    choice("Scores are seen by", { name: "visibility", value: phase.config.visibility }, [["all", "everybody"], ["owner", "the team that made the submission"], ["nobody", "organisers alone"]]),
    said.line,
    element("div", { class: "row" }, element("button", { class: "primary" }, "Save"), element("a", { href: `/#${encodeURIComponent(phase.name)}` }, "See its table")),
  );
  /** @param {import("./board_shared.js").PhaseSettings} config */
  const show = (config) => {
    const now = openness(config);
    state.replaceChildren(badge(now.state, now.open ? "good" : "warn"));
  };
  show(phase.config);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = new FormData(form);
    /** @param {string} name */
    const micros = (name) => (values.get(name) ? Date.parse(`${values.get(name)}Z`) * 1000 : null);
    const config = { description: values.get("description"), visibility: values.get("visibility"), per_day: Number(values.get("per_day")), total: Number(values.get("total")), ...Object.fromEntries(TIMES.map(([name]) => [name, micros(name)])) };
    try {
      const saved = await ask("POST", `/api/phases/${encodeURIComponent(phase.name)}/settings`, config);
      show(saved.config);
      said.say(`Saved. ${openness(saved.config).text}`);
    } catch (error) {
      said.refuse(error);
    }
  });
  return form;
}
