// What the pages of a benchmark share: types, the way they are entered, numbers and times as text.

import { ask, me } from "./api.js";
import { badge, words } from "./manage_parts.js";
import { element, putHeader } from "./page.js";

/**
 * @typedef {{opens_at: number | null, closes_at: number | null, frozen_at: number | null, per_day: number, total: number,
 *   visibility: "nobody" | "owner" | "all", description: string}} PhaseSettings times: UTC microseconds
 */
/** @typedef {{id: number, name: string, images: number, config: PhaseSettings}} Phase */
/**
 * @typedef {{name: string, description: string, contact: string, kind: string, tie: string, main: string, phases: Phase[],
 *   limits: {max_bytes: number, max_per_image: number}}} Board
 */
/**
 * @typedef {{id: number, phase: string, team: string, state: string, reason: string, file_name: string, bytes: number,
 *   offset?: number, method: string, description: string, link: string, created_at: number, ahead: number | null,
 *   numbers: Record<string, number>, state_since: number}} Submission
 */

export const OPEN_STATES = ["received", "checking", "queued", "running"];
const ORGANISERS = ["owner", "manager"];
/** What a benchmark calls the roles of accounts. @type {Record<string, string>} */
export const WHO = { owner: "organiser", manager: "co-organiser", viewer: "guest", worker: "participant", expert: "participant" };

/**
 * The benchmark, and a page of it for whoever is there; nobody has to be signed in.
 * @returns {Promise<{account: import("./types.js").Account | null, board: Board, content: HTMLElement}>}
 */
export async function openBoard() {
  const [account, board] = await Promise.all([me(), /** @type {Promise<Board>} */ (ask("GET", "/api/board"))]).catch(noBoard);
  const nav = [{ href: "/", text: "Leaderboard" }];
  if (account) nav.push({ href: "/submissions", text: "Submissions" });
  if (account && ORGANISERS.includes(account.role)) nav.push({ href: "/organise", text: "Organise" });
  const { main } = putHeader({ title: board.name, nav, account, as: account ? WHO[account.role] : "" });
  const content = element("div", { class: "page" });
  main.replaceChildren(content);
  return { account, board, content };
}

/** Instead of an empty page. @param {unknown} error @returns {Promise<never>} */
function noBoard(error) {
  const again = element("button", { type: "button", onclick: () => location.reload() }, "Try again");
  document.querySelector("main")?.replaceChildren(element("div", { class: "page narrow" }, element("p", { class: "banner error", role: "alert" }, words(error)), again));
  return new Promise(() => {});
}

/**
 * The address of a contact that is one of e-mail, with or without "mailto:"; "" for other words.
 * @param {string} contact
 */
export const mailOf = (contact) => /^(?:mailto:)?([\w.+-]+@[\w-]+(?:\.[\w-]+)*)$/i.exec(contact)?.[1] ?? "";

/** Whom to ask, if the organisers have said it. @param {{contact: string}} board */
export function whom({ contact }) {
  const mail = mailOf(contact);
  return contact ? element("p", { class: "hint plain" }, "Contact: ", mail ? element("a", { href: `mailto:${mail}` }, mail) : contact) : "";
}

const KINDS_OF_STATES = /** @type {Record<string, "good" | "warn" | "bad" | "">} */ ({ scored: "good", failed: "bad", timed_out: "bad", withdrawn: "", received: "warn" });

/** A state as a badge, with the place in the queue. @param {Submission} one */
export function stateBadge({ state, ahead }) {
  const place = state === "queued" && ahead !== null ? (ahead === 0 ? ", next" : `, ${ahead} before it`) : "";
  return badge(state.replace("_", " ") + place, KINDS_OF_STATES[state] ?? "accent");
}

const LABELS = [
  [/^ap(\d\d)$/, "AP $1"],
  [/^ap$/, "AP"],
  [/^ap_(\w)\w*$/, "AP $1"],
  [/^ar_(\d+)$/, "AR $1"],
  [/^ar_(\w)\w*$/, "AR $1"],
  [/^ar@(\d+)$/, "AR@$1"],
  [/^ar_(\w)\w*@(\d+)$/, "AR $1@$2"],
  [/^auc$/, "AUC"],
  [/^auc_(\w)\w*$/, "AUC $1"],
  [/^upper_bound$/, "bound"],
  [/^upper_bound_(\w)\w*$/, "bound $1"],
];

/**
 * The name of a number as tables print it.
 * @param {string} name
 */
export function label(name) {
  for (const [pattern, text] of LABELS) if (/** @type {RegExp} */ (pattern).test(name)) return name.replace(pattern, String(text));
  return name;
}

/**
 * A score as tables print it; -1 means that there was nothing to find.
 * @param {number | undefined} value
 */
export function score(value) {
  return value === undefined ? "" : value < 0 ? "–" : value.toFixed(3);
}

/**
 * Microseconds as "2026-11-28 14:05", in UTC.
 * @param {number} micros
 */
export function when(micros) {
  return new Date(micros / 1000).toISOString().slice(0, 16).replace("T", " ");
}

/**
 * A link that opens elsewhere, if it is one of the web.
 * @param {string} address
 * @param {string} text
 */
export function outside(address, text) {
  if (!/^https?:\/\//i.test(address)) return element("span", {}, text);
  return element("a", { href: address, rel: "noopener noreferrer nofollow", target: "_blank" }, text);
}

const UNITS = /** @type {const} */ ([["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]]);

/**
 * How long it is until a time, in words: "3 days", "1 hour".
 * @param {number} micros
 * @param {number} [now] milliseconds
 */
export function until(micros, now = Date.now()) {
  const seconds = Math.max(Math.abs(micros / 1000 - now) / 1000, 1);
  const [unit, length] = UNITS.find(([, one]) => seconds >= one) ?? UNITS[3];
  const count = Math.floor(seconds / length);
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** What stands behind "#"; nothing where it is no text. */
export function wanted() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

/** @typedef {{team: string | null, submissions: Submission[], left: Record<string, {today: number, total: number}>}} Mine */

/**
 * The team of an account and what it has sent; null for who is of no team.
 * @param {import("./types.js").Account | null} account
 * @returns {Promise<Mine | null>}
 */
export async function ownTeam(account) {
  if (!account || account.role === "viewer") return null;
  const mine = await ask("GET", "/api/submissions?limit=1"); // what is left, not the list
  return mine.team ? mine : null;
}

/**
 * What a team may still send in a phase, in words.
 * @param {{today: number, total: number}} left
 */
export function leftInWords({ today, total }) {
  if (total === 0) return "no more submissions in this phase";
  const midnight = new Date().setUTCHours(24, 0, 0, 0) * 1000;
  return `${today} more today, ${total} in all; a new day begins in ${until(midnight)}`;
}

/** Numbers of a submission, by their names. @param {Record<string, number>} numbers */
export const numberList = (numbers) =>
  element("dl", { class: "numbers" }, ...Object.entries(numbers).map(([name, value]) => element("div", {}, element("dt", {}, label(name)), element("dd", {}, score(value)))));

/** @param {number} bytes */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  for (; bytes >= 1000 && unit < units.length - 1; unit++) bytes /= 1000;
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}
