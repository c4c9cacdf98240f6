// Undo and redo over states of plain JSON, as a fold over events: what the journal keeps is what is replayed.

import { apply, diff } from "./patch.js";

/** Steps that can be taken back. */
export const LIMIT = 500;
const IDLE_MS = 60_000; // a longer silence is no work

/**
 * at: ms. zoom: the closest look since the last event. "open" begins or resumes the work; its patch, where there is
 * one, replaces the state without a step (a draft from elsewhere, of revision `rev`).
 * @typedef {{kind: "open" | "change" | "merge" | "undo" | "redo", at: number, zoom?: number, label?: string, rev?: number,
 *   patch?: import("./patch.js").Patch}} Event
 */

/**
 * @typedef {object} History
 * @property {any[]} states
 * @property {string[]} labels labels[i] names the step from states[i - 1] to states[i]
 * @property {number} at index of the current state
 * @property {number} events how many made it; also the revision of its draft
 * @property {number} lastAt ms
 * @property {number} activeMs
 * @property {number} zoomMax
 * @property {number} undos
 * @property {boolean} assisted
 * @property {boolean} touched whether anything was ever changed
 */

/**
 * Of a ticket nobody has looked at.
 * @param {any} state
 * @returns {History}
 */
export function begin(state) {
  return { states: [state], labels: [""], at: 0, events: 0, lastAt: 0, activeMs: 0, zoomMax: 1, undos: 0, assisted: false, touched: false };
}

/** @param {History} history */
export function current(history) {
  return history.states[history.at];
}

/** @param {History} history */
export function canUndo(history) {
  return history.at > 0;
}

/** @param {History} history */
export function canRedo(history) {
  return history.at < history.states.length - 1;
}

/**
 * The event that makes `next` the state. It merges into the last step if `merge` is that step's label and nothing was
 * taken back since.
 * @param {History} history
 * @param {any} next
 * @param {string} label
 * @param {boolean} merge
 * @param {number} at
 * @returns {Event}
 */
export function changeTo(history, next, label, merge, at) {
  const goesOn = merge && history.at > 0 && !canRedo(history) && history.labels[history.at] === label;
  return { kind: goesOn ? "merge" : "change", at, label, patch: diff(current(history), next) };
}

/**
 * The history after an event.
 * @param {History} history
 * @param {Event} event
 * @returns {History}
 */
export function advance(history, event) {
  const gap = event.kind === "open" || history.lastAt === 0 ? 0 : Math.min(Math.max(event.at - history.lastAt, 0), IDLE_MS);
  const next = {
    ...history,
    events: Math.max(history.events, event.rev ?? 0) + 1,
    lastAt: event.at,
    activeMs: history.activeMs + gap,
    zoomMax: Math.max(history.zoomMax, event.zoom ?? 1),
    assisted: history.assisted || event.label === "assist",
    touched: history.touched || event.kind !== "open",
  };
  if (event.kind === "undo") return { ...next, at: Math.max(next.at - 1, 0), undos: next.undos + 1 };
  if (event.kind === "redo") return { ...next, at: Math.min(next.at + 1, next.states.length - 1) };
  if (!event.patch) return next;
  const state = apply(current(history), event.patch);
  if (event.kind === "open") return { ...next, states: [state], labels: [""], at: 0, touched: true };
  const kept = event.kind === "merge" ? history.at : history.at + 1;
  const states = [...history.states.slice(0, kept), state];
  const labels = [...history.labels.slice(0, kept), event.label ?? ""];
  const over = Math.max(states.length - 1 - LIMIT, 0);
  return { ...next, states: states.slice(over), labels: labels.slice(over), at: states.length - 1 - over };
}

/**
 * What the server wants to know of how an answer came about.
 * @param {History} history
 * @param {number} now ms
 * @param {string} version
 * @returns {import("./types.js").Client}
 */
export function measured(history, now, version) {
  const last = history.lastAt ? Math.min(Math.max(now - history.lastAt, 0), IDLE_MS) : 0;
  return { ms_active: Math.round(history.activeMs + last), zoom_max: Math.min(history.zoomMax, 1000), undo_count: history.undos, assist_used: history.assisted, app_version: version };
}
