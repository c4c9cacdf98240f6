import assert from "node:assert/strict";
import { test } from "node:test";

import { hueOf, lettersOf } from "../../../../src/amidst/apps/server/static/icon.js";

test("letters of a name", () => {
  for (const [name, letters] of [["", ""], ["x", "X"], ["unicorn", "UN"], ["sea horse", "SH"], ["  a  b c ", "AB"], ["éclair", "ÉC"], ["🦄 horn", "🦄H"], ["ßtraße", "SST"]]) {
    assert.equal(lettersOf(name), letters);
  }
});

test("hues are the same for the same name, in range, and spread", () => {
  const names = Array.from({ length: 200 }, (_, at) => `category ${at}`);
  const hues = names.map(hueOf);
  assert.deepEqual(hues, names.map(hueOf));
  assert.ok(hues.every((hue) => Number.isInteger(hue) && hue >= 0 && hue < 360));
  assert.ok(new Set(hues).size > 100);
});
