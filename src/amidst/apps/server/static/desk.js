// The desk: lease, show, keep, submit, next. It knows nothing of what a screen shows; a screen knows nothing of this.

import { ApiError, ask, onExpired } from "./api.js";
import { makeFrame, notice, showEmpty } from "./desk_frame.js";
import { giveBack, lostTicket, stop } from "./desk_leave.js";
import { handIn, settled } from "./desk_submit.js";
import { Drafts } from "./drafts.js";
import { advance, begin, canRedo, canUndo, changeTo, current } from "./history.js";
import { addEvent, listTickets, readEvents } from "./journal.js";
import { listen } from "./keyboard.js";
import { holdLock } from "./lock.js";
import { keepSending } from "./outbox.js";
import { element, openPage } from "./page.js";
import { addressOf, load } from "./pictures.js";
import { Queue } from "./queue.js";
import { signInAgain } from "./session.js";

/** @typedef {import("./types.js").Account} Account */
/** @typedef {import("./types.js").Help} Help */
/** @typedef {import("./types.js").Screen<any>} Screen */
/** @typedef {import("./journal.js").Held} Held */
/** @typedef {import("./history.js").Event} Event */

const HEARTBEAT_MS = 60_000;
const RETRY_MS = 5000;
const LOOK_AGAIN_MS = 20_000;

/** @type {Help[]} */
const COMMON = [
  { keys: "Ctrl Enter", does: "hand in and go on" },
  { keys: "Ctrl Z", does: "take back the last step" },
  { keys: "Ctrl Shift Z", does: "do it again" },
  { keys: "?", does: "these keys" },
];

/**
 * Opens the desk of a stage.
 * @param {string} group the stage of the address
 * @param {Screen} screen
 */
export async function openDesk(group, screen) {
  const { account, main } = await openPage({ title: screen.title, cheatSheet: () => [...screen.help, ...COMMON] });
  new Desk(account, group, screen, main).open();
}

export class Desk {
  /**
   * @param {Account} account
   * @param {string} group
   * @param {Screen} screen
   * @param {HTMLElement} main
   */
  constructor(account, group, screen, main) {
    this.account = account;
    this.screen = screen;
    this.queue = new Queue(account.account, group);
    this.frame = makeFrame(main, { undo: () => this.undo(), redo: () => this.redo(), giveBack: () => void this.guard(giveBack(this)), stop: () => void this.guard(stop(this)), submit: () => this.submit() });
    this.drafts = new Drafts(
      () => (this.submitting || !this.held || !this.history ? null : { ticket: this.held.ticket, rev: this.history.events, state: current(this.history) }),
      (what) => (what === "stale" ? void this.guard(lostTicket(this)) : this.showSaved(what)),
    );
    /** @type {Held | null} */
    this.held = null;
    /** @type {import("./history.js").History | null} */
    this.history = null;
    /** @type {{update(state: any): void, destroy(): void} | null} */
    this.mounted = null;
    /** @type {import("./types.js").Desk<any> | null} */
    this.offered = null;
    /** @type {Record<string, (event: KeyboardEvent) => void>} */
    this.screenKeys = {};
    this.readOnly = true;
    /** Counts what was on the stage, so that a slow reply knows when it is too late. */
    this.turn = 0;
    this.zoom = 1;
    this.assisted = false;
    this.writing = 0;
    this.submitting = false;
    this.retry = 0;
    /** @type {{poke: () => void, waiting: () => number} | null} */
    this.outbox = null;
    this.channel = new BroadcastChannel(`amidst/${account.account}/${group}`);
  }

  open() {
    onExpired(() => signInAgain(this.account));
    listen(() => (this.readOnly ? {} : { "Ctrl+Z": () => this.undo(), "Ctrl+Shift+Z": () => this.redo(), "Ctrl+Y": () => this.redo(), "Ctrl+Enter": () => this.submit(), ...this.screenKeys }));
    addEventListener("beforeunload", (event) => {
      if (this.isUnsent()) event.preventDefault();
    });
    document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && void this.drafts.flush());
    addEventListener("online", () => this.online());
    addEventListener("offline", () => this.offline());
    this.channel.onmessage = () => this.readOnly && void this.follow();
    const lock = holdLock(this.channel.name, {
      gained: () => void this.guard(this.begin()),
      waiting: () => void this.lookOn("This work is open in another tab.", () => lock.take()),
      lost: () => void this.lookOn("Another tab has taken over.", () => lock.take()),
    });
    setInterval(() => void this.beat(), HEARTBEAT_MS);
  }

  // --- one tab works, the others look on -----------------------------------------------------------------

  /** This tab is the one that works. */
  async begin() {
    this.readOnly = false;
    notice(this.frame, "lock", "");
    this.clear();
    this.outbox ??= keepSending(this.account.account, (outgoing, outcome) => settled(this, outgoing, outcome), (waiting) => this.showWaiting(waiting));
    const told = ask("GET", "/api/campaign").then(({ assistance }) => void (this.assisted = assistance), () => {}); // without a connection there is none
    await Promise.all([this.queue.open(), told]);
    await this.showNext();
  }

  /** @param {string} text @param {() => void} take */
  async lookOn(text, take) {
    this.readOnly = true;
    this.drafts.clear();
    notice(this.frame, "lock", `${text} Here you can only look.`, "warning", element("button", { type: "button", onclick: take }, "Work here"));
    await this.follow();
  }

  /** Show what the working tab has written to the journal. */
  async follow() {
    const held = (await listTickets(this.account.account, this.queue.group)).find((one) => !one.sent);
    if (!this.readOnly) return;
    if (!held) return showEmpty(this.frame, "Nothing is open in the other tab.");
    if (held.id !== this.held?.id || !this.mounted) return this.show(held);
    const { turn } = this;
    const history = await this.read(held);
    if (turn !== this.turn) return;
    this.history = history;
    this.mounted.update(current(history));
  }

  // --- a ticket on the stage -------------------------------------------------------------------------------

  async showNext() {
    this.clear();
    const { turn } = this;
    try {
      const held = await this.queue.current();
      if (turn !== this.turn) return;
      if (held) {
        await this.show(held);
        void this.queue.fill().catch(() => {});
        return;
      }
      this.wait(this.queue.reason, LOOK_AGAIN_MS);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.wait(error.passing ? "No connection; the next one comes when it is back." : error.message, (error.retryAfter || 0) * 1000 || RETRY_MS);
    }
  }

  /** @param {string} text @param {number} ms */
  wait(text, ms) {
    showEmpty(this.frame, text, element("p", { class: "hint" }, "This page looks again by itself."));
    this.frame.stage.dataset.ready = "nothing";
    this.retry = setTimeout(() => void this.showNext(), ms);
  }

  /** @param {Held} held */
  async show(held) {
    this.clear();
    const { turn } = this;
    const history = await this.read(held);
    if (turn !== this.turn) return; // something else is shown meanwhile
    this.held = held;
    this.history = history;
    const desk = this.offer(held);
    this.offered = desk;
    if (!this.readOnly) this.record({ kind: "open", at: Date.now() });
    this.mounted = this.screen.mount(desk);
    this.mounted.update(current(this.history));
    this.frame.stage.inert = this.frame.toolbar.inert = this.readOnly;
    this.showButtons();
    this.frame.stage.dataset.ready = String(held.id);
    if (Date.now() * 1000 > held.ticket.expires_at) this.say("The time of this one has run out; hand it in, it may still count.", "warning");
  }

  /** @param {Held} held */
  async read(held) {
    let history = begin(this.screen.start(held.ticket.task));
    for (const event of await readEvents(held.id)) history = advance(history, event);
    if (!held.resumed || this.readOnly) return history;
    held.resumed = false;
    const draft = await ask("GET", `/api/tickets/${held.id}/draft`).catch(() => null);
    if (!draft || draft.rev <= history.events) return history;
    /** @type {Event} */
    const event = { kind: "open", at: Date.now(), rev: draft.rev, patch: { to: draft.body } };
    await addEvent(held.id, draft.rev, event);
    return advance(history, event);
  }

  /** What the screen gets. @param {Held} held @returns {import("./types.js").Desk<any>} */
  offer(held) {
    return {
      root: this.frame.stage,
      toolbar: this.frame.toolbar,
      task: held.ticket.task,
      readOnly: this.readOnly,
      pictures: (imageId, variant) => load(held.media, imageId, variant),
      address: (imageId, variant) => addressOf(held.media, imageId, variant),
      state: () => current(/** @type {import("./history.js").History} */ (this.history)),
      change: (next, label, merge) => this.change(next, label, merge),
      say: (text, kind) => this.say(text, kind),
      keys: (map) => void (this.screenKeys = map),
      submit: () => this.submit(),
      undo: () => this.undo(),
      redo: () => this.redo(),
      next: () => void this.guard(this.showNext()),
      zoomed: (zoom) => void (this.zoom = Math.max(this.zoom, zoom)),
      assist: this.assisted ? (points, polygon) => this.assist(held, points, polygon) : null,
    };
  }

  clear() {
    clearTimeout(this.retry);
    this.turn += 1;
    this.mounted?.destroy();
    this.mounted = this.held = this.history = this.offered = null;
    this.screenKeys = {};
    this.drafts.clear();
    this.frame.toolbar.replaceChildren();
    this.frame.stage.replaceChildren();
    this.frame.stage.className = "stage";
    delete this.frame.stage.dataset.ready;
    this.say("");
    this.frame.saved.textContent = "";
    this.showButtons();
  }

  // --- edits -------------------------------------------------------------------------------------------------

  /** @param {any} next @param {string} label @param {string} [merge] */
  change(next, label, merge) {
    if (this.readOnly || !this.history || this.submitting || next === current(this.history)) return;
    this.record(changeTo(this.history, next, label, Boolean(merge), Date.now()));
  }

  undo() {
    if (this.history && canUndo(this.history) && !this.readOnly) this.record({ kind: "undo", at: Date.now() });
  }

  redo() {
    if (this.history && canRedo(this.history) && !this.readOnly) this.record({ kind: "redo", at: Date.now() });
  }

  /** Into the journal at once, into the draft soon. @param {Event} event */
  record(event) {
    if (!this.held || !this.history) return;
    if (this.zoom > 1) event.zoom = this.zoom;
    this.zoom = 1;
    const number = Math.max(this.history.events, event.rev ?? 0);
    this.history = advance(this.history, event);
    this.writing += 1;
    addEvent(this.held.id, number, event).then(
      () => {
        this.writing -= 1;
        this.frame.stage.dataset.kept = String(number);
        this.channel.postMessage(number);
      },
      () => {
        this.writing -= 1;
        this.say("This browser cannot keep your work (is its disk full?); it is kept on the server only.", "error");
      },
    );
    if (event.kind !== "open") {
      this.drafts.touch();
      this.frame.saved.textContent = "";
    }
    this.mounted?.update(current(this.history));
    this.showButtons();
  }

  /** @param {Held} held @param {import("./types.js").Xy[]} points @param {import("./types.js").Xy[]} polygon */
  async assist(held, points, polygon) {
    return (await ask("POST", `/api/tickets/${held.id}/assist`, { token: held.ticket.token, points, polygon })).masks;
  }

  submit() {
    void this.guard(handIn(this));
  }

  /** Whether closing the page now would leave something behind. */
  isUnsent() {
    return this.writing > 0 || this.drafts.unsaved || this.submitting || (this.outbox?.waiting() ?? 0) > 0;
  }

  async beat() {
    if (this.readOnly) return;
    const lost = await this.queue.heartbeat();
    for (const held of lost) if (held.id !== this.held?.id) await this.queue.drop(held);
    if (lost.some((held) => held.id === this.held?.id)) await lostTicket(this);
  }

  // --- what is said -------------------------------------------------------------------------------------------------

  /** @param {string} text @param {"info" | "warning" | "error"} [kind] */
  say(text, kind = "info") {
    this.frame.said.textContent = text;
    this.frame.said.title = text;
    this.frame.said.className = `said ${kind}`;
  }

  /** @param {"saved" | "waiting"} what */
  showSaved(what) {
    this.frame.saved.textContent = what === "saved" ? "saved" : "kept here, not yet on the server";
    this.frame.saved.dataset.saved = String(this.history?.events ?? "");
  }

  /** @param {number} waiting */
  showWaiting(waiting) {
    const text = waiting === 1 ? "One answer waits for the connection; it is kept here." : `${waiting} answers wait for the connection; they are kept here.`;
    notice(this.frame, "outbox", waiting > 0 && !this.submitting ? text : "", "warning");
  }

  showButtons() {
    const idle = !this.readOnly && !this.submitting && this.held !== null;
    this.frame.undo.disabled = !(idle && this.history && canUndo(this.history));
    this.frame.redo.disabled = !(idle && this.history && canRedo(this.history));
    this.frame.submit.disabled = this.frame.giveBack.disabled = !idle;
    const label = this.history?.labels[this.history.at];
    this.frame.undo.title = label ? `Take back: ${label} (Ctrl Z)` : "Take back the last step (Ctrl Z)";
  }

  online() {
    notice(this.frame, "offline", "");
    void this.drafts.flush();
    if (!this.held && !this.readOnly && this.retry) void this.guard(this.showNext());
    else void this.queue.fill().catch(() => {});
  }

  offline() {
    notice(this.frame, "offline", "No connection. Go on working: everything is kept here and sent later.", "warning");
  }

  /** Nothing fails silently. @param {Promise<unknown>} work */
  async guard(work) {
    try {
      await work;
    } catch (error) {
      console.error(error);
      this.say(error instanceof Error ? error.message : String(error), "error");
    }
  }
}
