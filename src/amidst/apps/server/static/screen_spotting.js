// Instance spotting: a cross on every instance of one category, up to ten.
// Source: section 2.4.2 and appendix A of the thesis; the prior blinks at 1.25 Hz until the first click.

import { CanvasView, outlined } from "./canvas_view.js";
import { crossesGuide } from "./guide_outline.js";
import { subject } from "./subject.js";
import { element, keycaps } from "./page.js";
import { toScreen } from "./viewport.js";

/** @typedef {import("./types.js").Xy} Xy */
/** @typedef {import("./types.js").SpottingTask} SpottingTask */
/** @typedef {{points: Xy[], none: boolean, more: boolean}} State */

const BLINK_MS = 800; // 1.25 Hz
const GRAB = 12; // CSS pixels
const APART = 2; // image pixels between crosses, as the server asks
const RING = 22;

/** @type {import("./types.js").Screen<State>} */
export const screen = {
  stage: "spotting",
  title: "Instance spotting",
  help: [
    { keys: "Space", does: "put a cross at the cursor, or take it away" },
    { keys: "← ↑ → ↓", does: "move the cursor; with Shift far, with Ctrl by a pixel" },
    { keys: "Tab", does: "go to the next cross" },
    { keys: "Delete", does: "take away the cross at the cursor, else the last" },
    { keys: "p", does: "go to the blinking icon" },
    { keys: "m", does: "magnifier" },
    { keys: "+ −", does: "zoom; the wheel too" },
    { keys: "0", does: "all of the picture; drag with the right button to pan" },
    { keys: "n", does: "none here" },
    { keys: "t", does: "more than ten" },
  ],
  start: () => ({ points: [], none: false, more: false }),
  mount: (desk) => new Spotting(desk),
  problem(state, task) {
    if (state.points.length === 0 && !state.none) return `Put a cross on each ${task.category.name}, or say “none here”.`;
    return null;
  },
  body: (state) => ({ points: state.points.map(([x, y]) => ({ x, y })), none: state.none, more_than_10: state.more }),
};

class Spotting {
  /** @param {import("./types.js").Desk<State>} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {SpottingTask} */
    const task = (this.task = desk.task);
    this.began = performance.now();
    this.blinking = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.dragged = -1;
    /** @type {Xy[] | null} */
    this.moving = null;
    this.count = element("span", { class: "number", "data-count": "" });
    this.none = element("button", { type: "button", onclick: () => this.toggleNone() }, "None here", keycaps("n"));
    this.more = element("button", { type: "button", onclick: () => this.toggleMore() }, `More than ${task.max_points}`, keycaps("t"));
    this.lens = element("button", { type: "button", onclick: () => this.magnify() }, "Magnifier", keycaps("m"));
    this.guide = crossesGuide(task.category.name);
    desk.say(`Put a cross on every ${task.category.name}.`); // also where the guide is put away
    desk.toolbar.append(subject(task.category), this.count, element("span", { class: "grow" }), this.guide.button, this.lens, this.none, this.more);
    const area = element("div", { class: "area" });
    desk.root.append(element("div", { class: "beside" }, this.guide.aside, area));
    this.view = new CanvasView({ ...desk, root: area }, task.image, {
      draw: (context, view) => this.draw(context, view),
      press: (place) => this.press(place),
      drag: (place) => this.drag(place),
      release: () => this.release(),
    });
    this.view.cursor = [...task.prior_xy];
    this.timer = this.blinking ? setInterval(() => this.view.redraw(), BLINK_MS / 2) : 0;
    desk.keys({
      ...this.view.keys(),
      m: () => this.magnify(),
      n: () => this.toggleNone(),
      t: () => this.toggleMore(),
      p: () => this.view.moveTo(task.prior_xy),
      Tab: () => this.nextCross(1),
      "Shift+Tab": () => this.nextCross(-1),
      Delete: () => this.remove(),
      Backspace: () => this.remove(),
    });
    this.view.canvas.focus({ preventScroll: true });
  }

  /** @param {State} state */
  update(state) {
    this.count.textContent = `${state.points.length} of at most ${this.task.max_points}`;
    this.none.setAttribute("aria-pressed", String(state.none));
    this.more.setAttribute("aria-pressed", String(state.more));
    this.more.disabled = state.points.length < this.task.max_points;
    if (state.points.length > 0 || state.none) this.pause();
    this.view.redraw();
  }

  destroy() {
    clearInterval(this.timer);
    this.view.destroy();
  }

  /** The icon has been seen. */
  pause() {
    if (!this.blinking) return;
    this.blinking = false;
    clearInterval(this.timer);
  }

  magnify() {
    this.lens.setAttribute("aria-pressed", String(this.view.magnify()));
  }

  // --- crosses -------------------------------------------------------------------------------------------

  /** @param {import("./canvas_view.js").Place} place */
  press(place) {
    const wasBlinking = this.blinking;
    this.pause();
    const at = this.near(place.screen);
    if (place.byKey) {
      if (at >= 0) this.take(at);
      else this.put(place.xy);
    } else if (at >= 0) this.dragged = at;
    else this.put(place.xy);
    if (wasBlinking) this.view.redraw();
  }

  /** @param {import("./canvas_view.js").Place} place */
  drag(place) {
    if (this.dragged < 0) return;
    this.moving = this.desk.state().points.map((point, index) => (index === this.dragged ? place.xy : point));
    this.view.redraw();
  }

  release() {
    const { moving, dragged } = this;
    this.moving = null;
    this.dragged = -1;
    if (dragged < 0) return;
    if (!moving) return this.take(dragged); // a click on a cross takes it away
    if (this.isFree(moving[dragged], dragged)) this.desk.change({ ...this.desk.state(), points: moving }, "move a cross");
    this.view.redraw();
  }

  /** @param {Xy} xy */
  put(xy) {
    const state = this.desk.state();
    if (state.points.length >= this.task.max_points) return this.desk.say(`At most ${this.task.max_points} crosses; press “More than ${this.task.max_points}” if there are more.`, "warning");
    if (!this.isFree(xy, -1)) return this.desk.say("There is a cross already.", "warning");
    this.desk.change({ ...state, none: false, points: [...state.points, xy] }, "put a cross");
    this.desk.say("");
  }

  /** @param {number} index */
  take(index) {
    const state = this.desk.state();
    this.desk.change({ ...state, more: false, points: state.points.filter((_, other) => other !== index) }, "take a cross away");
  }

  remove() {
    const at = this.near(toScreen(this.view.view, this.view.cursor));
    const last = this.desk.state().points.length - 1;
    if (last >= 0) this.take(at >= 0 ? at : last);
  }

  /** @param {number} step */
  nextCross(step) {
    const { points } = this.desk.state();
    if (points.length === 0) return this.view.moveTo(this.task.prior_xy);
    const at = this.near(toScreen(this.view.view, this.view.cursor));
    this.view.moveTo(points[(at + step + points.length + (at < 0 && step < 0 ? 1 : 0)) % points.length]);
  }

  toggleNone() {
    const state = this.desk.state();
    this.pause();
    this.desk.change(state.none ? { ...state, none: false } : { points: [], none: true, more: false }, "none here");
  }

  toggleMore() {
    const state = this.desk.state();
    if (state.points.length < this.task.max_points) return this.desk.say(`Put ${this.task.max_points} crosses first.`, "warning");
    this.desk.change({ ...state, more: !state.more }, `more than ${this.task.max_points}`);
  }

  /** The cross under a place of the screen, or -1. @param {Xy} at */
  near([x, y]) {
    const distances = this.desk.state().points.map((point) => {
      const [px, py] = toScreen(this.view.view, point);
      return Math.hypot(px - x, py - y);
    });
    const nearest = distances.indexOf(Math.min(...distances));
    return nearest >= 0 && distances[nearest] <= GRAB ? nearest : -1;
  }

  /** @param {Xy} xy @param {number} but */
  isFree([x, y], but) {
    return this.desk.state().points.every((point, index) => index === but || Math.hypot(point[0] - x, point[1] - y) >= APART);
  }

  // --- drawing -------------------------------------------------------------------------------------------

  /** @param {CanvasRenderingContext2D} context @param {import("./viewport.js").Viewport} view */
  draw(context, view) {
    const phase = (performance.now() - this.began) % BLINK_MS;
    if (!this.blinking || phase < BLINK_MS / 2) this.drawPrior(context, toScreen(view, this.task.prior_xy));
    for (const point of this.moving ?? this.desk.state().points) drawCross(context, toScreen(view, point));
  }

  /** @param {CanvasRenderingContext2D} context @param {Xy} at */
  drawPrior(context, [x, y]) {
    outlined(context, 3, () => {
      context.beginPath();
      context.arc(x, y, RING, 0, 2 * Math.PI);
    }, "#ffd60a");
  }
}

/** @param {CanvasRenderingContext2D} context @param {Xy} at */
function drawCross(context, [x, y]) {
  outlined(context, 2.5, () => {
    context.beginPath();
    for (const [dx, dy] of [[1, 1], [1, -1]]) {
      context.moveTo(x - 8 * dx, y - 8 * dy);
      context.lineTo(x + 8 * dx, y + 8 * dy);
    }
  }, "#4cd964");
}
