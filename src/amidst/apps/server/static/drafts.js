// The server's copy of unfinished work, a few seconds behind.

import { ApiError, ask } from "./api.js";

const AFTER_MS = 2000; // from an edit to its draft; the promise is 5 s
const RETRY_MS = 4000;

export class Drafts {
  /**
   * @param {() => {ticket: import("./types.js").Ticket, rev: number, state: any} | null} look what to save now
   * @param {(what: "saved" | "waiting" | "stale") => void} told
   */
  constructor(look, told) {
    this.look = look;
    this.told = told;
    this.timer = 0;
    this.sending = new AbortController();
    /** Whether there is something to send. */
    this.dirty = false;
    /** How many are on their way. */
    this.underWay = 0;
  }

  /** Whether the server may lack something. */
  get unsaved() {
    return this.dirty || this.underWay > 0;
  }

  /** There was an edit. */
  touch() {
    this.dirty = true;
    this.timer ||= setTimeout(() => this.flush(), AFTER_MS);
  }

  /** The ticket is done with: a draft that is under way would meet an answer. */
  clear() {
    this.sending.abort();
    clearTimeout(this.timer);
    this.timer = 0;
    this.dirty = false;
  }

  /** Save now. */
  async flush() {
    clearTimeout(this.timer);
    this.timer = 0;
    const found = this.look();
    if (!found || !this.dirty) return;
    this.dirty = false;
    const { signal } = (this.sending = new AbortController());
    this.underWay += 1;
    try {
      await ask("POST", `/api/tickets/${found.ticket.id}/draft`, { token: found.ticket.token, rev: found.rev, body: found.state }, signal);
      if (!this.dirty) this.told("saved");
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && !error.passing) {
        if (error.code === "stale") this.told("stale");
        return;
      }
      this.dirty = true;
      this.timer ||= setTimeout(() => this.flush(), RETRY_MS);
      this.told("waiting");
    } finally {
      this.underWay -= 1;
    }
  }
}
