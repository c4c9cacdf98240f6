import assert from "node:assert/strict";
import { test } from "node:test";

import { area, covers, deleteVertex, firstCrossing, holds, insertVertex, moveVertex, nearEdge, nearVertex, nearestOn, simplify } from "../../../../src/amidst/apps/server/static/geometry.js";

const SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]];
const HOLE = [[4, 4], [6, 4], [6, 6], [4, 6]];
const PARTS = [{ points: SQUARE, hole: false }, { points: HOLE, hole: true }];

test("nothing lies near in nothing", () => {
  assert.equal(nearVertex([], [0, 0], 5), null);
  assert.equal(nearEdge([], [0, 0], 5), null);
  assert.equal(covers([], [0, 0]), false);
  assert.equal(firstCrossing([]), null);
  assert.equal(area([]), 0);
  assert.deepEqual(simplify([], 1), []);
});

test("the nearest vertex and edge within a distance", () => {
  assert.deepEqual(nearVertex(PARTS, [9, 1], 3), { part: 0, vertex: 1, distance: Math.SQRT2 });
  assert.equal(nearVertex(PARTS, [9, 1], 1), null);
  assert.deepEqual(nearEdge(PARTS, [5, 3.5], 2), { part: 1, vertex: 0, distance: 0.5, xy: [5, 4] });
  assert.deepEqual(nearEdge(PARTS, [-1, 5], 2), { part: 0, vertex: 3, distance: 1, xy: [0, 5] });
  assert.deepEqual(nearestOn([3, 3], [1, 1], [1, 1]), [1, 1]);
});

test("a hole is outside", () => {
  assert.ok(covers(PARTS, [2, 2]));
  assert.ok(!covers(PARTS, [5, 5]));
  assert.ok(holds(HOLE, [5, 5]));
  assert.ok(!holds(SQUARE, [11, 5]));
});

test("an outline that crosses itself is told where; touching is no crossing", () => {
  assert.deepEqual(firstCrossing([[0, 0], [10, 10], [10, 0], [0, 10]]), [5, 5]);
  assert.equal(firstCrossing(SQUARE), null);
  assert.equal(firstCrossing([[0, 0], [5, 5], [10, 0], [10, 10], [5, 5], [0, 10]]), null);
  assert.equal(firstCrossing([[0, 0], [0, 0], [10, 0], [10, 10]]), null);
});

test("edits leave what was there", () => {
  const before = structuredClone(PARTS);
  assert.deepEqual(moveVertex(PARTS, { part: 0, vertex: 2 }, [12, 12])[0].points[2], [12, 12]);
  assert.deepEqual(insertVertex(PARTS, { part: 0, vertex: 3 }, [0, 5])[0].points.at(-1), [0, 5]);
  assert.equal(deleteVertex(PARTS, { part: 0, vertex: 0 })[0].points.length, 3);
  assert.equal(deleteVertex([{ points: SQUARE.slice(1), hole: false }], { part: 0, vertex: 0 }).length, 0);
  assert.deepEqual(PARTS, before);
});

test("what is left of an outline lies no farther away than allowed", () => {
  const circle = Array.from({ length: 400 }, (_, i) => [100 + 50 * Math.cos(i / 63.66), 100 + 50 * Math.sin(i / 63.66)]);
  const fewer = simplify(circle, 0.8);
  assert.ok(fewer.length < 60 && fewer.length > 8);
  for (const point of circle) assert.ok(nearEdge([{ points: fewer }], point, 0.81));
  assert.ok(Math.abs(area(SQUARE)) === 100);
});
