import assert from "node:assert/strict";
import { test } from "node:test";

import { fitting, lookAgainText, moved } from "../../../../src/amidst/apps/server/static/grid.js";

// 7 tiles in rows of 3: 0 1 2 / 3 4 5 / 6
const MOVES = [
  [0, "ArrowLeft", 0], [0, "ArrowUp", 0], [0, "ArrowRight", 1], [0, "ArrowDown", 3], [2, "ArrowRight", 3],
  [4, "ArrowDown", 4], [3, "ArrowDown", 6], [6, "ArrowRight", 6], [6, "ArrowUp", 3], [4, "Home", 0], [4, "End", 6],
  [1, "PageDown", 4], [0, "PageDown", 3], [4, "PageDown", 4], [5, "PageUp", 2], [6, "PageUp", 3], [2, "PageUp", 2],
];

test("keys lead to the neighbour, and stay inside", () => {
  for (const [from, key, to] of MOVES) assert.equal(moved(from, key, 3, 2, 7), to, `${key} from ${from}`);
  assert.equal(moved(0, "ArrowDown", 1, 1, 1), 0);
});

test("every tile can be reached by arrows alone", () => {
  for (const [columns, count] of [[1, 1], [1, 5], [4, 9], [16, 128], [7, 64]]) {
    const seen = new Set([0]);
    for (const index of seen) for (const key of ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]) seen.add(moved(index, key, columns, 3, count));
    assert.equal(seen.size, count);
  }
});

test("the whole grid is seen where it fits with comfortable tiles", () => {
  for (const [width, height, count] of [[1600, 940, 64], [1620, 1000, 128], [980, 580, 24], [3000, 2000, 128], [500, 500, 1]]) {
    const side = fitting(width, height, count, 6);
    const columns = Math.floor((width - 6) / (side + 6));
    assert.ok(side >= 104 && side <= 320);
    if (side > 104) assert.ok(Math.ceil(count / columns) * (side + 6) + 6 <= height, `${width} x ${height}: ${side}`);
  }
});

test("too many tiles are not made tiny", () => assert.equal(fitting(980, 580, 128, 6), 104));

test("the reply to a gate says how many tries are left, and not which pictures", () => {
  assert.match(lookAgainText({ tries_left: 2 }), /2 tries left/);
  assert.match(lookAgainText({ tries_left: 1 }), /last try/);
  assert.doesNotMatch(lookAgainText({ tries_left: 2 }), /iconic|missed|poor/);
});
