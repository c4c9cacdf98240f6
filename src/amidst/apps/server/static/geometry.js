// Outlines: what lies near a place, where one crosses itself, and edits that leave their argument as it is.

/** @typedef {import("./types.js").Xy} Xy */
/** @typedef {import("./types.js").Part} Part */
/** @typedef {{part: number, vertex: number, distance: number}} Vertex */
/** vertex: the one after which a new vertex would come. @typedef {Vertex & {xy: Xy}} Edge */

/** @param {Xy} a @param {Xy} b */
export function distance(a, b) {
  return Math.hypot(a[0] - b[0], a[1] - b[1]);
}

/** Two decimals, as answers have them. @param {Xy} xy @returns {Xy} */
export function rounded([x, y]) {
  return [Math.round(x * 100) / 100, Math.round(y * 100) / 100];
}

/**
 * The place of a segment that is nearest.
 * @param {Xy} at
 * @param {Xy} from
 * @param {Xy} to
 * @returns {Xy}
 */
export function nearestOn(at, from, to) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = dx * dx + dy * dy;
  const share = length === 0 ? 0 : Math.min(Math.max(((at[0] - from[0]) * dx + (at[1] - from[1]) * dy) / length, 0), 1);
  return [from[0] + share * dx, from[1] + share * dy];
}

/**
 * The nearest vertex within some distance.
 * @param {{points: Xy[]}[]} parts
 * @param {Xy} at
 * @param {number} within
 * @returns {Vertex | null}
 */
export function nearVertex(parts, at, within) {
  /** @type {Vertex | null} */
  let best = null;
  parts.forEach(({ points }, part) =>
    points.forEach((point, vertex) => {
      const apart = distance(point, at);
      if (apart <= (best?.distance ?? within)) best = { part, vertex, distance: apart };
    }),
  );
  return best;
}

/**
 * The nearest edge of closed outlines within some distance.
 * @param {{points: Xy[]}[]} parts
 * @param {Xy} at
 * @param {number} within
 * @returns {Edge | null}
 */
export function nearEdge(parts, at, within) {
  /** @type {Edge | null} */
  let best = null;
  parts.forEach(({ points }, part) =>
    points.forEach((point, vertex) => {
      const xy = nearestOn(at, point, points[(vertex + 1) % points.length]);
      const apart = distance(xy, at);
      if (apart <= (best?.distance ?? within)) best = { part, vertex, distance: apart, xy };
    }),
  );
  return best;
}

/** Whether a closed outline holds a place (even-odd). @param {Xy[]} points @param {Xy} at */
export function holds(points, [x, y]) {
  let inside = false;
  for (let i = 0, j = points.length - 1; i < points.length; j = i, i += 1) {
    const [xi, yi] = points[i];
    const [xj, yj] = points[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** Whether the union of parts without the holes holds a place. @param {Part[]} parts @param {Xy} at */
export function covers(parts, at) {
  return parts.some((part) => !part.hole && holds(part.points, at)) && !parts.some((part) => part.hole && holds(part.points, at));
}

/** Signed area; positive with the inside on the right, as y points down. @param {Xy[]} points */
export function area(points) {
  let sum = 0;
  for (let i = 0, j = points.length - 1; i < points.length; j = i, i += 1) sum += points[j][0] * points[i][1] - points[i][0] * points[j][1];
  return sum / 2;
}

/**
 * Where two edges of a closed outline pass through each other, or null; as the server sees it: touching is allowed.
 * @param {Xy[]} outline
 * @returns {Xy | null}
 */
export function firstCrossing(outline) {
  const points = outline.filter((point, index) => distance(point, outline.at(index - 1) ?? point) > 0);
  const number = points.length;
  for (let i = 0; i < number; i += 1) {
    const [a, b] = [points[i], points[(i + 1) % number]];
    const [left, right] = [Math.min(a[0], b[0]), Math.max(a[0], b[0])];
    for (let j = i + 2; j < number; j += 1) {
      const [c, d] = [points[j], points[(j + 1) % number]];
      if (Math.max(c[0], d[0]) < left || Math.min(c[0], d[0]) > right) continue;
      if (side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0) return meeting(a, b, c, d);
    }
  }
  return null;
}

/** @param {Xy} p @param {Xy} q @param {Xy} r */
function side(p, q, r) {
  return Math.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]));
}

/** @param {Xy} a @param {Xy} b @param {Xy} c @param {Xy} d @returns {Xy} */
function meeting(a, b, c, d) {
  const [ux, uy, vx, vy] = [b[0] - a[0], b[1] - a[1], d[0] - c[0], d[1] - c[1]];
  const share = ((c[0] - a[0]) * vy - (c[1] - a[1]) * vx) / (ux * vy - uy * vx);
  return rounded([a[0] + share * ux, a[1] + share * uy]);
}

/**
 * Fewer vertices, none of the left out ones farther away than `tolerance` (Douglas and Peucker); a closed outline keeps
 * its first vertex and the one farthest from it.
 * @param {Xy[]} points
 * @param {number} tolerance
 * @returns {Xy[]}
 */
export function simplify(points, tolerance) {
  if (points.length < 5) return points;
  const far = points.reduce((best, point, index) => (distance(point, points[0]) > distance(points[best], points[0]) ? index : best), 0);
  const kept = new Set([0, far]);
  const ranges = [[0, far], [far, points.length]];
  for (let range = ranges.pop(); range; range = ranges.pop()) {
    const [from, to] = range;
    let [worst, most] = [-1, tolerance];
    for (let at = from + 1; at < to; at += 1) {
      const apart = distance(points[at], nearestOn(points[at], points[from], points[to % points.length]));
      if (apart > most) [worst, most] = [at, apart];
    }
    if (worst < 0) continue;
    kept.add(worst);
    ranges.push([from, worst], [worst, to]);
  }
  return points.filter((_, index) => kept.has(index));
}

/** @param {Part[]} parts @param {number} part @param {Xy[]} points @returns {Part[]} */
function withPoints(parts, part, points) {
  return parts.map((one, index) => (index === part ? { ...one, points } : one));
}

/** @param {Part[]} parts @param {{part: number, vertex: number}} which @param {Xy} xy */
export function moveVertex(parts, { part, vertex }, xy) {
  return withPoints(parts, part, parts[part].points.map((point, index) => (index === vertex ? xy : point)));
}

/** A new vertex after another. @param {Part[]} parts @param {{part: number, vertex: number}} after @param {Xy} xy */
export function insertVertex(parts, { part, vertex }, xy) {
  return withPoints(parts, part, parts[part].points.toSpliced(vertex + 1, 0, xy));
}

/** A part of three vertices goes as a whole. @param {Part[]} parts @param {{part: number, vertex: number}} which */
export function deleteVertex(parts, { part, vertex }) {
  if (parts[part].points.length <= 3) return parts.toSpliced(part, 1);
  return withPoints(parts, part, parts[part].points.toSpliced(vertex, 1));
}
