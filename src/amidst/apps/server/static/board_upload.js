// Sending a results file in pieces; the server says where to go on.

import { ApiError, ask, me } from "./api.js";

/** @typedef {import("./board_shared.js").Submission} Submission */
/** @typedef {{phase: string, method: string, description: string, link: string}} About */
/** @typedef {(sent: number, submission: Submission | null) => void} Say */

const PIECE = 4 * 2 ** 20;
const HASHED = 1.5e9; // bytes that a browser reads into memory to hash them
const TRIES = 8;

/**
 * SHA-256 in hex; "" where the browser cannot tell.
 * @param {File} file
 */
async function sha256(file) {
  if (!crypto.subtle || file.size > HASHED) return "";
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Announces a file and sends what the server does not have of it. The same file goes on where it broke off.
 * @param {File} file
 * @param {About} about
 * @param {Say} say
 * @param {AbortSignal} signal ends the sending; what has come stays
 * @returns {Promise<Submission>}
 */
export async function send(file, about, say, signal) {
  say(0, null);
  const hash = await sha256(file);
  /** @type {Submission} */
  const found = await ask("POST", "/api/submissions", { ...about, file_name: file.name, bytes: file.size, sha256: hash }, signal);
  return goOn(file, found, say, signal);
}

/**
 * Sends the rest of a file that was announced before.
 * @param {File} file
 * @param {Submission} found
 * @param {Say} say
 * @param {AbortSignal} signal
 * @returns {Promise<Submission>}
 */
export async function goOn(file, found, say, signal) {
  let failures = 0;
  while (found.state === "received" || found.state === "checking") {
    const offset = found.offset ?? 0;
    say(offset, found);
    try {
      found = await put(`/api/submissions/${found.id}/content?offset=${offset}`, file.slice(offset, offset + PIECE), signal);
      failures = 0;
    } catch (error) {
      if (signal.aborted || !(error instanceof ApiError)) throw error;
      if (error.code === "offset") found = await ask("GET", `/api/submissions/${found.id}`);
      else if (error.passing && failures++ < TRIES) await pause(1000 * Math.max(error.retryAfter, failures), signal);
      else throw error;
    }
  }
  say(file.size, found);
  return found;
}

/** Ends early when the sending is given up. @param {number} ms @param {AbortSignal} signal */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve(undefined)), { once: true });
  });
}

/**
 * @param {string} path
 * @param {Blob} piece
 * @param {AbortSignal} signal
 */
async function put(path, piece, signal) {
  const account = await me();
  const headers = { "Content-Type": "application/octet-stream", "X-CSRF-Token": account?.csrf ?? "" };
  let response;
  try {
    response = await fetch(path, { method: "PUT", headers, body: piece, signal });
  } catch {
    throw new ApiError(0, "offline", "no connection to the server");
  }
  const reply = await response.json().catch(() => null);
  if (response.ok) return reply;
  const { code = "error", message = `the server answered ${response.status}` } = reply?.error ?? {};
  throw new ApiError(response.status, code, message, Number(response.headers.get("Retry-After")) || 0);
}
