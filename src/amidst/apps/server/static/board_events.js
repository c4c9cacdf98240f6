// For organisers: who did what, newest first, in words.

import { ask } from "./api.js";
import { when } from "./board_shared.js";
import { changes } from "./manage_audit.js";
import { tree } from "./manage_decisions.js";
import { empty, pages, section, table } from "./manage_parts.js";

const SIZE = 100;

/** @typedef {{id: number, created_at: number, display: string | null, action: string, subject: string, details: Record<string, any>}} Event */

/** @type {Record<string, (of: string) => string>} */
const WORDS = {
  "benchmark.settings": () => "changed the benchmark",
  "account.enter": () => "came in by an invitation",
  "account.password": () => "chose a login name and a password",
  "account.return": () => "came back by a link",
  "account.role": (of) => `gave account ${of} another role`,
  "account.sign-out": (of) => `signed account ${of} out everywhere`,
  "link.invitation": (of) => `made invitation ${of}`,
  "link.password": (of) => `made link ${of}, to come back by`,
  "link.first_manager": () => "made the link of the first organiser",
  "link.withdraw": (of) => `revoked link ${of}`,
  "phase.settings": (of) => `changed phase ${of}`,
  "submission.withdraw": (of) => `withdrew submission ${of}`,
  token: () => "made a token for programs",
};

/** Details as they are read: times as times, no uses where it is one. @param {Record<string, any>} details */
function readable(details) {
  const settings = /** @type {const} */ (["before", "after"]);
  const plain = (/** @type {any} */ config) => Object.fromEntries(Object.entries(config).map(([name, value]) => [name, name.endsWith("_at") && value ? `${when(value)} UTC` : value]));
  const { uses, ...rest } = details;
  const told = uses > 1 ? { ...rest, people: uses } : rest;
  return changes(settings.every((name) => name in told) ? { before: plain(told.before), after: plain(told.after) } : told);
}

/** @param {HTMLElement} root */
export async function events(root) {
  const list = await pages({
    size: SIZE,
    nothing: empty("Nothing has been done yet."),
    more: "Show earlier ones",
    fetch: (/** @type {Event | null} */ last) => ask("GET", `/api/audit?limit=${SIZE}${last ? `&before=${last.id}` : ""}`),
    show: (rows) =>
      table(
        "Events",
        [
          { title: "When (UTC)", value: (row) => when(row.created_at) },
          { title: "Who", value: (row) => row.display ?? "the server's machine", text: true },
          { title: "What", value: (row) => WORDS[row.action]?.(row.subject) ?? `${row.action} ${row.subject}`, text: true },
          { title: "Details", value: (row) => (Object.keys(row.details).length > 0 ? tree(readable(row.details)) : ""), text: true },
        ],
        rows,
      ),
  });
  root.append(section("Events, newest first", list));
}
