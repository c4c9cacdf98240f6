import assert from "node:assert/strict";
import { test } from "node:test";

import { checked, tidied, wordsOf } from "../../../../src/amidst/apps/server/static/caption_rules.js";

const LIMITS = { min_words: 3, max_words: 5 };
const broken = (text) => checked(text, LIMITS).filter(({ kept }) => !kept).map(({ rule }) => rule.split(" ")[0]);

test("nothing written is too short, and nothing else is wrong", () => assert.deepEqual(broken(""), ["At"]));

test("the rules", () => {
  for (const [text, first] of [
    ["a b c", []], ["a b c d e", []], [" a  b\n c ", []], ["a b", ["At"]], ["a b c d e f", ["At"]],
    ["see http://x.org now", ["No"]], ["see www.x now", ["No"]], ["see example.com now", ["No"]], ["see EXAMPLE.COM now", ["No"]],
    ["the end.committee of it", []], ["a cat. No dog.", []], ["a b \u0007c", ["Only"]], ["a b \u202ec", ["Only"]], ["naïve 猫 🐈", []],
  ]) assert.deepEqual(broken(text), first, JSON.stringify(text));
});

test("what is said in plain words", () => {
  assert.equal(checked("a b", LIMITS)[0].problem, "1 more word, please.");
  assert.equal(checked("", LIMITS)[0].problem, "3 more words, please.");
});

test("what is sent has composed letters and single spaces", () => {
  assert.equal(tidied("  A cafe\u0301\n\tby   the sea "), "A café by the sea");
  assert.equal(wordsOf("  one two\nthree "), 3);
});
