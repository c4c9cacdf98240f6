import assert from "node:assert/strict";
import { test } from "node:test";

import { answerOf, bodyOf, found, nextOpen, problemOf, withIcon, withNo, withoutIcon } from "../../../../src/amidst/apps/server/static/labelling_state.js";

const category = (id, name) => ({ id, name, icon: "", definition: "" });
const PANELS = [
  { super: "animal", icon: "", categories: [category(1, "dog"), category(2, "teddy bear"), category(3, "Bear")] },
  { super: "food", icon: "", categories: [category(4, "hot dog"), category(5, "bean")] },
];
const [ANIMAL, FOOD] = PANELS;
const EMPTY = { no: {}, icons: {} };

test("nothing is answered at first, and that cannot be handed in", () => {
  assert.equal(answerOf(EMPTY, ANIMAL), "open");
  assert.match(problemOf(EMPTY, PANELS), /animal and 1 more/);
  assert.equal(problemOf(EMPTY, []), null);
});

test("an icon says yes, taking the last one away says nothing", () => {
  const one = withIcon(EMPTY, ANIMAL, 1, [5, 6]);
  assert.equal(answerOf(one, ANIMAL), "yes");
  assert.deepEqual(withIcon(one, ANIMAL, 1, [7, 8]).icons, { 1: [7, 8] });
  assert.deepEqual(withoutIcon(one, 1), EMPTY);
  assert.equal(withoutIcon(one, 2), one);
});

test("no takes the icons of its panel away, and no others; an icon takes the no away", () => {
  const both = withIcon(withIcon(EMPTY, ANIMAL, 1, [0, 0]), FOOD, 4, [1, 1]);
  const no = withNo(both, ANIMAL);
  assert.deepEqual(no, { no: { animal: true }, icons: { 4: [1, 1] } });
  assert.equal(answerOf(no, ANIMAL), "no");
  assert.deepEqual(withIcon(no, ANIMAL, 3, [2, 2]).no, {});
  assert.deepEqual(both.no, {});
});

test("the next open panel goes around", () => {
  assert.equal(nextOpen(EMPTY, PANELS, -1), 0);
  assert.equal(nextOpen(EMPTY, PANELS, 1), 0);
  assert.equal(nextOpen(withNo(EMPTY, ANIMAL), PANELS, 1), 1);
  assert.equal(nextOpen(withNo(withNo(EMPTY, ANIMAL), FOOD), PANELS, 0), -1);
});

test("typed letters mean the panel in front first, a name's beginning before a word in it", () => {
  const named = (front, letters) => found(PANELS, front, letters)?.category.name;
  assert.equal(named(0, "d"), "dog");
  assert.equal(named(1, "dog"), "dog");
  assert.equal(named(0, "b"), "Bear");
  assert.equal(named(1, "be"), "bean");
  assert.equal(named(1, "bear"), "Bear");
  assert.equal(named(0, "T"), "teddy bear");
  assert.equal(named(0, "x"), undefined);
});

test("the body names every panel", () => {
  const state = withNo(withIcon(EMPTY, ANIMAL, 2, [5.25, 6]), FOOD);
  assert.deepEqual(bodyOf(state, PANELS), {
    panels: [
      { super: "animal", present: true, icons: [{ category: 2, x: 5.25, y: 6 }] },
      { super: "food", present: false, icons: [] },
    ],
  });
  assert.equal(problemOf(state, PANELS), null);
});
