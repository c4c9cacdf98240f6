import assert from "node:assert/strict";
import { test } from "node:test";

import { halves } from "../../../../src/amidst/apps/server/static/charts.js";

const line = (/** @type {number[]} */ [p0, r0, p1, r1]) => ({ first_precision: p0, first_recall: r0, second_precision: p1, second_recall: r1 });
const area = (/** @type {number[][]} */ points) => Math.abs(points.reduce((sum, [x, y], k) => sum + x * points[(k + 1) % points.length][1] - y * points[(k + 1) % points.length][0], 0)) / 2;

test("a limit on precision alone rejects the left half, whichever point comes first", () => {
  for (const points of [[0.5, 0, 0.5, 1], [0.5, 0.9, 0.5, 0.2]]) {
    const { below, ends } = halves(line(points));
    assert.deepEqual(below, [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]);
    assert.deepEqual(ends, [[0.5, 0], [0.5, 1]]);
  }
});

test("a slanted line cuts a corner off, and runs to the edges of the square", () => {
  const { below, ends } = halves(line([0.2, 0.6, 0.6, 0.2])); // precision + recall = 0.8
  assert.ok(Math.abs(area(below) - 0.32) < 1e-12);
  assert.deepEqual(ends.map((end) => end.map((value) => Number(value.toFixed(12)))), [[0.8, 0], [0, 0.8]]);
});

test("a line along an edge rejects nobody", () => {
  const { below, ends } = halves(line([0, 0, 0, 1]));
  assert.equal(area(below), 0);
  assert.deepEqual(ends, [[0, 0], [0, 1]]);
});
