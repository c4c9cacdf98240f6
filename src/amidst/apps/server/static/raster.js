// From shapes to pixels, the same on every machine: a pixel belongs to a shape if its centre does. Bitmaps by rows.

/** @typedef {import("./types.js").Xy} Xy */
/** @typedef {{bitmap: Uint8Array, width: number, height: number}} Bitmap */

/** @param {number} width @param {number} height @returns {Bitmap} */
export function emptyBitmap(width, height) {
  return { bitmap: new Uint8Array(width * height), width, height };
}

/**
 * Sets the pixels inside a closed outline (even-odd).
 * @param {Bitmap} target
 * @param {Xy[]} outline
 * @param {number} value
 */
export function fillOutline({ bitmap, width, height }, outline, value) {
  const rows = outline.map(([, y]) => y);
  const first = Math.max(Math.ceil(Math.min(...rows) - 0.5), 0);
  const last = Math.min(Math.floor(Math.max(...rows) - 0.5), height - 1);
  for (let y = first; y <= last; y += 1) {
    const crossings = crossingsAt(outline, y + 0.5);
    for (let pair = 0; pair + 1 < crossings.length; pair += 2) {
      const from = Math.max(Math.ceil(crossings[pair] - 0.5), 0);
      const to = Math.min(Math.ceil(crossings[pair + 1] - 0.5), width);
      if (to > from) bitmap.fill(value, y * width + from, y * width + to);
    }
  }
}

/** @param {Xy[]} outline @param {number} y */
function crossingsAt(outline, y) {
  const found = [];
  for (let i = 0, j = outline.length - 1; i < outline.length; j = i, i += 1) {
    const [xi, yi] = outline[i];
    const [xj, yj] = outline[j];
    if (yi > y !== yj > y) found.push(((xj - xi) * (y - yi)) / (yj - yi) + xi);
  }
  return found.sort((a, b) => a - b);
}

/**
 * Sets the pixels within `radius` of a line from one place to another.
 * @param {Bitmap} target
 * @param {Xy} from
 * @param {Xy} to
 * @param {number} radius
 * @param {number} value
 */
export function stroke({ bitmap, width, height }, from, to, radius, value) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = dx * dx + dy * dy;
  const first = Math.max(Math.ceil(Math.min(from[1], to[1]) - radius - 0.5), 0);
  const last = Math.min(Math.floor(Math.max(from[1], to[1]) + radius - 0.5), height - 1);
  const left = Math.max(Math.ceil(Math.min(from[0], to[0]) - radius - 0.5), 0);
  const right = Math.min(Math.floor(Math.max(from[0], to[0]) + radius - 0.5), width - 1);
  for (let y = first; y <= last; y += 1) {
    for (let x = left; x <= right; x += 1) {
      const [px, py] = [x + 0.5 - from[0], y + 0.5 - from[1]];
      const share = length === 0 ? 0 : Math.min(Math.max((px * dx + py * dy) / length, 0), 1);
      const [ex, ey] = [px - share * dx, py - share * dy];
      if (ex * ex + ey * ey <= radius * radius) bitmap[y * width + x] = value;
    }
  }
}

/**
 * The union of parts without the holes.
 * @param {import("./types.js").Part[]} parts
 * @param {number} width
 * @param {number} height
 */
export function rasterise(parts, width, height) {
  const made = emptyBitmap(width, height);
  for (const { points } of parts.filter(({ hole }) => !hole)) fillOutline(made, points, 1);
  for (const { points } of parts.filter(({ hole }) => hole)) fillOutline(made, points, 0);
  return made;
}
