import assert from "node:assert/strict";
import { test } from "node:test";

import { area } from "../../../../src/amidst/apps/server/static/geometry.js";
import { contours, decode, encode, pack, unpack } from "../../../../src/amidst/apps/server/static/rle.js";

function randomBitmap(width, height, seed) {
  const bitmap = new Uint8Array(width * height);
  let state = seed;
  const random = () => (state = (state * 48271) % 2147483647) / 2147483647;
  for (let n = 0; n < 6; n += 1) {
    const [x, y, w, h, on] = [random() * width, random() * height, random() * width, random() * height, random() > 0.3];
    for (let row = Math.floor(y); row < Math.min(y + h, height); row += 1) for (let column = Math.floor(x); column < Math.min(x + w, width); column += 1) bitmap[row * width + column] = on ? 1 : 0;
  }
  return bitmap;
}

test("an empty, a full and a single pixel", () => {
  assert.deepEqual(unpack(encode(new Uint8Array(6), 3, 2).counts), [6]);
  assert.deepEqual(unpack(encode(new Uint8Array(6).fill(1), 3, 2).counts), [0, 6]);
  assert.deepEqual(unpack(encode(Uint8Array.of(0, 1, 0, 0, 0, 0), 3, 2).counts), [2, 1, 3]);
  assert.deepEqual(contours({ size: [2, 3], counts: [6] }), []);
});

test("numbers of all sizes survive the text", () => {
  const runs = [0, 1, 15, 16, 31, 32, 1000, 3, 100_000, 2, 1, 30_000_000];
  assert.deepEqual(unpack(pack(runs)), runs);
});

test("bitmaps survive, and their borders enclose their area", () => {
  for (let seed = 1; seed < 60; seed += 1) {
    const [width, height] = [1 + (seed % 23), 1 + ((seed * 7) % 19)];
    const bitmap = randomBitmap(width, height, seed);
    const rle = encode(bitmap, width, height);
    assert.deepEqual(decode(rle), bitmap);
    const enclosed = contours(rle).reduce((sum, loop) => sum + area(loop), 0);
    assert.equal(enclosed, bitmap.reduce((sum, bit) => sum + bit, 0));
  }
});

test("pixels that touch at a corner stay apart, and a hole goes round the other way", () => {
  assert.equal(contours(encode(Uint8Array.of(1, 0, 0, 1), 2, 2)).length, 2);
  const ring = encode(Uint8Array.of(1, 1, 1, 1, 0, 1, 1, 1, 1), 3, 3);
  assert.deepEqual(contours(ring).map(area).sort((a, b) => a - b), [-1, 9]);
});
