// The way in: an invitation link (its token stands behind "#", so no log ever sees it) or a password; then to the page
// of one's role.

import { ApiError, ask, forgetMe, me } from "./api.js";
import { element, field, homeOf } from "./page.js";

/** @typedef {import("./types.js").Account} Account */

const main = /** @type {HTMLElement} */ (document.querySelector("main"));
const problem = element("p", { class: "problem", role: "alert" });
/** Whom to ask for a link, and how: words of each server, in its page. */
const help = () => /** @type {HTMLTemplateElement} */ (document.querySelector("template")).content.cloneNode(true);

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
      problem.textContent = words(error);
    }
  });
  return made;
}

/** A link makes an account, or lets its owner in again. @param {string} token */
async function byLink(token) {
  const { display } = await ask("POST", "/api/auth/link", { token });
  if (display !== null) return form("/api/auth/enter", { token }, element("p", {}, `Welcome back, ${display}.`), element("button", { class: "primary" }, "Go on"));
  return form(
    "/api/auth/enter",
    { token },
    element("p", {}, "You have been invited. Under what name do you want to work?"),
    field("Name", { name: "display", maxlength: 80, required: true, autocomplete: "nickname" }),
    element("button", { class: "primary" }, "Come in"),
  );
}

/** @param {string} text */
const byPassword = (text) =>
  form(
    "/api/auth/login",
    {},
    element("p", {}, text),
    field("Login name", { name: "login", maxlength: 80, required: true, autocomplete: "username" }),
    field("Password", { name: "password", type: "password", required: true, autocomplete: "current-password" }),
    element("button", { class: "primary" }, "Sign in"),
  );

/** A link that lets nobody in: why that may be, and every way that is left. @param {unknown} error */
async function lost(error) {
  if (!(error instanceof ApiError) || error.code !== "link") return [element("p", { class: "banner error", role: "alert" }, `${words(error)}. The link is not used up; try it again.`), element("button", { type: "button", onclick: open }, "Try again")];
  const account = await me().catch(() => null);
  const here = account && element("p", {}, `In this browser you are signed in as ${account.display}. `, element("button", { class: "primary", type: "button", onclick: () => goIn(account) }, "Go on"));
  return [
    element(
      "section",
      { class: "card form", role: "alert" },
      element("h2", {}, "This link does not let you in"),
      element("p", {}, "It has been used already, it has ended, or a part of it is missing: a whole link ends with # and 32 characters."),
      here,
    ),
    element("section", { class: "card form" }, element("h2", {}, "How to get in"), help()),
    ...(account ? [] : [byPassword("Or sign in, if you have chosen a login name and a password.")]),
  ];
}

/** @param {unknown} error */
const words = (error) => (error instanceof Error ? error.message : String(error));

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
  const way = invited
    ? await byLink(token()).then((one) => [one], lost)
    : [byPassword("Open the link of your invitation in this browser, or sign in."), element("details", { class: "card" }, element("summary", {}, "No link, or no password?"), element("div", { class: "form" }, help()))];
  main.className = "page narrow";
  main.replaceChildren(element("h1", { class: "large" }, "amidst"), ...way, problem);
  /** @type {HTMLElement | null} */ (main.querySelector("input, button.primary"))?.focus({ preventScroll: true }); // what stands above it is read first
}

addEventListener("hashchange", open);
await open();
