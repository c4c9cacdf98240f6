// Answers on their way. An answer is in the journal before it is sent, and leaves it when the server has said that it
// is stored, or that it cannot be. Sent again with the same key it is stored once.

import { ApiError, ask } from "./api.js";
import { dropOutgoing, listOutgoing } from "./journal.js";

/** @typedef {import("./journal.js").Outgoing} Outgoing */
/**
 * @typedef {{kind: "stored", receipt: import("./types.js").Receipt} | {kind: "gone", message: string}
 *   | {kind: "refused", code: string, message: string} | {kind: "later", message: string}} Outcome
 */

const SHORTEST_MS = 1000;
const LONGEST_MS = 30_000;

/**
 * Send one answer, once. "later": it stays in the outbox.
 * @param {Outgoing} outgoing
 * @returns {Promise<Outcome>}
 */
export async function send(outgoing) {
  const { key, ticket, token, body, client } = outgoing;
  /** @type {Outcome} */
  let outcome;
  try {
    outcome = { kind: "stored", receipt: await ask("POST", `/api/tickets/${ticket}/submit`, { token, idem_key: key, body, client }) };
    document.dispatchEvent(new CustomEvent("answered", { detail: outcome.receipt }));
  } catch (error) {
    if (!(error instanceof ApiError) || error.passing) return { kind: "later", message: error instanceof Error ? error.message : String(error) };
    const gone = error.code === "stale" || error.status === 404;
    outcome = gone ? { kind: "gone", message: error.message } : { kind: "refused", code: error.rule || error.code, message: error.message };
  }
  await dropOutgoing(key);
  return outcome;
}

/**
 * Keeps trying what is in the outbox, oldest first.
 * @param {number} account
 * @param {(outgoing: Outgoing, outcome: Outcome) => Promise<void>} done called for each that has left the outbox
 * @param {(waiting: number) => void} changed told how many are left
 * @returns {{poke: () => void, waiting: () => number}} poke: try now
 */
export function keepSending(account, done, changed) {
  let number = 0;
  let pause = SHORTEST_MS;
  let timer = 0;
  let busy = false;

  async function round() {
    clearTimeout(timer);
    if (busy) return;
    busy = true;
    let left = await listOutgoing(account);
    const failed = await sendAll(left, done);
    left = await listOutgoing(account);
    busy = false;
    number = left.length;
    changed(number);
    pause = failed ? Math.min(pause * 2, LONGEST_MS) : SHORTEST_MS;
    if (number > 0) timer = setTimeout(round, pause);
  }

  addEventListener("online", () => {
    pause = SHORTEST_MS;
    void round();
  });
  void round();
  return { poke: () => void round(), waiting: () => number };
}

/**
 * @param {Outgoing[]} all
 * @param {(outgoing: Outgoing, outcome: Outcome) => Promise<void>} done
 * @returns {Promise<boolean>} whether one has to wait
 */
async function sendAll(all, done) {
  for (const outgoing of all) {
    const outcome = await send(outgoing);
    if (outcome.kind === "later") return true;
    await done(outgoing, outcome);
  }
  return false;
}
