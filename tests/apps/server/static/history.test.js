import assert from "node:assert/strict";
import { test } from "node:test";

import { LIMIT, advance, begin, canRedo, canUndo, changeTo, current, measured } from "../../../../src/amidst/apps/server/static/history.js";

const change = (history, next, { label = "edit", merge = false, at = 1 } = {}) => advance(history, changeTo(history, next, label, merge, at));
const undo = (history) => advance(history, { kind: "undo", at: 1 });
const redo = (history) => advance(history, { kind: "redo", at: 1 });

test("nothing to take back at first", () => {
  const history = begin({ n: 0 });
  assert.equal(canUndo(history), false);
  assert.equal(canRedo(history), false);
  assert.deepEqual(current(undo(history)), { n: 0 });
  assert.deepEqual(current(redo(history)), { n: 0 });
});

test("at least 200 steps back and forth, and the oldest give way", () => {
  assert.ok(LIMIT >= 200);
  let history = begin({ n: 0 });
  for (let n = 1; n <= LIMIT + 50; n += 1) history = change(history, { n });
  for (let n = 0; n < LIMIT; n += 1) history = undo(history);
  assert.deepEqual(current(history), { n: 50 });
  assert.equal(canUndo(history), false);
  for (let n = 0; n < LIMIT; n += 1) history = redo(history);
  assert.deepEqual(current(history), { n: LIMIT + 50 });
});

test("a change after an undo ends what could be done again", () => {
  const history = change(undo(change(begin({ n: 0 }), { n: 1 })), { n: 2 });
  assert.equal(canRedo(history), false);
  assert.deepEqual(current(undo(history)), { n: 0 });
});

test("typing is one step, until something else is done", () => {
  let history = begin({ text: "" });
  for (const text of ["a", "ab", "abc"]) history = change(history, { text }, { label: "type", merge: true });
  assert.deepEqual(current(undo(history)), { text: "" });
  history = change(undo(history), { text: "x" }, { label: "type", merge: true });
  assert.deepEqual(current(undo(history)), { text: "" });
});

test("replaying what was written gives the same history, redo included", () => {
  const events = [];
  let history = begin({ points: [] });
  const record = (event) => {
    events.push(JSON.parse(JSON.stringify(event)));
    history = advance(history, event);
  };
  for (let n = 0; n < 250; n += 1) record(changeTo(history, { points: [...current(history).points, [n, n]] }, "put", false, n));
  for (let n = 0; n < 120; n += 1) record({ kind: "undo", at: 300 + n });
  const again = events.reduce(advance, begin({ points: [] }));
  assert.deepEqual(again, history);
  assert.equal(current(redo(again)).points.length, 131);
});

test("a draft from elsewhere replaces the state and lifts the revision", () => {
  const history = advance(begin({ n: 0 }), { kind: "open", at: 5, rev: 57, patch: { to: { n: 9 } } });
  assert.deepEqual(current(history), { n: 9 });
  assert.equal(history.events, 58);
  assert.equal(canUndo(history), false);
});

test("silence is no work, and undo is counted", () => {
  let history = advance(begin({ n: 0 }), { kind: "open", at: 1000 });
  history = change(history, { n: 1 }, { at: 4000 });
  history = advance(history, { kind: "undo", at: 10_000_000, zoom: 8 });
  const found = measured(history, 10_001_000, "1");
  assert.deepEqual(found, { ms_active: 3000 + 60_000 + 1000, zoom_max: 8, undo_count: 1, assist_used: false, app_version: "1" });
});
