// Who may come in, and as what: invitations, roles, ways back in.

import { ask } from "./api.js";
import { choice, count, day, empty, notice, pages, section, stateBadge, table } from "./manage_parts.js";
import { element, field } from "./page.js";

/** @typedef {import("./types.js").Account} Account */

const SIZE = 100;
const BELOW = ["worker", "expert", "viewer"];
const ALL = [...BELOW, "manager", "owner"];
/** @type {Record<string, string>} */
const MAY = {
  worker: "labels",
  expert: "labels, needs no training, draws what others could not",
  viewer: "sees the progress",
  manager: "runs the campaign, invites",
  owner: "everything; alone gives the roles owner and manager",
};

/** @param {HTMLElement} root @param {Account} account */
export async function people(root, account) {
  const roles = account.role === "owner" ? ALL : BELOW;
  const said = notice();
  const links = element("div", {});
  const fresh = element("div", { class: "form" });
  async function drawLinks() {
    const rows = await ask("GET", "/api/invitations");
    links.replaceChildren(rows.length === 0 ? empty("No open invitation.") : table("Open invitations", linkColumns(withdraw), rows));
  }
  /** @param {any} row */
  const withdraw = (row) => ask("POST", `/api/invitations/${row.id}/withdraw`).then(drawLinks, said.refuse);
  /** @param {string} token @param {string} text */
  function showLink(token, text) {
    const address = `${location.origin}/enter#${token}`;
    const copy = element("button", { type: "button", onclick: () => navigator.clipboard.writeText(address).then(() => (copy.textContent = "Copied")) }, "Copy");
    fresh.replaceChildren(element("p", {}, text), element("div", { class: "link" }, element("code", { class: "address" }, address), copy));
  }
  const invite = element(
    "form",
    { class: "row" },
    choice("Role", { name: "role", value: "worker" }, roles.map((role) => [role, `${role}: ${MAY[role]}`])),
    field("For how many people", { name: "uses", type: "number", min: 1, max: 1000, value: 1, required: true }),
    field("Hours it holds", { name: "hours", type: "number", min: 1, max: 2160, value: 168, required: true }),
    field("Note", { name: "note", maxlength: 200 }),
    element("button", { class: "primary" }, "Make a link"),
  );
  invite.addEventListener("submit", async (event) => {
    event.preventDefault();
    const of = new FormData(invite);
    try {
      const made = await ask("POST", "/api/invitations", { role: of.get("role"), uses: Number(of.get("uses")), hours: Number(of.get("hours")), note: of.get("note") });
      showLink(made.token, "Send this link. It is shown only now.");
      await drawLinks();
    } catch (error) {
      said.refuse(error);
    }
  });
  const list = await pages({
    size: SIZE,
    nothing: empty("Nobody."),
    fetch: (last) => ask("GET", `/api/accounts?limit=${SIZE}${last ? `&after=${last.id}` : ""}`),
    show: (rows) => table("Accounts", accountColumns(account, roles, said, showLink), rows),
  });
  root.append(said.line, section("Invite", invite, fresh, links), section("Accounts", list));
  await drawLinks();
}

/** @param {(row: any) => void} withdraw @returns {import("./manage_parts.js").ColumnOf<any>[]} */
function linkColumns(withdraw) {
  return [
    { title: "Role", value: (row) => row.role },
    { title: "Kind", value: (row) => (row.kind === "password" ? "way back in" : row.kind.replaceAll("_", " ")) },
    { title: "Uses left", value: (row) => count(row.uses_left), right: true },
    { title: "Note", value: (row) => row.note, text: true },
    { title: "Ends", value: (row) => day(row.expires_at) },
    { title: "", value: (row) => element("button", { class: "small", type: "button", onclick: () => withdraw(row) }, "Withdraw") },
  ];
}

/**
 * @param {Account} me
 * @param {string[]} roles that may be given
 * @param {ReturnType<typeof notice>} said
 * @param {(token: string, text: string) => void} showLink
 * @returns {import("./manage_parts.js").ColumnOf<any>[]}
 */
function accountColumns(me, roles, said, showLink) {
  const may = (/** @type {any} */ row) => roles.includes(row.role);
  /** @param {any} row */
  function roleOf(row) {
    if (!may(row)) return row.role;
    const select = element("select", { "aria-label": `Role of ${row.display}` }, ...roles.map((role) => element("option", { value: role, selected: role === row.role }, role)));
    select.addEventListener("change", () =>
      ask("POST", `/api/accounts/${row.id}/role`, { role: select.value }).then(
        () => said.say(`${row.display} is ${select.value} now.`),
        (error) => ((select.value = row.role), said.refuse(error)),
      ),
    );
    return select;
  }
  const link = (/** @type {any} */ row) => ask("POST", `/api/accounts/${row.id}/link`).then((made) => showLink(made.token, `This link lets ${row.display} in again, once, within a day. It is shown only now.`), said.refuse);
  const out = (/** @type {any} */ row) => ask("POST", `/api/accounts/${row.id}/sign-out`).then(() => said.say(`${row.display} is signed out everywhere.`), said.refuse);
  return [
    { title: "Name", value: (row) => element("a", { href: `/manage/worker#${row.id}` }, row.display), text: true },
    { title: "Role", value: roleOf },
    { title: "State", value: (row) => stateBadge(row.state) },
    { title: "Came", value: (row) => day(row.created_at) },
    {
      title: "",
      value: (row) =>
        may(row) && row.id !== me.account
          ? element("span", { class: "row" }, element("button", { class: "small", type: "button", onclick: () => link(row) }, "Link to come back"), element("button", { class: "small", type: "button", onclick: () => out(row) }, "Sign out everywhere"))
          : "",
    },
  ];
}
