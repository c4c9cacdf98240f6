// Drawing outlines: vertices are put, dragged, inserted and deleted, by the pointer or by a cursor that carries them.
// The open outline (draft) and the closed parts are state of the screen; what is in hand is not, until it is let go.

import { deleteVertex, distance, firstCrossing, insertVertex, moveVertex, nearEdge, nearVertex, nearestOn, rounded } from "./geometry.js";
import { toScreen } from "./viewport.js";

/** @typedef {import("./types.js").Xy} Xy */
/** @typedef {import("./types.js").Part} Part */
/** @typedef {{parts: Part[], draft: Xy[], hole: boolean}} Outlines */
/** @typedef {import("./canvas_view.js").Place} Place */

const GRAB = 9; // CSS pixels
const SNAP = 10;
const STROKE = 10; // between vertices of a line that is drawn by dragging
const LEAST = 3;

export class OutlineTool {
  /**
   * @param {{read: () => Outlines, write: (next: Partial<Outlines>, label: string) => void, scale: () => number,
   *   say: (text: string, kind?: "info" | "warning" | "error") => void, redraw: () => void}} screen
   * @param {Xy[][]} borders that vertices may snap to
   */
  constructor(screen, borders) {
    this.screen = screen;
    this.borders = borders.map((loop) => ({ loop, box: boxOf(loop) }));
    this.snapping = true;
    /** What is shown instead of the state while something is in hand. @type {Outlines | null} */
    this.inHand = null;
    /** The vertex in hand or chosen; part -1 is the draft. @type {{part: number, vertex: number} | null} */
    this.chosen = null;
    this.carried = false;
    this.label = "";
  }

  /** What to draw now. @returns {Outlines} */
  shown() {
    return this.inHand ?? this.screen.read();
  }

  /** @param {number} pixels of the screen */
  reach(pixels) {
    return pixels / this.screen.scale();
  }

  // --- the pointer and the key cursor ----------------------------------------------------------------------

  /** @param {Place} place */
  press(place) {
    if (this.carried) return this.letGo();
    const state = this.screen.read();
    if (state.draft.length > 0) this.pressDraft(state, place);
    else this.pressClosed(state, place);
    if (place.byKey && this.inHand && this.label !== "put a vertex") this.carried = true;
  }

  /** @param {Outlines} state @param {Place} place */
  pressDraft(state, place) {
    const hit = nearVertex([{ points: state.draft }], place.xy, this.reach(GRAB));
    if (hit?.vertex === 0 && state.draft.length >= LEAST) return this.close();
    if (hit) return this.take(state, { part: -1, vertex: hit.vertex }, "move a vertex");
    const draft = [...state.draft, this.snapped(place)];
    this.take({ ...state, draft }, { part: -1, vertex: draft.length - 1 }, "put a vertex");
    if (place.byKey) this.letGo();
  }

  /** @param {Outlines} state @param {Place} place */
  pressClosed(state, place) {
    const vertex = nearVertex(state.parts, place.xy, this.reach(GRAB));
    if (vertex && place.alt) return this.screen.write({ parts: deleteVertex(state.parts, vertex) }, "delete a vertex");
    if (vertex) return this.take(state, vertex, "move a vertex");
    const edge = nearEdge(state.parts, place.xy, this.reach(GRAB));
    if (edge) {
      const parts = insertVertex(state.parts, edge, rounded(edge.xy));
      return this.take({ ...state, parts }, { part: edge.part, vertex: edge.vertex + 1 }, "insert a vertex");
    }
    this.take({ ...state, draft: [this.snapped(place)] }, { part: -1, vertex: 0 }, "put a vertex");
    if (place.byKey) this.letGo();
  }

  /** @param {Place} place */
  drag(place) {
    if (!this.inHand || !this.chosen) return;
    const { part, vertex } = this.chosen;
    if (part >= 0) this.inHand = { ...this.inHand, parts: moveVertex(this.inHand.parts, this.chosen, this.snapped(place, part)) };
    else this.dragDraft(place, vertex);
    this.screen.redraw();
  }

  /** Dragging the last vertex of an open outline draws on. @param {Place} place @param {number} vertex */
  dragDraft(place, vertex) {
    const held = /** @type {Outlines} */ (this.inHand);
    if (this.label !== "put a vertex") {
      this.inHand = { ...held, draft: held.draft.with(vertex, this.snapped(place)) };
    } else if (distance(place.xy, held.draft[held.draft.length - 1]) >= this.reach(STROKE)) {
      this.inHand = { ...held, draft: [...held.draft, this.snapped(place)] };
    }
  }

  /** @param {Place} place */
  release(place) {
    if (!place.byKey) this.letGo();
  }

  /** @param {Outlines} state @param {{part: number, vertex: number}} which @param {string} label */
  take(state, which, label) {
    this.inHand = state;
    this.chosen = { part: which.part, vertex: which.vertex };
    this.label = label;
    this.screen.redraw();
  }

  letGo() {
    const { inHand } = this;
    this.inHand = null;
    this.carried = false;
    if (!inHand) return;
    const { parts, draft } = this.screen.read();
    if (inHand.parts !== parts || inHand.draft !== draft) this.screen.write({ parts: inHand.parts, draft: inHand.draft }, this.label);
    this.warn(this.screen.read().parts);
    this.screen.redraw();
  }

  // --- by name ------------------------------------------------------------------------------------------------

  /** Make the open outline a part. */
  close() {
    this.letGo();
    const { draft, parts, hole } = this.screen.read();
    if (draft.length === 0) return;
    if (draft.length < LEAST) return this.screen.say("An outline needs at least three vertices.", "warning");
    const next = [...parts, { points: draft, hole }];
    this.screen.write({ parts: next, draft: [], hole: false }, hole ? "close a hole" : "close a part");
    this.chosen = null;
    this.warn(next);
  }

  /** Drop what is in hand, else the open outline. */
  cancel() {
    if (this.inHand) {
      this.inHand = null;
      this.carried = false;
    } else if (this.screen.read().draft.length > 0) this.screen.write({ draft: [] }, "drop the open outline");
    this.screen.redraw();
  }

  /** The vertex at a place, else the last of the open outline, else the chosen one. @param {Xy} at */
  deleteAt(at) {
    const { parts, draft } = this.screen.read();
    if (draft.length > 0) {
      const hit = nearVertex([{ points: draft }], at, this.reach(GRAB));
      return this.screen.write({ draft: draft.toSpliced(hit ? hit.vertex : draft.length - 1, 1) }, "delete a vertex");
    }
    const which = nearVertex(parts, at, this.reach(GRAB)) ?? this.chosen;
    if (!which || which.part < 0 || !parts[which.part]?.points[which.vertex]) return this.screen.say("Choose a vertex first.", "warning");
    this.screen.write({ parts: deleteVertex(parts, which) }, "delete a vertex");
    this.chosen = null;
  }

  /** A whole part: the one whose border is nearest. @param {Xy} at */
  deletePart(at) {
    const { parts } = this.screen.read();
    const edge = nearEdge(parts, at, Infinity);
    if (edge) this.screen.write({ parts: parts.toSpliced(edge.part, 1) }, parts[edge.part].hole ? "delete a hole" : "delete a part");
  }

  /** The next vertex of the parts, or of the open outline. @param {number} step @returns {Xy | null} */
  choose(step) {
    const { parts, draft } = this.screen.read();
    const all = draft.length > 0 ? draft.map((_, vertex) => ({ part: -1, vertex })) : parts.flatMap(({ points }, part) => points.map((_, vertex) => ({ part, vertex })));
    if (all.length === 0) return null;
    const at = all.findIndex((one) => one.part === this.chosen?.part && one.vertex === this.chosen?.vertex);
    const next = all[(at + step + all.length + (at < 0 && step < 0 ? 1 : 0)) % all.length];
    this.chosen = next;
    return next.part < 0 ? draft[next.vertex] : parts[next.part].points[next.vertex];
  }

  /** @param {Part[]} parts */
  warn(parts) {
    const at = parts.map(({ points }) => firstCrossing(points)).find(Boolean);
    if (at) this.screen.say("The outline crosses itself at the red ring.", "warning");
  }

  // --- snapping -----------------------------------------------------------------------------------------------

  /** To a border that exists, if one is near; Ctrl holds it off. @param {Place} place @param {number} [but] the part that moves @returns {Xy} */
  snapped({ xy, ctrl }, but = -1) {
    if (!this.snapping || ctrl) return xy;
    const reach = this.reach(SNAP);
    /** @type {Xy} */
    let best = xy;
    let least = reach;
    const own = this.screen.read().parts.filter((_, part) => part !== but).map(({ points }) => ({ loop: points, box: boxOf(points) }));
    for (const { loop, box } of [...this.borders, ...own]) {
      if (xy[0] < box[0] - reach || xy[1] < box[1] - reach || xy[0] > box[2] + reach || xy[1] > box[3] + reach) continue;
      loop.forEach((from, index) => {
        const on = nearestOn(xy, from, loop[(index + 1) % loop.length]);
        const apart = distance(on, xy);
        if (apart < least) [best, least] = [on, apart];
      });
    }
    return rounded(best);
  }
}

/** @param {Xy[]} loop @returns {[number, number, number, number]} */
function boxOf(loop) {
  const box = /** @type {[number, number, number, number]} */ ([Infinity, Infinity, -Infinity, -Infinity]);
  for (const [x, y] of loop) {
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x);
    box[3] = Math.max(box[3], y);
  }
  return box;
}

/**
 * Outlines over the picture.
 * @param {CanvasRenderingContext2D} context
 * @param {import("./viewport.js").Viewport} view
 * @param {OutlineTool} tool
 * @param {Xy} cursor where the next vertex would come
 */
export function drawOutlines(context, view, tool, cursor) {
  const { parts, draft, hole } = tool.shown();
  context.lineJoin = "round";
  const solid = new Path2D();
  for (const part of parts) trace(solid, part.points, view, true);
  context.fillStyle = "#2f7bff44";
  context.fill(solid, "evenodd");
  for (const part of parts) strokeLine(context, part.points, view, true, part.hole ? "#ff9f0a" : "#4d94ff");
  if (draft.length > 0) strokeLine(context, tool.inHand ? draft : [...draft, cursor], view, false, hole ? "#ff9f0a" : "#4cd964");
  parts.forEach(({ points }, part) => points.forEach((point, vertex) => drawVertex(context, toScreen(view, point), tool.chosen?.part === part && tool.chosen.vertex === vertex)));
  draft.forEach((point, vertex) => drawVertex(context, toScreen(view, point), vertex === 0));
  for (const { points } of tool.inHand ? [] : parts) {
    const crossing = firstCrossingOf(points);
    if (crossing) drawRing(context, toScreen(view, crossing));
  }
}

/** Outlines keep their identity while they do not change. @type {WeakMap<Xy[], Xy | null>} */
const crossings = new WeakMap();

/** @param {Xy[]} points */
function firstCrossingOf(points) {
  let found = crossings.get(points);
  if (found === undefined) crossings.set(points, (found = firstCrossing(points)));
  return found;
}

/** @param {Path2D} path @param {Xy[]} points @param {import("./viewport.js").Viewport} view @param {boolean} closed */
function trace(path, points, view, closed) {
  points.forEach((point, index) => {
    const [x, y] = toScreen(view, point);
    if (index === 0) path.moveTo(x, y);
    else path.lineTo(x, y);
  });
  if (closed) path.closePath();
}

/** @param {CanvasRenderingContext2D} context @param {Xy[]} points @param {import("./viewport.js").Viewport} view @param {boolean} closed @param {string} colour */
function strokeLine(context, points, view, closed, colour) {
  const path = new Path2D();
  trace(path, points, view, closed);
  context.lineWidth = 3.5;
  context.strokeStyle = "#0009";
  context.stroke(path);
  context.lineWidth = 1.75;
  context.strokeStyle = colour;
  context.stroke(path);
}

/** @param {CanvasRenderingContext2D} context @param {Xy} at @param {boolean} chosen */
function drawVertex(context, [x, y], chosen) {
  const half = chosen ? 4.5 : 3;
  context.fillStyle = chosen ? "#ffd60a" : "#fff";
  context.strokeStyle = "#000b";
  context.lineWidth = 1;
  context.fillRect(x - half, y - half, 2 * half, 2 * half);
  context.strokeRect(x - half, y - half, 2 * half, 2 * half);
}

/** @param {CanvasRenderingContext2D} context @param {Xy} at */
function drawRing(context, [x, y]) {
  context.beginPath();
  context.arc(x, y, 11, 0, 2 * Math.PI);
  context.lineWidth = 2.5;
  context.strokeStyle = "#ff3b30";
  context.stroke();
}
