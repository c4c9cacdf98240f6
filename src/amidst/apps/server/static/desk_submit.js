// Handing in: an answer is in the outbox before it is sent; what the server says of it decides what comes next.

import { notice } from "./desk_frame.js";
import { current, measured } from "./history.js";
import { forgetTicket, listTickets, putOutgoing, putTicket } from "./journal.js";
import { send } from "./outbox.js";

/** @typedef {import("./desk.js").Desk} Desk */
/** @typedef {import("./journal.js").Held} Held */
/** @typedef {import("./journal.js").Outgoing} Outgoing */
/** @typedef {import("./outbox.js").Outcome} Outcome */

const VERSION = "1";
const PATIENCE_MS = 5000; // for the reply to a submit; then the next ticket comes and the answer follows

/** Submits what is on the stage. @param {Desk} desk */
export async function handIn(desk) {
  const { held, history } = desk;
  if (desk.readOnly || !held || !history || desk.submitting) return;
  const state = current(history);
  const problem = desk.screen.problem(state, held.ticket.task);
  if (problem) return desk.say(problem, "error");
  /** @type {Outgoing} */
  const outgoing = {
    key: crypto.randomUUID(),
    account: held.account,
    ticket: held.id,
    group: held.group,
    token: held.ticket.token,
    body: desk.screen.body(state, held.ticket.task),
    client: measured(history, Date.now(), VERSION),
    madeAt: Date.now(),
  };
  desk.submitting = true;
  desk.drafts.clear();
  desk.showButtons();
  try {
    await putOutgoing(outgoing, held);
    const outcome = await sent(desk, outgoing);
    desk.submitting = false;
    await answered(desk, held, outcome);
  } finally {
    desk.submitting = false;
    desk.showButtons();
  }
}

/**
 * What became of it, or "later" when the server takes its time; not while someone signs in again.
 * @param {Desk} desk
 * @param {Outgoing} outgoing
 * @returns {Promise<Outcome>}
 */
async function sent(desk, outgoing) {
  const sending = send(outgoing);
  for (;;) {
    /** @type {Outcome} */
    const late = { kind: "later", message: "" };
    const first = await Promise.race([sending, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, late))]);
    if (first !== late) return first;
    if (document.querySelector("dialog.session")) continue;
    void desk.guard(sending.then((outcome) => (outcome.kind === "later" ? undefined : settled(desk, outgoing, outcome))));
    return late;
  }
}

/** @param {Desk} desk @param {Held} held @param {Outcome} outcome */
async function answered(desk, held, outcome) {
  const { screen, offered } = desk;
  if (outcome.kind === "refused" || (outcome.kind === "stored" && outcome.receipt.status === "look_again")) {
    await putTicket(held); // it stays
    desk.drafts.touch();
  }
  if (outcome.kind === "refused") {
    if (!(offered && screen.refused?.(outcome.code, outcome.message, offered))) desk.say(outcome.message, "error");
    return;
  }
  if (outcome.kind === "stored" && outcome.receipt.status === "look_again") {
    if (!(offered && screen.reply?.(outcome.receipt, offered))) desk.say("Look again: something was missed.", "warning");
    return;
  }
  if (outcome.kind === "later") desk.queue.remove(held);
  else await desk.queue.drop(held);
  desk.held = null; // what is still shown cannot be changed
  desk.outbox?.poke();
  if (outcome.kind === "stored" && offered && screen.reply?.(outcome.receipt, offered)) return;
  await desk.showNext();
  if (outcome.kind === "later") desk.say("The answer is kept here and follows by itself.", "warning");
  if (outcome.kind === "gone") desk.say(`Somebody else has this one meanwhile; ${outcome.message}`, "warning");
  if (outcome.kind === "stored" && outcome.receipt.status === "gate_failed") desk.say("That was the last try of this grid; here is another.", "warning");
}

/**
 * An answer has left the outbox later on; one that was not taken comes back to the desk.
 * @param {Desk} desk
 * @param {Outgoing} outgoing
 * @param {Outcome} outcome
 */
export async function settled(desk, outgoing, outcome) {
  const held = (await listTickets(desk.account.account, outgoing.group)).find((one) => one.id === outgoing.ticket);
  const stays = outcome.kind === "refused" || (outcome.kind === "stored" && outcome.receipt.status === "look_again");
  if (!stays || !held) return forgetTicket(outgoing.ticket);
  if (desk.queue.held.some(({ id }) => id === held.id)) return;
  held.sent = false;
  await putTicket(held);
  const why = outcome.kind === "refused" ? outcome.message : "the grid has to be looked at again";
  const here = outgoing.group === desk.queue.group;
  notice(desk.frame, "refused", `An earlier answer was not taken: ${why}. It ${here ? "comes next" : "waits on its own desk"}.`, "error");
  if (!here) return;
  desk.queue.held.splice(desk.held ? 1 : 0, 0, held);
  if (!desk.held) await desk.showNext();
}
