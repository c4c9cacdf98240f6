// The manager's pages: tabs by role, and the module of the tab that is open.

import { element, openPage } from "./page.js";
import { showProblem, turns } from "./manage_parts.js";
import { audit } from "./manage_audit.js";
import { decisions } from "./manage_decisions.js";
import { exportPage } from "./manage_export.js";
import { golds } from "./manage_golds.js";
import { overview } from "./manage_overview.js";
import { people } from "./manage_people.js";
import { settings } from "./manage_settings.js";
import { voids } from "./manage_voids.js";
import { worker } from "./manage_worker.js";
import { workers } from "./manage_workers.js";

/** @typedef {import("./types.js").Account} Account */
/**
 * A page: fills its root and may give a function that ends it.
 * @typedef {(root: HTMLElement, account: Account) => Promise<void | (() => void)>} ManagePage
 */

/** @type {Record<string, {title: string, page: ManagePage, tab: boolean}>} */
const PAGES = {
  "/manage": { title: "Overview", page: overview, tab: true },
  "/manage/workers": { title: "Workers", page: workers, tab: true },
  "/manage/worker": { title: "Worker", page: worker, tab: false },
  "/manage/voids": { title: "Voiding", page: voids, tab: true },
  "/manage/golds": { title: "Known items", page: golds, tab: true },
  "/manage/decisions": { title: "Decisions", page: decisions, tab: true },
  "/manage/people": { title: "People", page: people, tab: true },
  "/manage/settings": { title: "Settings", page: settings, tab: true },
  "/manage/export": { title: "Export", page: exportPage, tab: true },
  "/manage/audit": { title: "Audit", page: audit, tab: true },
};

const { title, page } = PAGES[location.pathname];
const { account, main } = await openPage({ title });
const manages = ["owner", "manager"].includes(account.role);
const tabs = Object.entries(PAGES).filter(([path, { tab }]) => tab && (manages || path === "/manage"));

/** @type {void | (() => void)} */
let close;
const turn = turns();

async function show() {
  close?.();
  close = undefined;
  const isLast = turn();
  const root = element("div", { class: "page" });
  main.replaceChildren(
    element(
      "nav",
      { class: "tabs", "aria-label": "Manage" },
      ...tabs.map(([path, one]) => element("a", { href: path, "aria-current": path === location.pathname ? "page" : null }, one.title)),
    ),
    root,
  );
  root.classList.add("ready-soon");
  try {
    const end = await page(root, account);
    if (isLast()) close = end;
    else end?.();
  } catch (error) {
    showProblem(root, error);
  }
  root.classList.replace("ready-soon", "ready");
}

addEventListener("hashchange", show);
await show();
