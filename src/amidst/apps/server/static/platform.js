// Work that a crowd platform has sent someone for: in by the page's own address, the desk of one stage, and back. The
// session is in the memory of this page alone, for it may stand in another site's frame, where there are no cookies.

import { ApiError, ask, onExpired, useBearer } from "./api.js";
import { openDesk } from "./desk.js";
import { element, putHeader } from "./page.js";
import { SCREENS } from "./screens.js";
import { STAGES } from "./work_list.js";

/**
 * @typedef {{preview: boolean, finished: boolean, stage: string, token: string, assignment: number, tickets: number,
 *   submit_to: string, fields?: Record<string, string>, code?: string, return_url?: string}} Entry
 */

const provider = location.pathname.slice(1);
const parameters = Object.fromEntries(new URLSearchParams(location.search));
let ending = false;

/** @returns {Promise<Entry>} */
const enter = () => ask("POST", `/api/platforms/${provider}/enter`, { parameters });

/** @param {string} title @param {...Node} content */
function show(title, ...content) {
  const { main } = putHeader({ title, nav: [], account: null });
  document.querySelector("header.bar a.button")?.remove(); // nobody signs in here
  main.className = "page narrow";
  main.replaceChildren(element("h2", {}, title), ...content);
}

/** What the work is, for who has not taken it yet. @param {string} stage */
function preview(stage) {
  const [title, text] = STAGES[stage];
  show(title, element("p", {}, text), element("p", { class: "banner" }, "Accept the task on the platform to begin; the work opens here."));
}

/** Back to the platform: by a form that it takes, or with a code. @param {Entry} entry */
function goBack(entry) {
  if (entry.submit_to && entry.fields) {
    const fields = Object.entries(entry.fields).map(([name, value]) => element("input", { type: "hidden", name, value }));
    const form = element("form", { method: "post", action: entry.submit_to }, ...fields, element("button", { class: "primary" }, "Hand the task in"));
    show("Done, thank you", form);
    form.submit();
    return;
  }
  show(
    "Done, thank you",
    element("p", {}, "Your completion code:"),
    element("p", { class: "code" }, element("code", {}, entry.code ?? "")),
    element("p", {}, element("a", { class: "button primary", href: entry.return_url }, "Back to the platform with this code")),
  );
}

/** After each answer: is that all? @param {Entry} entry */
async function look(entry) {
  const { left } = await ask("POST", "/api/platforms/finish", { assignment: entry.assignment });
  if (left > 0 || ending) return;
  ending = true;
  location.reload(); // the way in knows what is finished
}

async function open() {
  const entry = await enter();
  if (entry.preview) return preview(entry.stage);
  if (entry.finished) return goBack(entry);
  addEventListener("beforeunload", (event) => ending && event.stopImmediatePropagation());
  useBearer(entry.token);
  document.addEventListener("answered", () => void look(entry));
  await openDesk(entry.stage, (await SCREENS[entry.stage]()).screen);
  onExpired(async () => useBearer((await enter()).token));
  await look(entry); // answered before a reload
}

try {
  await open();
} catch (error) {
  show("This task cannot be opened", element("p", { class: "banner error", role: "alert" }, error instanceof ApiError ? error.message : String(error)));
}
