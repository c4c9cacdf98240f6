// The way in: an invitation link (its token stands behind "#", so no log ever sees it) or a password; then to the page
// of one's role.

import { ask, forgetMe, me } from "./api.js";
import { element, field, homeOf } from "./page.js";

/** @typedef {import("./types.js").Account} Account */

const main = /** @type {HTMLElement} */ (document.querySelector("main"));
const problem = element("p", { class: "problem", role: "alert" });

/** @param {Account} account */
function goIn(account) {
  const to = new URLSearchParams(location.search).get("to") ?? "";
  const own = /^\/[\w/-]*$/.test(to) && !to.startsWith("//"); // nowhere but here
  location.replace(own && to !== "/enter" && to !== "/" ? to : homeOf(account.role));
}

/**
 * @param {string} path
 * @param {object} more
 * @param {...(Node | string)} content
 */
function form(path, more, ...content) {
  const made = element("form", { class: "card form" }, ...content);
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    problem.textContent = "";
    try {
      goIn(await ask("POST", path, { ...Object.fromEntries(new FormData(made)), ...more }));
    } catch (error) {
      problem.textContent = error instanceof Error ? error.message : String(error);
    }
  });
  return made;
}

/** A link makes an account, or lets its owner in again. @param {string} token */
async function byLink(token) {
  const { display } = await ask("POST", "/api/auth/link", { token });
  if (display !== null) return form("/api/auth/enter", { token }, element("p", {}, `Welcome back, ${display}.`), element("button", { class: "primary", autofocus: true }, "Go on"));
  return form(
    "/api/auth/enter",
    { token },
    element("p", {}, "You have been invited. Under what name do you want to work?"),
    field("Name", { name: "display", maxlength: 80, required: true, autocomplete: "nickname", autofocus: true }),
    element("button", { class: "primary" }, "Come in"),
  );
}

const byPassword = () =>
  form(
    "/api/auth/login",
    {},
    element("p", {}, "Sign in, or open the link of your invitation."),
    field("Login name", { name: "login", maxlength: 80, required: true, autocomplete: "username", autofocus: true }),
    field("Password", { name: "password", type: "password", required: true, autocomplete: "current-password" }),
    element("button", { class: "primary" }, "Sign in"),
  );

/** What stands behind "#"; of a link that was cut short, as it is. */
function token() {
  const text = location.hash.slice(1);
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function open() {
  problem.textContent = "";
  const invited = location.hash.length > 1;
  if (!invited) {
    const account = await me().catch((error) => void (problem.textContent = error.message));
    if (account) return goIn(account);
  }
  forgetMe();
  const way = invited ? await byLink(token()).catch((error) => ((problem.textContent = error.message), byPassword())) : byPassword();
  main.className = "page narrow";
  main.replaceChildren(element("h1", { class: "large" }, "amidst"), way, problem);
}

addEventListener("hashchange", open);
await open();
