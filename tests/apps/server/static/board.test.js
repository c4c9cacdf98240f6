// What the leaderboard's pages say in words: times, limits, plots.

import assert from "node:assert/strict";
import { test } from "node:test";

import { frozenInWords, openness } from "../../../../src/amidst/apps/server/static/board_phase.js";
import { bestSoFar, inWords, ticks } from "../../../../src/amidst/apps/server/static/board_plot.js";
import { label, leftInWords, mailOf, score, until } from "../../../../src/amidst/apps/server/static/board_shared.js";

const NOW = Date.UTC(2026, 10, 29, 12); // milliseconds
const HOUR = 3600e6; // microseconds
const at = (hours) => NOW * 1000 + hours * HOUR;

test("the time until something is its largest unit", () => {
  assert.equal(until(at(0), NOW), "1 second");
  assert.equal(until(at(1 / 60), NOW), "1 minute");
  assert.equal(until(at(1.9), NOW), "1 hour");
  assert.equal(until(at(47), NOW), "1 day");
  assert.equal(until(at(-72), NOW), "3 days"); // how long ago
});

test("a phase is open, not open yet, or closed", () => {
  const of = (opens_at, closes_at) => openness({ opens_at, closes_at }, NOW);
  assert.deepEqual(of(null, null), { open: true, state: "open", text: "It stays open until further notice." });
  assert.deepEqual(of(at(48), at(72)), { open: false, state: "not open yet", text: "Opens in 2 days, on 2026-12-01 12:00 UTC." });
  assert.deepEqual(of(at(-1), at(2)), { open: true, state: "open", text: "Closes in 2 hours, on 2026-11-29 14:00 UTC." });
  assert.deepEqual(of(null, at(-24)), { open: false, state: "closed", text: "Closed 1 day ago, on 2026-11-28 12:00 UTC." });
  assert.equal(of(null, at(0)).open, false); // as the server: closed from that moment on
});

test("a frozen table says since when, one that will be frozen when", () => {
  assert.match(frozenInWords(at(-1), NOW), /^since 2026-11-29 11:00 UTC/);
  assert.match(frozenInWords(at(5), NOW), /^in 5 hours, on 2026-11-29 17:00 UTC/);
});

test("what is left is said with the time of a new day, unless nothing is left at all", () => {
  assert.match(leftInWords({ today: 0, total: 3 }), /^0 more today, 3 in all; a new day begins in \d+ \w+$/);
  assert.equal(leftInWords({ today: 0, total: 0 }), "no more submissions in this phase");
});

test("ticks are round and enclose the scores", () => {
  assert.deepEqual(ticks(0.31, 0.31), [0.31, 0.312]); // a range even of one score
  assert.deepEqual(ticks(0.199, 0.304), [0.15, 0.2, 0.25, 0.3, 0.35]);
  assert.deepEqual(ticks(0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]);
});

test("the best so far leaves out what was no better", () => {
  const points = [0.2, 0.1, 0.2, 0.3].map((value, k) => ({ team: "A", created_at: at(k), score: value }));
  assert.deepEqual(bestSoFar(points), [points[0], points[3]]);
  assert.deepEqual(bestSoFar([]), []);
  assert.equal(inWords(points, "AP"), "AP of 4 submissions of 1 team from 2026-11-29 12:00 to 2026-11-29 15:00 UTC; the best, 0.300, is of A");
});

test("numbers have the names and the decimals of the field", () => {
  assert.deepEqual(["ap", "ap50", "ap_small", "ar_100", "ar@1000", "auc"].map(label), ["AP", "AP 50", "AP s", "AR 100", "AR@1000", "AUC"]);
  assert.deepEqual([score(0.28552), score(-1), score(undefined)], ["0.286", "–", ""]);
});

test("a contact is a link only if it is one plain address", () => {
  assert.deepEqual(["", "Olga, room 5", "mailto:o@e.org", "o.l+g-a@lab.e.org"].map(mailOf), ["", "", "o@e.org", "o.l+g-a@lab.e.org"]);
  for (const odd of ["https://e.org", "javascript:alert(1)@e.org", "mailto:o@e.org?bcc=x@e.org", "mailto:o@e.org,x@e.org", "o@e.org\njavascript:1", '"><b>@e.org']) assert.equal(mailOf(odd), "", odd);
});
