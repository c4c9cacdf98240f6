import assert from "node:assert/strict";
import { test } from "node:test";

import { screen as votes, nextUnscored, scored } from "../../../../src/amidst/apps/server/static/screen_category_votes.js";
import { screen as filter, cycled, marked } from "../../../../src/amidst/apps/server/static/screen_image_filter.js";
import { screen as verification, commonCategory, toggled } from "../../../../src/amidst/apps/server/static/screen_verification.js";

test("clicks go through the marks and back to none", () => {
  assert.deepEqual([undefined, "iconic_object", "iconic_scene", "invalid"].map(cycled), ["iconic_object", "iconic_scene", "invalid", undefined]);
});

test("marks of the filter, and what is sent", () => {
  const state = marked(marked(filter.start(), 7, "invalid"), 2, "iconic_scene");
  assert.deepEqual(filter.body(state).removed, [{ item: 2, reason: "iconic_scene" }, { item: 7, reason: "invalid" }]);
  assert.deepEqual(filter.body(marked(marked(state, 2, undefined), 7, undefined)), { removed: [] });
  assert.deepEqual(filter.start(), { marks: {} });
});

test("poor masks, and what is sent", () => {
  const state = toggled(toggled(verification.start(), 9), 0);
  assert.deepEqual(verification.body(state), { bad: [0, 9] });
  assert.deepEqual(verification.body(toggled(state, 9)), { bad: [0] });
});

test("the category of a grid, if there is one", () => {
  const item = (id) => ({ category: { id, name: `${id}` } });
  assert.equal(commonCategory([]), null);
  assert.equal(commonCategory([item(1), item(1)])?.id, 1);
  assert.equal(commonCategory([item(1), item(2)]), null);
});

test("votes: the next without points, what is missing, what is sent", () => {
  const candidates = [{ id: 5, name: "cat" }, { id: 3, name: "dog" }];
  const one = scored(votes.start(), 5, 4);
  assert.equal(nextUnscored(one, candidates, 1), 1);
  assert.match(votes.problem(one, { candidates }), /1 candidate has no points yet, such as “dog”/);
  const both = { ...scored(one, 3, 1), comments: { 3: " why not " } };
  assert.equal(votes.problem(both, { candidates }), null);
  assert.equal(nextUnscored(both, candidates, 0), -1);
  assert.deepEqual(votes.body(both).scores, [{ candidate: 3, score: 1, comment: "why not" }, { candidate: 5, score: 4, comment: "" }]);
  assert.deepEqual(scored(one, 5, undefined).scores, {});
});
