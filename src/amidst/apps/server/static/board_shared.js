// What the pages of a benchmark share: types, the way they are entered, numbers and times as text.

import { ask, me } from "./api.js";
import { element, putHeader } from "./page.js";

/**
 * @typedef {{opens_at: number | null, closes_at: number | null, frozen_at: number | null, per_day: number, total: number,
 *   visibility: "nobody" | "owner" | "all", description: string}} PhaseSettings times: UTC microseconds
 */
/** @typedef {{id: number, name: string, images: number, config: PhaseSettings}} Phase */
/**
 * @typedef {{name: string, description: string, kind: string, tie: string, main: string, phases: Phase[],
 *   limits: {max_bytes: number, max_per_image: number}}} Board
 */
/**
 * @typedef {{id: number, phase: string, team: string, state: string, reason: string, file_name: string, bytes: number,
 *   offset?: number, method: string, description: string, link: string, created_at: number, ahead: number | null,
 *   numbers: Record<string, number>}} Submission
 */

export const OPEN_STATES = ["received", "checking", "queued", "running"];
const ORGANISERS = ["owner", "manager"];

/**
 * The benchmark, and a page of it for whoever is there; nobody has to be signed in.
 * @returns {Promise<{account: import("./types.js").Account | null, board: Board, content: HTMLElement}>}
 */
export async function openBoard() {
  const [account, board] = await Promise.all([me(), /** @type {Promise<Board>} */ (ask("GET", "/api/board"))]);
  const nav = [{ href: "/", text: "Leaderboard" }];
  if (account) nav.push({ href: "/submissions", text: "Submissions" });
  if (account && ORGANISERS.includes(account.role)) nav.push({ href: "/organise", text: "Organise" });
  const { main } = putHeader({ title: board.name, nav, account });
  const content = element("div", { class: "page" });
  main.replaceChildren(content);
  return { account, board, content };
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

/** @param {number} bytes */
export function size(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  for (; bytes >= 1000 && unit < units.length - 1; unit++) bytes /= 1000;
  return `${unit ? bytes.toFixed(1) : bytes} ${units[unit]}`;
}

/** @param {unknown} error */
export function words(error) {
  return error instanceof Error ? error.message : String(error);
}
