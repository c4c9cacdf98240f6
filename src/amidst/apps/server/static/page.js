// What every page has: the header, the cheat sheet, dialogs, and a way to build elements without HTML strings.

import { ask, forgetMe, hasBearer, me } from "./api.js";
import { recall, remember } from "./settings.js";

/** @typedef {import("./types.js").Account} Account */
/** @typedef {import("./types.js").Help} Help */

const MANAGERS = ["owner", "manager"];
const PLACES = [
  { href: "/work", text: "Work", roles: ["owner", "manager", "expert", "worker"] },
  { href: "/manage", text: "Manage", roles: [...MANAGERS, "viewer"] },
];
const THEMES = ["auto", "light", "dark"];

/**
 * The page a role starts on; a server with one such page names it in data-home.
 * @param {string} role
 */
export function homeOf(role) {
  return document.documentElement.dataset.home ?? ([...MANAGERS, "viewer"].includes(role) ? "/manage" : "/work");
}

/**
 * An element. Attributes: "onclick" and the like take functions, true sets an empty attribute, false, null and
 * undefined set none. Children: elements and text; null and false are left out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | number | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name.replace(/^on/, ""), value);
    else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child != null && child !== false) made.append(typeof child === "number" ? String(child) : child);
  return made;
}

/**
 * Keys as they are printed: "Ctrl Z" becomes two <kbd>.
 * @param {string} keys
 */
export function keycaps(keys) {
  return element("span", { class: "keys" }, ...keys.split(" ").map((key) => element("kbd", {}, key)));
}

/**
 * A dialog that closes by Escape and returns focus; its promise gives the value of the button pressed, or "".
 * Buttons may be left out; content may close it by `dialog.close(value)`.
 * @param {string} title
 * @param {(Node | string)[]} content
 * @param {{value: string, text: string, kind?: "primary" | "danger" | "quiet"}[]} [buttons]
 */
export function openDialog(title, content, buttons = []) {
  const dialog = element(
    "dialog",
    { "aria-label": title },
    element("h2", {}, title),
    ...content,
    buttons.length > 0 &&
      element(
        "div",
        { class: "actions" },
        ...buttons.map(({ value, text, kind = "quiet" }) =>
          element("button", { class: kind, type: "button", onclick: () => dialog.close(value) }, text),
        ),
      ),
  );
  document.body.append(dialog);
  dialog.showModal();
  /** @type {Promise<string>} */
  const answer = new Promise((resolve) =>
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    }),
  );
  return { dialog, answer };
}

/**
 * The list of keys, as "?" shows it.
 * @param {Help[]} lines
 */
export function showCheatSheet(lines) {
  if (document.querySelector("dialog.cheat-sheet")) return;
  const rows = lines.flatMap(({ keys, does }) => [element("dt", {}, keycaps(keys)), element("dd", {}, does)]);
  const { dialog } = openDialog("Keys", [element("dl", { class: "cheat-sheet" }, ...rows)], [{ value: "", text: "Close", kind: "primary" }]);
  dialog.classList.add("cheat-sheet");
}

/**
 * Puts the header on the page and gives its parts. Who is not signed in is sent to the entrance.
 * @param {{title: string, nav?: {href: string, text: string}[], cheatSheet?: () => Help[]}} options
 * @returns {Promise<{account: Account, header: HTMLElement, main: HTMLElement}>}
 */
export async function openPage({ title, nav = [], cheatSheet }) {
  const account = await me();
  if (!account) {
    location.replace(`/enter?to=${encodeURIComponent(location.pathname)}`);
    return new Promise(() => {}); // the page is going away
  }
  const places = PLACES.filter(({ roles }) => roles.includes(account.role) && !hasBearer()); // it would be lost on the way
  return { account, ...putHeader({ title, nav: [...places, ...nav], cheatSheet, account }) };
}

/**
 * The header itself, also for who is not signed in.
 * @param {{title: string, nav: {href: string, text: string}[], cheatSheet?: () => Help[], account: Account | null, as?: string}} options as: the role in words
 */
export function putHeader({ title, nav, cheatSheet, account, as = account?.role ?? "" }) {
  document.title = `${title} · amidst`;
  applyTheme(theme());
  const main = document.querySelector("main") ?? document.body.appendChild(element("main"));
  const header = element(
    "header",
    { class: "bar" },
    element("a", { class: "brand", href: homeOf(account?.role ?? "") }, "amidst"),
    element("h1", {}, title),
    element("nav", { "aria-label": "Main" }, ...links(nav)),
    element("span", { class: "grow" }),
    cheatSheet && element("button", { class: "quiet", type: "button", title: "Keys (?)", onclick: () => showCheatSheet(cheatSheet()) }, "Keys ", element("kbd", {}, "?")),
    themeButton(),
    !account && element("a", { class: "button quiet", href: "/enter" }, "Sign in"),
    account && !hasBearer() && accountMenu(account, as),
  );
  document.body.prepend(header);
  if (cheatSheet) {
    document.addEventListener("keydown", (event) => {
      if (event.key === "?" && !isTyping(event.target)) showCheatSheet(cheatSheet());
    });
  }
  return { header, main };
}

/** @param {{href: string, text: string}[]} places */
function links(places) {
  return places.map(({ href, text }) => element("a", { href, "aria-current": `${location.pathname}/`.startsWith(`${href}/`) ? "page" : null }, text));
}

/** @param {EventTarget | null} target */
export function isTyping(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio], [type=range], [type=button])"));
}

function theme() {
  return recall("theme") ?? "auto";
}

/** @param {string} name */
function applyTheme(name) {
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
}

function themeButton() {
  const button = element("button", { class: "quiet", type: "button", title: "Light or dark", onclick: turn }, theme());
  function turn() {
    const next = THEMES[(THEMES.indexOf(theme()) + 1) % THEMES.length];
    remember("theme", next);
    applyTheme(next);
    button.textContent = next;
    document.dispatchEvent(new Event("themechange"));
  }
  return button;
}

/** @param {Account} account @param {string} as */
function accountMenu(account, as) {
  return element(
    "details",
    { class: "menu" },
    element("summary", {}, account.display),
    element(
      "div",
      { class: "card" },
      element("p", { class: "hint" }, `Signed in as ${account.display}, ${as}`),
      element("button", { type: "button", onclick: choosePassword }, "Login name and password…"),
      element("button", { type: "button", onclick: leave }, "Sign out"),
    ),
  );
}

async function leave() {
  await ask("POST", "/api/auth/logout");
  forgetMe();
  location.assign("/enter");
}

function choosePassword() {
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const form = element(
    "form",
    { class: "form" },
    element("p", { class: "hint" }, "With a login name and a password you can come back without a link."),
    field("Login name", { name: "login", maxlength: 80, required: true, autocomplete: "username" }),
    field("New password, at least 10 letters", { name: "password", type: "password", minlength: 10, required: true, autocomplete: "new-password" }),
    field("Password until now, if there was one", { name: "current", type: "password", autocomplete: "current-password" }),
    problem,
    element("button", { class: "primary" }, "Save"),
  );
  const { dialog } = openDialog("Login name and password", [form]);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await ask("POST", "/api/auth/password", Object.fromEntries(new FormData(form)));
      dialog.close();
    } catch (error) {
      problem.hidden = false;
      problem.textContent = error instanceof Error ? error.message : String(error);
    }
  });
}

/**
 * A labelled input.
 * @param {string} label
 * @param {Record<string, any>} attributes
 */
export function field(label, attributes) {
  return element("label", { class: "field" }, label, element("input", attributes));
}
