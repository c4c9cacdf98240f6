// The tickets of a desk: those that were here before, new ones, and a few ahead.

import { ApiError, ask } from "./api.js";
import { forgetTicket, listTickets, putTicket, readEvents } from "./journal.js";
import { fetchAhead, forget } from "./pictures.js";

/** @typedef {import("./journal.js").Held} Held */

/** Tickets fetched ahead. */
export const AHEAD = 3;
/** Stages whose tickets one desk takes. @type {Record<string, string[]>} */
const GROUPS = { segmentation: ["segmentation", "training"] };

const REASONS = {
  nothing_open: "There is nothing to do in this stage right now.",
  too_many_tickets: "You hold too many tickets of this stage; hand some in or wait until they run out.",
  stage_off: "This stage is closed at the moment.",
  not_active: "Your account is paused; ask a manager.",
  training_paused: "Training is paused after five tries. It goes on later.",
  no_gold: "This stage lacks known examples; a manager has to add some.",
};

/** @param {string} group */
const stagesOf = (group) => GROUPS[group] ?? [group];

export class Queue {
  /**
   * @param {number} account
   * @param {string} group the stage of the address
   */
  constructor(account, group) {
    this.account = account;
    this.group = group;
    /** @type {Held[]} to be shown, the current one first */
    this.held = [];
    /** Why the last lease gave nothing, in words; "" if it gave something. */
    this.reason = "";
    /** When to try again, UTC ms; 0 for unknown. */
    this.retryAt = 0;
    /** @type {Promise<void> | null} */
    this.filling = null;
    /** Whether no more tickets are wanted. */
    this.resting = false;
  }

  /** What this browser knows, in agreement with the server if that can be reached. */
  async open() {
    const local = await listTickets(this.account, this.group);
    this.held = local.filter((held) => !held.sent);
    try {
      /** @type {{id: number, stage: string}[]} */
      const live = (await ask("GET", "/api/tickets")).filter((/** @type {any} */ one) => stagesOf(this.group).includes(one.stage));
      const ids = new Set(live.map(({ id }) => id));
      for (const held of [...this.held]) {
        const worked = (await readEvents(held.id)).some(({ kind }) => kind !== "open");
        if (!ids.has(held.id) && !worked) await this.drop(held); // over, and nothing is lost by it
      }
      for (const { id } of live) {
        if (!local.some((held) => held.id === id)) await this.resume(id); // from another browser
      }
    } catch (error) {
      if (!(error instanceof ApiError) || !error.passing) throw error;
    }
    for (const { media } of this.held) fetchAhead(media);
  }

  /** The ticket to work on, or null; then `reason` says why. Throws ApiError without a connection. */
  async current() {
    if (this.held.length === 0) await this.fill(1);
    return this.held[0] ?? null;
  }

  /** Have so many tickets. @param {number} number */
  async fill(number = AHEAD + 1) {
    while (this.filling) await this.filling;
    this.filling = this.#fill(number).finally(() => (this.filling = null));
    await this.filling;
  }

  /** @param {number} number */
  async #fill(number) {
    while (this.held.length < number && !this.resting) {
      const reply = await ask("POST", "/api/tickets/lease", { stage: this.group });
      if (!reply.ticket) {
        this.reason = REASONS[/** @type {keyof typeof REASONS} */ (reply.reason)] ?? reply.reason;
        this.retryAt = reply.retry_at ? reply.retry_at / 1000 : 0;
        return;
      }
      this.reason = "";
      await this.#take(reply);
    }
  }

  /** A ticket under a new token; whoever had the old one has lost it. @param {number} id */
  async resume(id) {
    const reply = await ask("POST", `/api/tickets/${id}/resume`);
    const known = this.held.find((held) => held.id === id);
    if (known) {
      known.ticket = reply.ticket;
      known.media = reply.media;
      known.resumed = true;
      await putTicket(known);
      return known;
    }
    const held = await this.#take(reply);
    held.resumed = true;
    return held;
  }

  /** @param {{ticket: import("./types.js").Ticket, media: Record<string, import("./types.js").Picture>}} reply */
  async #take({ ticket, media }) {
    /** @type {Held} */
    const held = { id: ticket.id, account: this.account, group: this.group, ticket, media, sent: false };
    await putTicket(held);
    this.held.push(held);
    fetchAhead(media);
    return held;
  }

  /** The ticket is not shown any more; its journal stays until the answer has arrived. @param {Held} held */
  remove(held) {
    this.held = this.held.filter((one) => one.id !== held.id);
    forget(held.media);
  }

  /** The ticket is done with. @param {Held} held */
  async drop(held) {
    this.remove(held);
    await forgetTicket(held.id);
  }

  /** Back to the pool. @param {Held} held */
  async release(held) {
    await ask("POST", `/api/tickets/${held.id}/release`, { token: held.ticket.token });
    await this.drop(held);
  }

  /** Fetches nothing more; returns when what was on its way has come. */
  async rest() {
    this.resting = true;
    await this.filling?.catch(() => {});
  }

  /** Renew every lease; the tickets that are no longer ours. */
  async heartbeat() {
    /** @type {Held[]} */
    const lost = [];
    for (const held of [...this.held]) {
      try {
        held.ticket.expires_at = (await ask("POST", `/api/tickets/${held.id}/heartbeat`, { token: held.ticket.token })).expires_at;
      } catch (error) {
        if (error instanceof ApiError && error.code === "stale") lost.push(held);
      }
    }
    return lost;
  }
}
