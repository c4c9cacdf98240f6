// For organisers: teams and their members, co-organisers, invitations that are open, ways back in.

import { ask } from "./api.js";
import { until, WHO } from "./board_shared.js";
import { badge, empty, notice, section, table } from "./manage_parts.js";
import { element, field, openDialog } from "./page.js";

/** @typedef {import("./types.js").Account} Account */
/** @typedef {{account: number, display: string}} Member */
/** @typedef {{id: number, name: string, members: Member[], submissions: number}} Team */
/** @typedef {{id: number, kind: string, role: string, note: string, expires_at: number, uses_left: number}} Invitation */
/** @typedef {{id: number, display: string, role: string}} Person */

const PAGE = 500;

/** @param {HTMLElement} root @param {Account} account */
export async function teams(root, account) {
  const said = notice();
  const [list, organisers, links] = [element("div"), element("div"), element("div")];
  /** @param {Person} person */
  const actions = (person) => personActions(person, said, refresh);
  async function refresh() {
    /** @type {[Team[], Person[], Invitation[]]} */
    const [found, people, open] = await Promise.all([ask("GET", "/api/teams"), everybody(), ask("GET", "/api/invitations")]);
    list.replaceChildren(found.length > 0 ? table("Teams", teamColumns(actions), found) : empty("No team yet. Invite the first one above."));
    const own = people.filter(({ role }) => role === "owner" || role === "manager");
    organisers.replaceChildren(table("Organisers", organiserColumns(account, actions), own));
    links.replaceChildren(open.length > 0 ? table("Open invitations", linkColumns(said, refresh), open) : empty("No link is open. Each is used up by whom it lets in, or ends after its time."));
  }
  const invite = inviteForm("Invite", [field("Team", { name: "team", maxlength: 60, required: true }), field("People", { name: "uses", type: "number", min: 1, max: 100, value: 1, required: true })], said, async (values) => {
    const team = String(values.get("team"));
    const { token } = await ask("POST", "/api/teams/invite", { team, uses: Number(values.get("uses")) });
    showLink(`Invitation to ${team}`, token, "Give this link to the team. It is shown only now, and holds for a week.");
    await refresh();
  });
  const more = inviteForm("Invite a co-organiser", [], said, async () => {
    const { token } = await ask("POST", "/api/invitations", { role: "manager", note: "co-organiser" });
    showLink("Invitation of a co-organiser", token, "Whoever opens this link may set phases, invite teams and withdraw submissions. It is shown only now, works once, and holds for a week.");
    await refresh();
  });
  root.append(
    said.line,
    section("Teams", invite, list),
    section("Organisers", organisers, account.role === "owner" ? more : element("p", { class: "hint" }, "The first organiser invites others.")),
    section("Open invitations", links),
  );
  await refresh();
}

/** @returns {Promise<Person[]>} */
async function everybody() {
  /** @type {Person[]} */
  const all = [];
  for (;;) {
    /** @type {Person[]} */
    const page = await ask("GET", `/api/accounts?limit=${PAGE}&after=${all.at(-1)?.id ?? 0}`);
    all.push(...page);
    if (page.length < PAGE) return all;
  }
}

/**
 * @param {string} text of the button
 * @param {HTMLElement[]} fields
 * @param {ReturnType<typeof notice>} said
 * @param {(values: FormData) => Promise<void>} work
 */
function inviteForm(text, fields, said, work) {
  const form = element("form", { class: "row" }, ...fields, element("button", { class: "primary" }, text));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    said.line.hidden = true;
    work(new FormData(form)).then(() => form.reset(), said.refuse);
  });
  return form;
}

/** @param {string} title @param {string} token @param {string} text */
function showLink(title, token, text) {
  const address = `${location.origin}/enter#${token}`;
  const copy = element("button", { type: "button", onclick: () => navigator.clipboard?.writeText(address).then(() => (copy.textContent = "Copied")) }, "Copy");
  openDialog(title, [element("div", { class: "form" }, element("p", { class: "hint" }, text), element("div", { class: "link" }, element("code", {}, address), copy))], [{ value: "", text: "Done", kind: "primary" }]);
}

/** @param {Person} person @param {ReturnType<typeof notice>} said @param {() => Promise<void>} refresh */
function personActions(person, said, refresh) {
  const back = async () => {
    const { token } = await ask("POST", `/api/accounts/${person.id}/link`);
    showLink(`A way back in for ${person.display}`, token, `This link lets ${person.display} in again, once, within a day. It is shown only now.`);
    await refresh();
  };
  const out = async () => {
    const text = "Browsers and programs (tokens too) have to come in anew, by a link or a password.";
    const { answer } = openDialog(`Sign ${person.display} out everywhere?`, [element("p", {}, text)], [{ value: "", text: "Leave it" }, { value: "yes", text: "Sign out", kind: "danger" }]);
    if ((await answer) !== "yes") return;
    await ask("POST", `/api/accounts/${person.id}/sign-out`);
    said.say(`${person.display} is signed out everywhere.`);
  };
  /** @param {string} text @param {string} name @param {() => Promise<void>} work */
  const button = (text, name, work) => element("button", { class: "small", type: "button", "aria-label": `${name} ${person.display}`, onclick: () => work().catch(said.refuse) }, text);
  return element("span", { class: "row" }, button("Link to come back", "Link to come back for", back), button("Sign out", "Sign out everywhere", out));
}

/** @param {(person: Person) => Node} actions @returns {import("./manage_parts.js").ColumnOf<Team>[]} */
function teamColumns(actions) {
  const person = (/** @type {Member} */ one) => element("div", { class: "person" }, element("span", {}, one.display), actions({ id: one.account, display: one.display, role: "worker" }));
  return [
    { title: "Team", value: (team) => team.name, text: true },
    { title: "Members", value: (team) => (team.members.length > 0 ? element("div", {}, ...team.members.map(person)) : element("span", { class: "hint" }, "nobody has come yet")) },
    { title: "Submissions", value: (team) => team.submissions, right: true },
  ];
}

/** @param {Account} me @param {(person: Person) => Node} actions @returns {import("./manage_parts.js").ColumnOf<Person>[]} */
function organiserColumns(me, actions) {
  return [
    { title: "Name", value: (one) => one.display, text: true },
    { title: "As", value: (one) => WHO[one.role] },
    { title: "", value: (one) => (one.id === me.account ? badge("you", "accent") : me.role === "owner" ? actions(one) : "") },
  ];
}

/** @param {ReturnType<typeof notice>} said @param {() => Promise<void>} refresh @returns {import("./manage_parts.js").ColumnOf<Invitation>[]} */
function linkColumns(said, refresh) {
  const what = (/** @type {Invitation} */ one) => (one.kind === "password" ? `way back in for a ${WHO[one.role]}` : one.note.startsWith("team ") ? one.note : `${WHO[one.role]}${one.note && one.note !== WHO[one.role] ? `, ${one.note}` : ""}`);
  const revoke = (/** @type {Invitation} */ one) =>
    ask("POST", `/api/invitations/${one.id}/withdraw`)
      .then(refresh)
      .then(() => said.say("The link is revoked: it lets nobody in any more."), said.refuse);
  return [
    { title: "For", value: what, text: true },
    { title: "People", value: (one) => one.uses_left, right: true },
    { title: "Ends in", value: (one) => until(one.expires_at) },
    { title: "", value: (one) => element("button", { class: "small", type: "button", "aria-label": `Revoke the link for ${what(one)}`, onclick: () => revoke(one) }, "Revoke") },
  ];
}
