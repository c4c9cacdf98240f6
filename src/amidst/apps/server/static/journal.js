// What must survive a reload or a crash, in IndexedDB: tickets, the events of their work, answers on their way.
// An edit is one small record, written when it happens; nothing is ever rewritten. Where a browser keeps nothing for a page
// (in another site's frame), it is kept as long as the page, and the server's drafts are what survives.

import { hasBearer } from "./api.js";
import { MemoryDatabase } from "./journal_memory.js";

/** @typedef {import("./types.js").Ticket} Ticket */
/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("./history.js").Event} Event */

/** @typedef {{id: number, account: number, group: string, ticket: Ticket, media: Record<string, Picture>, sent: boolean, resumed?: boolean}} Held group: the stage whose desk holds it; resumed: the server may know more of it */
/** @typedef {{key: string, account: number, ticket: number, group: string, token: string, body: object, client: object, madeAt: number}} Outgoing */

const NAME = "amidst";

/** @type {Record<string, string | string[]>} */
const KEYS = { tickets: "id", events: ["ticket", "number"], outbox: "key" };
const TRIES = 3;
const PAUSE_MS = 500;

/** @type {Promise<IDBDatabase | MemoryDatabase> | null} */
let opened = null;

function database() {
  opened ??= open().catch((error) => {
    opened = null; // the next try may succeed
    throw new Error(`this browser cannot keep your work: ${error.message}`);
  });
  return opened;
}

/**
 * A database that a crash has damaged is made anew; the server's drafts are seconds behind.
 * @returns {Promise<IDBDatabase | MemoryDatabase>}
 */
async function open() {
  for (let left = TRIES; left > 0; left -= 1) {
    try {
      return await openOnce();
    } catch {
      if (hasBearer()) return new MemoryDatabase(KEYS); // in another site's frame, where this is usual
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
  await new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(NAME);
    request.onsuccess = request.onerror = request.onblocked = resolve;
  });
  return openOnce();
}

/** @returns {Promise<IDBDatabase>} */
function openOnce() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(NAME, 1);
    opening.onupgradeneeded = () => {
      const made = opening.result;
      for (const [name, keyPath] of Object.entries(KEYS)) made.createObjectStore(name, { keyPath });
    };
    opening.onsuccess = () => {
      opening.result.onversionchange = () => opening.result.close();
      resolve(opening.result);
    };
    opening.onerror = () => reject(opening.error);
  });
}

/**
 * One transaction; resolves with the request's result after the commit.
 * @template T
 * @param {string[]} stores
 * @param {IDBTransactionMode} mode
 * @param {(transaction: IDBTransaction) => IDBRequest<T> | void} work
 * @returns {Promise<T>}
 */
async function transact(stores, mode, work) {
  const kept = await database();
  if (kept instanceof MemoryDatabase) return /** @type {T} */ (work(/** @type {any} */ (kept))?.result);
  const transaction = kept.transaction(stores, mode, { durability: "relaxed" });
  const request = work(transaction);
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(/** @type {T} */ (request?.result));
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

/** @param {number} ticket */
const ofTicket = (ticket) => IDBKeyRange.bound([ticket, 0], [ticket, Infinity]);

/** @param {Held} held */
export const putTicket = (held) => transact(["tickets"], "readwrite", (t) => t.objectStore("tickets").put(held));

/**
 * The tickets of an account in a stage, oldest first.
 * @param {number} account
 * @param {string} group
 * @returns {Promise<Held[]>}
 */
export async function listTickets(account, group) {
  /** @type {Held[]} */
  const all = await transact(["tickets"], "readonly", (t) => t.objectStore("tickets").getAll());
  return all.filter((held) => held.account === account && held.group === group);
}

/** @param {number} ticket @param {number} number @param {Event} event */
export const addEvent = (ticket, number, event) => transact(["events"], "readwrite", (t) => t.objectStore("events").put({ ticket, number, event }));

/**
 * @param {number} ticket
 * @returns {Promise<Event[]>}
 */
export async function readEvents(ticket) {
  /** @type {{event: Event}[]} */
  const rows = await transact(["events"], "readonly", (t) => t.objectStore("events").getAll(ofTicket(ticket)));
  return rows.map((row) => row.event);
}

/** The ticket is done with. @param {number} ticket */
export const forgetTicket = (ticket) =>
  transact(["tickets", "events"], "readwrite", (t) => {
    t.objectStore("tickets").delete(ticket);
    t.objectStore("events").delete(ofTicket(ticket));
  });

/** An answer is on its way, and its ticket is not shown again: both or neither. @param {Outgoing} outgoing @param {Held} held */
export const putOutgoing = (outgoing, held) =>
  transact(["outbox", "tickets"], "readwrite", (t) => {
    t.objectStore("outbox").put(outgoing);
    t.objectStore("tickets").put({ ...held, sent: true });
  });

/** @param {string} key */
export const dropOutgoing = (key) => transact(["outbox"], "readwrite", (t) => t.objectStore("outbox").delete(key));

/**
 * The answers of an account that no receipt has come for, oldest first.
 * @param {number} account
 * @returns {Promise<Outgoing[]>}
 */
export async function listOutgoing(account) {
  /** @type {Outgoing[]} */
  const all = await transact(["outbox"], "readonly", (t) => t.objectStore("outbox").getAll());
  return all.filter((one) => one.account === account).sort((a, b) => a.madeAt - b.madeAt);
}
