import assert from "node:assert/strict";
import { test } from "node:test";

import { apply, diff } from "../../../../src/amidst/apps/server/static/patch.js";

const CASES = [
  [null, null],
  [1, { a: 1 }],
  [[], [1]],
  [[1, 2, 3], [1, 3]],
  [[1, 2, 3], [1, 9, 3]],
  [[[1], [2]], [[1], [2, 3]]],
  [{}, { a: [] }],
  [{ a: 1, b: 2 }, { b: 3 }],
  [{ a: { b: [1, 2] }, c: 0 }, { a: { b: [2] }, c: 0 }],
  [{ a: null }, { a: { x: 1 } }],
  [{ a: undefined }, {}],
];

test("a patch leads from one value to the other, through JSON, and alters neither", () => {
  for (const [before, after] of CASES) {
    const copy = structuredClone(before);
    const patch = JSON.parse(JSON.stringify(diff(before, after)));
    assert.deepEqual(apply(before, patch), after);
    assert.deepEqual(before, copy);
  }
});

test("random edits of nested lists", () => {
  let seed = 7;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  let state = { parts: [{ points: [[0, 0]], hole: false }], chosen: -1 };
  for (let step = 0; step < 500; step += 1) {
    const parts = state.parts.slice();
    const at = random(parts.length);
    const points = parts[at].points.slice();
    const what = random(4);
    if (what === 0) points.splice(random(points.length + 1), 0, [random(99), random(99)]);
    else if (what === 1 && points.length > 1) points.splice(random(points.length), 1);
    else points[random(points.length)] = [random(99), random(99)];
    parts[at] = { ...parts[at], points };
    if (what === 3) parts.push({ points: [[1, 1]], hole: true });
    const next = { ...state, parts, chosen: random(5) };
    const patch = diff(state, next);
    assert.deepEqual(apply(structuredClone(state), JSON.parse(JSON.stringify(patch))), next);
    if (what < 3) assert.ok(JSON.stringify(patch).length < 200, "the patch follows the change, not the state");
    state = next;
  }
});
