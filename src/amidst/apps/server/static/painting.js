// What brush, eraser and filled outlines make of an image's pixels. Pixels of individual masks are never painted.

import { emptyBitmap, fillOutline, stroke } from "./raster.js";
import { decode, encode } from "./rle.js";

/** @typedef {import("./types.js").Xy} Xy */
/** points: of a line that is `radius` thick to each side, or of a closed outline where that is 0. @typedef {{erase: boolean, radius: number, points: Xy[]}} Stroke */
/** left, top, right, bottom: pixels. @typedef {[number, number, number, number]} Box */

export class Painting {
  /** @param {number} width @param {number} height @param {import("./types.js").Rle[]} masks */
  constructor(width, height, masks) {
    this.width = width;
    this.height = height;
    this.blocked = new Uint8Array(width * height);
    for (const mask of masks) decode(mask, this.blocked);
    this.pixels = emptyBitmap(width, height);
    /** @type {Stroke[]} */
    this.applied = [];
  }

  /**
   * Shows these strokes; only what is new is drawn where that is enough. Gives the part of the image that has changed.
   * @param {Stroke[]} strokes
   * @returns {Box}
   */
  show(strokes) {
    const goesOn = this.applied.length <= strokes.length && this.applied.every((one, index) => one === strokes[index]);
    if (!goesOn) this.pixels.bitmap.fill(0);
    const added = strokes.slice(goesOn ? this.applied.length : 0);
    for (const one of added) this.apply(one);
    this.applied = strokes;
    return goesOn ? added.reduce((box, one) => join(box, boxOf(one)), /** @type {Box} */ ([Infinity, Infinity, 0, 0])) : [0, 0, this.width, this.height];
  }

  /** @param {Stroke} one */
  apply({ erase, radius, points }) {
    const value = erase ? 0 : 1;
    if (radius === 0) fillOutline(this.pixels, points, value);
    else points.forEach((point, index) => stroke(this.pixels, points[Math.max(index - 1, 0)], point, radius, value));
  }

  /** A stroke that goes on: one more piece of it, at once. @param {Stroke} one */
  extend({ erase, radius, points }) {
    const to = points[points.length - 1];
    const from = points[Math.max(points.length - 2, 0)];
    stroke(this.pixels, from, to, radius, erase ? 0 : 1);
    return boxOf({ erase, radius, points: [from, to] });
  }

  /** The stroke that was extended is the next of the list. @param {Stroke} one */
  keep(one) {
    this.applied = [...this.applied, one];
  }

  /** The pixels hold what is in no list; draw them anew next time. */
  spoil() {
    this.applied = [{ erase: false, radius: 0, points: [] }];
  }

  /** @param {number} at */
  isPainted(at) {
    return this.pixels.bitmap[at] === 1 && this.blocked[at] === 0;
  }

  /** The painted region without the masks. */
  region() {
    const free = this.pixels.bitmap.map((bit, at) => (bit && !this.blocked[at] ? 1 : 0));
    return { rle: encode(free, this.width, this.height), area: free.reduce((sum, bit) => sum + bit, 0) };
  }
}

/** @param {Stroke} one @returns {Box} */
function boxOf({ radius, points }) {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  return [Math.min(...xs) - radius - 1, Math.min(...ys) - radius - 1, Math.max(...xs) + radius + 1, Math.max(...ys) + radius + 1];
}

/** @param {Box} a @param {Box} b @returns {Box} */
function join(a, b) {
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}
