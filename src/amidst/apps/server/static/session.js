// The session has ended: sign in again in a dialog over the work, which stays as it is.

import { ask, forgetMe, me } from "./api.js";
import { element, field, openDialog } from "./page.js";

/** @typedef {import("./types.js").Account} Account */

/** @type {Promise<void> | null} */
let pending = null;

/**
 * Resolves when the same account is signed in again; one dialog, however many requests wait for it.
 * @param {Account} account who works here
 */
export function signInAgain(account) {
  pending ??= show(account).finally(() => (pending = null));
  return pending;
}

/** @param {Account} account */
async function show(account) {
  if (await isBack(account)) return; // in another tab
  const problem = element("p", { class: "problem", role: "alert", hidden: true });
  const byPassword = element(
    "form",
    { class: "form" },
    field("Login name", { name: "login", required: true, maxlength: 80, autocomplete: "username" }),
    field("Password", { name: "password", type: "password", required: true, autocomplete: "current-password" }),
    element("button", { class: "primary" }, "Sign in"),
  );
  const byLink = element(
    "form",
    { class: "form" },
    element("p", { class: "hint" }, "Or paste a link that a manager has made for your account, or sign in in another tab and come back here."),
    field("Link", { name: "link", required: true, autocomplete: "off" }),
    element("button", {}, "Come in"),
  );
  const { dialog } = openDialog("Your session has ended", [
    element("p", { class: "hint" }, `Your work is kept, here and in this browser. Sign in again as ${account.display} to go on.`),
    byPassword,
    problem,
    byLink,
  ]);
  dialog.classList.add("session");
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  await new Promise((resolve) => {
    /** @param {() => Promise<void>} enter */
    const attempt = async (enter) => {
      try {
        await enter();
        forgetMe();
        if (!(await isBack(account))) throw new Error(`this is another account; the work belongs to ${account.display}`);
        resolve(undefined);
      } catch (error) {
        problem.hidden = false;
        problem.textContent = error instanceof Error ? error.message : String(error);
      }
    };
    byPassword.addEventListener("submit", (event) => {
      event.preventDefault();
      void attempt(() => ask("POST", "/api/auth/login", Object.fromEntries(new FormData(byPassword))));
    });
    byLink.addEventListener("submit", (event) => {
      event.preventDefault();
      const token = String(new FormData(byLink).get("link")).split("#").pop() ?? "";
      void attempt(() => ask("POST", "/api/auth/enter", { token: decodeURIComponent(token.trim()), display: account.display }));
    });
    const looked = async () => {
      if (document.visibilityState === "visible" && (await isBack(account))) resolve(undefined);
    };
    document.addEventListener("visibilitychange", looked);
    dialog.addEventListener("close", () => document.removeEventListener("visibilitychange", looked));
  });
  dialog.close();
}

/** @param {Account} account */
async function isBack(account) {
  forgetMe();
  return (await me().catch(() => null))?.account === account.account;
}
