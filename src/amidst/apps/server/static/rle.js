// COCO's run lengths: down the columns, zeros first; as numbers, or packed into text as pycocotools does it.
// A bitmap is a Uint8Array by rows, as canvases have it: bitmap[y * width + x].

/** @typedef {import("./types.js").Rle} Rle */
/** @typedef {import("./types.js").Xy} Xy */

/**
 * Run lengths as numbers.
 * @param {string | number[]} counts
 * @returns {number[]}
 */
export function unpack(counts) {
  if (typeof counts !== "string") return counts;
  /** @type {number[]} */
  const runs = [];
  for (let at = 0; at < counts.length; ) {
    let value = 0;
    let shift = 0;
    for (let more = true; more; shift += 5, at += 1) {
      const code = counts.charCodeAt(at) - 48;
      value |= (code & 0x1f) << shift;
      more = (code & 0x20) !== 0;
      if (!more && code & 0x10) value |= -1 << (shift + 5); // negative
    }
    runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
  }
  return runs;
}

/**
 * The text of run lengths.
 * @param {number[]} runs
 * @returns {string}
 */
export function pack(runs) {
  let text = "";
  for (let at = 0; at < runs.length; at += 1) {
    let value = at > 2 ? runs[at] - runs[at - 2] : runs[at];
    for (let more = true; more; ) {
      let code = value & 0x1f;
      value >>= 5;
      more = code & 0x10 ? value !== -1 : value !== 0;
      if (more) code |= 0x20;
      text += String.fromCharCode(code + 48);
    }
  }
  return text;
}

/**
 * @param {Uint8Array} bitmap
 * @param {number} width
 * @param {number} height
 * @returns {Rle}
 */
export function encode(bitmap, width, height) {
  const runs = [];
  let run = 0;
  let last = 0;
  for (let x = 0; x < width; x += 1) {
    for (let y = 0, at = x; y < height; y += 1, at += width) {
      const value = bitmap[at] ? 1 : 0;
      if (value === last) run += 1;
      else {
        runs.push(run);
        run = 1;
        last = value;
      }
    }
  }
  runs.push(run);
  return { size: [height, width], counts: pack(runs) };
}

/**
 * Calls `paint` for each vertical run of ones: column, first row, number of rows.
 * @param {Rle} rle
 * @param {(x: number, y: number, length: number) => void} paint
 */
export function eachRun({ size: [height], counts }, paint) {
  let at = 0;
  unpack(counts).forEach((run, index) => {
    if (index % 2 === 1) {
      for (let left = run, place = at; left > 0; ) {
        const y = place % height;
        const length = Math.min(left, height - y);
        paint(Math.floor(place / height), y, length);
        left -= length;
        place += length;
      }
    }
    at += run;
  });
}

/**
 * Sets the pixels of a mask in a bitmap of its image.
 * @param {Rle} rle
 * @param {Uint8Array} [bitmap]
 */
export function decode(rle, bitmap = new Uint8Array(rle.size[0] * rle.size[1])) {
  const width = rle.size[1];
  eachRun(rle, (x, y, length) => {
    for (let row = y, at = y * width + x; row < y + length; row += 1, at += width) bitmap[at] = 1;
  });
  return bitmap;
}

/**
 * The borders of a mask along the edges of its pixels: closed outlines, the mask on their right (y points down), holes
 * the other way round.
 * @param {Rle} rle
 * @returns {Xy[][]}
 */
export function contours(rle) {
  const stride = rle.size[1] + 1; // corners are numbered y * stride + x
  const { width, bitmap, left, top, right, bottom } = cropped(rle);
  /** @type {Map<number, number[]>} from a corner to where edges lead from it */
  const edges = new Map();
  const add = (/** @type {number} */ from, /** @type {number} */ to) => {
    const known = edges.get(from);
    if (known) known.push(to);
    else edges.set(from, [to]);
  };
  const is = (/** @type {number} */ x, /** @type {number} */ y) => x >= left && x < right && y >= top && y < bottom && bitmap[(y - top) * width + x - left] === 1;
  for (let y = top; y < bottom; y += 1) {
    for (let x = left; x < right; x += 1) {
      if (!is(x, y)) continue;
      const corner = y * stride + x;
      if (!is(x, y - 1)) add(corner, corner + 1);
      if (!is(x + 1, y)) add(corner + 1, corner + 1 + stride);
      if (!is(x, y + 1)) add(corner + 1 + stride, corner + stride);
      if (!is(x - 1, y)) add(corner + stride, corner);
    }
  }
  return chained(edges, stride);
}

/** The smallest bitmap that holds a mask. @param {Rle} rle */
function cropped(rle) {
  let [left, top, right, bottom] = [Infinity, Infinity, 0, 0];
  eachRun(rle, (x, y, length) => {
    left = Math.min(left, x);
    right = Math.max(right, x + 1);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y + length);
  });
  if (right === 0) return { width: 0, bitmap: new Uint8Array(), left: 0, top: 0, right: 0, bottom: 0 };
  const width = right - left;
  const bitmap = new Uint8Array(width * (bottom - top));
  eachRun(rle, (x, y, length) => {
    for (let row = 0; row < length; row += 1) bitmap[(y - top + row) * width + x - left] = 1;
  });
  return { width, bitmap, left, top, right, bottom };
}

/**
 * @param {Map<number, number[]>} edges
 * @param {number} stride
 */
function chained(edges, stride) {
  /** @type {Xy[][]} */
  const loops = [];
  for (const [start, ways] of edges) {
    while (ways.length > 0) {
      /** @type {number[]} */
      const corners = [];
      let at = start;
      let step = 0;
      do {
        const out = /** @type {number[]} */ (edges.get(at));
        // where two pixels touch at a corner, turn right: they stay apart
        const turn = out.length > 1 ? out.findIndex((to) => to - at === turnedRight(step, stride)) : 0;
        const [to] = out.splice(Math.max(turn, 0), 1);
        if (to - at !== step) corners.push(at);
        step = to - at;
        at = to;
      } while (at !== start);
      loops.push(corners.map((corner) => [corner % stride, Math.floor(corner / stride)]));
    }
  }
  return loops;
}

/** @param {number} step @param {number} stride */
function turnedRight(step, stride) {
  if (step === 1) return stride;
  if (step === stride) return -1;
  return step === -1 ? -stride : 1;
}
