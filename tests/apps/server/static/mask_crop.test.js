import assert from "node:assert/strict";
import { test } from "node:test";

import { bordered, placed, sampled, squared, variantFor } from "../../../../src/amidst/apps/server/static/mask_crop.js";

/** An RLE of a mask given by rows of text. */
function encoded(rows) {
  const [height, width] = [rows.length, rows[0].length];
  const flat = Array.from({ length: height * width }, (_, at) => (rows[at % height][Math.floor(at / height)] === "#" ? 1 : 0));
  const counts = [];
  let value = 0;
  for (let at = 0; at < flat.length; ) {
    const from = at;
    while (at < flat.length && flat[at] === value) at += 1;
    counts.push(at - from);
    value = 1 - value;
  }
  return { size: [height, width], counts };
}
const text = (mask, width) => Array.from({ length: mask.length / width }, (_, row) => [...mask.slice(row * width, (row + 1) * width)].map((one) => ".#+"[one]).join(""));
const SHAPE = ["......", ".###..", ".#.#..", ".####.", "......"];

test("a mask at its own resolution is itself, whole or cut", () => {
  const rle = encoded(SHAPE);
  assert.deepEqual(text(sampled(rle, [0, 0, 6, 5], 6, 5), 6), SHAPE);
  assert.deepEqual(text(sampled(rle, [2, 1, 3, 3], 3, 3), 3), ["##.", ".#.", "###"]);
});

test("empty and full masks, and room beyond the image", () => {
  assert.deepEqual(text(sampled({ size: [3, 2], counts: [6] }, [0, 0, 2, 3], 2, 3), 2), ["..", "..", ".."]);
  assert.deepEqual(text(sampled({ size: [3, 2], counts: [0, 6] }, [-1, -1, 4, 5], 4, 5), 4), ["....", ".##.", ".##.", ".##.", "...."]);
});

test("larger and smaller than the image, each pixel is the one under its middle", () => {
  let seed = 7;
  const random = () => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  for (let round = 0; round < 60; round += 1) {
    const rows = Array.from({ length: 1 + Math.floor(random() * 9) }, () => "");
    const columns = 1 + Math.floor(random() * 9);
    for (const row of rows.keys()) for (let x = 0; x < columns; x += 1) rows[row] += random() < 0.5 ? "#" : ".";
    const crop = [random() * columns * 0.5, random() * rows.length * 0.5, 0.5 + random() * columns * 0.5, 0.5 + random() * rows.length * 0.5];
    const [width, height] = [1 + Math.floor(random() * 20), 1 + Math.floor(random() * 20)];
    const expected = Array.from({ length: height }, (_, j) =>
      Array.from({ length: width }, (_, i) => rows[Math.floor(crop[1] + ((j + 0.5) * crop[3]) / height)]?.[Math.floor(crop[0] + ((i + 0.5) * crop[2]) / width)] ?? ".").join(""));
    assert.deepEqual(text(sampled(encoded(rows), crop, width, height), width), expected);
  }
});

test("the border is inside, its halo outside", () => {
  const mask = sampled(encoded(["......", ".####.", ".####.", ".####.", "......"]), [0, 0, 6, 5], 6, 5);
  assert.deepEqual(text(bordered(mask, 6, 5, 1), 6), [".++++.", "+####+", "+#..#+", "+####+", ".++++."]);
  assert.ok(bordered(new Uint8Array(12), 4, 3, 2).every((one) => one === 0));
});

test("the variant is sharp enough, and no larger than needed", () => {
  const image = { id: 1, width: 4000, height: 3000 };
  assert.equal(variantFor(image, [0, 0, 4000, 3000], 200), "256");
  assert.equal(variantFor(image, [0, 0, 900, 800], 200), "1024");
  assert.equal(variantFor(image, [0, 0, 100, 100], 200), "original-upright");
  assert.equal(variantFor({ id: 1, width: 200, height: 100 }, [0, 0, 9, 9], 900), "256");
});

test("a crop grows to a square inside its image, and lies whole in its room", () => {
  const image = { width: 100, height: 50 };
  assert.deepEqual(squared([40, 10, 20, 10], image), [40, 5, 20, 20]);
  assert.deepEqual(squared([0, 0, 10, 40], image), [0, 0, 40, 40]);
  assert.deepEqual(squared([10, 20, 80, 10], image), [10, 0, 80, 50]);
  assert.deepEqual(placed([0, 0, 20, 10], 100, 100), { x: 0, y: 25, width: 100, height: 50 });
});
