// Crowd painting: all that no individual mask covers, as one region.
// Source: section 2.4.3 of the thesis.

import { CanvasView, outlined } from "./canvas_view.js";
import { crowdGuide } from "./guide_outline.js";
import { MaskLayer } from "./mask_layer.js";
import { element, keycaps } from "./page.js";
import { Painting } from "./painting.js";
import { subject } from "./subject.js";
import { toScreen } from "./viewport.js";

/** @typedef {import("./types.js").Xy} Xy */
/** @typedef {import("./types.js").CrowdTask} CrowdTask */
/** @typedef {import("./painting.js").Stroke} Stroke */
/** @typedef {import("./canvas_view.js").Place} Place */
/** @typedef {{strokes: Stroke[], draft: Xy[], noneLeft: boolean}} State */
/** @typedef {"brush" | "eraser" | "fill"} Tool */

const COLOUR = [255, 45, 170, 120];
const LEAST_AREA = 4;
const SIZES = { least: 0.5, most: 200, first: 12, step: 1.2 };
const APART = 1.5; // CSS pixels between places of a line

/** @type {import("./types.js").Screen<State>} */
export const screen = {
  stage: "crowd_regions",
  title: "Crowd painting",
  help: [
    { keys: "Space", does: "brush down, and up again; in filling: put a vertex" },
    { keys: "← ↑ → ↓", does: "move the cursor, painting while the brush is down; with Shift far, with Ctrl by a pixel" },
    { keys: "b", does: "brush" },
    { keys: "e", does: "eraser" },
    { keys: "f", does: "fill an outline; Enter closes it, Escape drops it" },
    { keys: "[ ]", does: "smaller, larger; Shift and the wheel too" },
    { keys: "m", does: "magnifier" },
    { keys: "+ −", does: "zoom; the wheel too" },
    { keys: "0", does: "all of the picture; drag with the right button to pan" },
    { keys: "n", does: "no one is left: each has an outline" },
  ],
  start: () => ({ strokes: [], draft: [], noneLeft: false }),
  mount: (desk) => new Crowd(desk),
  problem(state, task) {
    if (state.noneLeft) return null;
    if (state.draft.length > 0) return "Close the outline first (Enter), or drop it (Escape).";
    if (regionOf(state, task).area < LEAST_AREA) return `Paint every ${task.category.name} that has no outline, or say that none is left.`;
    return null;
  },
  body: (state, task) => (state.noneLeft ? { none_left: true } : { region: regionOf(state, task).rle }),
};

/** @param {State} state @param {CrowdTask} task */
function regionOf(state, { image, masks }) {
  const painting = new Painting(image.width, image.height, masks);
  painting.show(state.strokes);
  return painting.region();
}

class Crowd {
  /** @param {import("./types.js").Desk<State>} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {CrowdTask} */
    const task = (this.task = desk.task);
    const { width, height } = task.image;
    /** @type {Tool} */
    this.tool = "brush";
    this.radius = SIZES.first;
    /** The line that is being painted. @type {Stroke | null} */
    this.line = null;
    this.painting = new Painting(width, height, task.masks);
    this.masks = new MaskLayer(task.masks, "#32d7ff", "#32d7ff33");
    this.layer = element("canvas", { width, height });
    this.layerContext = /** @type {CanvasRenderingContext2D} */ (this.layer.getContext("2d"));
    const button = (/** @type {string} */ text, /** @type {string} */ key, /** @type {() => void} */ onclick) => element("button", { type: "button", onclick }, text, keycaps(key));
    this.tools = { brush: button("Brush", "b", () => this.choose("brush")), eraser: button("Eraser", "e", () => this.choose("eraser")), fill: button("Fill outline", "f", () => this.choose("fill")) };
    this.size = element("input", { type: "range", min: 0, max: 100, "aria-label": "Size of the brush", oninput: () => this.resize(radiusAt(Number(this.size.value))) });
    this.sizeText = element("output", { class: "number hint" });
    this.lens = button("Magnifier", "m", () => this.magnify());
    this.none = button("None is left", "n", () => this.toggleNone());
    this.guide = crowdGuide(task.category.name);
    desk.say(`Paint every ${task.category.name} that has no outline.`); // also where the guide is put away
    desk.toolbar.append(subject(task.category), element("div", { class: "segments" }, ...Object.values(this.tools)), this.size, this.sizeText, this.lens, element("span", { class: "grow" }), this.guide.button, this.none);
    const area = element("div", { class: "area" });
    desk.root.append(element("div", { class: "beside" }, this.guide.aside, area));
    this.view = new CanvasView({ ...desk, root: area }, task.image, {
      draw: (context, view) => this.draw(context, view),
      press: (place) => this.press(place),
      drag: (place) => this.go(place),
      release: (place) => place.byKey || this.lift(),
      double: () => this.close(),
      hover: (place) => this.hover(place),
      wheel: (event) => this.wheel(event),
    });
    this.view.cursor = task.points[0] ? [...task.points[0]] : this.view.cursor;
    desk.keys({
      ...this.view.keys(),
      b: () => this.choose("brush"),
      e: () => this.choose("eraser"),
      f: () => this.choose("fill"),
      "[": () => this.resize(this.radius / SIZES.step),
      "]": () => this.resize(this.radius * SIZES.step),
      m: () => this.magnify(),
      n: () => this.toggleNone(),
      Enter: () => this.close(),
      Escape: () => this.cancel(),
    });
    this.choose("brush");
    this.resize(this.radius);
    this.view.canvas.focus({ preventScroll: true });
  }

  /** @param {State} state */
  update(state) {
    if (this.line) return; // it is already on the canvas, and comes into the state when it ends
    this.refresh(this.painting.show(state.strokes));
    this.none.setAttribute("aria-pressed", String(state.noneLeft));
    this.view.redraw();
  }

  destroy() {
    this.view.destroy();
  }

  // --- tools ---------------------------------------------------------------------------------------------------

  /** @param {Tool} tool */
  choose(tool) {
    this.lift();
    this.tool = tool;
    for (const [name, button] of Object.entries(this.tools)) button.setAttribute("aria-pressed", String(name === tool));
    this.view?.redraw();
  }

  /** @param {number} radius image pixels */
  resize(radius) {
    this.radius = Math.round(Math.min(Math.max(radius, SIZES.least), SIZES.most) * 100) / 100;
    this.size.value = String((100 * Math.log(this.radius / SIZES.least)) / Math.log(SIZES.most / SIZES.least));
    this.sizeText.textContent = `${(2 * this.radius).toFixed(this.radius < 5 ? 1 : 0)} px`;
    this.view?.redraw();
  }

  /** @param {WheelEvent} event @returns {boolean} whether it was for the brush */
  wheel(event) {
    if (!event.shiftKey) return false;
    this.resize(this.radius * (event.deltaY + event.deltaX > 0 ? 1 / SIZES.step : SIZES.step));
    return true;
  }

  magnify() {
    this.lens.setAttribute("aria-pressed", String(this.view.magnify()));
  }

  toggleNone() {
    const state = this.desk.state();
    this.desk.change({ ...state, noneLeft: !state.noneLeft }, "none is left");
  }

  // --- painting ------------------------------------------------------------------------------------------------

  /** @param {Place} place */
  press(place) {
    if (this.tool === "fill") {
      const state = this.desk.state();
      return this.desk.change({ ...state, draft: [...state.draft, place.xy] }, "put a vertex");
    }
    if (this.line) return this.lift(); // by key: up again
    this.line = { erase: this.tool === "eraser", radius: this.radius, points: [place.xy] };
    this.refresh(this.painting.extend(this.line));
  }

  /** @param {Place} place */
  go(place) {
    if (!this.line) return;
    const last = this.line.points[this.line.points.length - 1];
    if (Math.hypot(place.xy[0] - last[0], place.xy[1] - last[1]) < APART / this.view.view.scale) return;
    this.line = { ...this.line, points: [...this.line.points, place.xy] };
    this.refresh(this.painting.extend(this.line));
  }

  lift() {
    const { line } = this;
    if (!line) return;
    this.line = null;
    this.painting.keep(line);
    const state = this.desk.state();
    this.desk.change({ ...state, noneLeft: false, strokes: [...state.strokes, line] }, line.erase ? "erase" : "paint");
  }

  /** The open outline becomes a filled one. */
  close() {
    const { draft, ...state } = this.desk.state();
    const points = draft.filter((point, index) => index === 0 || point[0] !== draft[index - 1][0] || point[1] !== draft[index - 1][1]);
    if (points.length < 3) return draft.length > 0 && this.desk.say("An outline needs at least three vertices.", "warning");
    this.desk.change({ ...state, draft: [], noneLeft: false, strokes: [...state.strokes, { erase: false, radius: 0, points }] }, "fill");
  }

  cancel() {
    const state = this.desk.state();
    if (this.line) {
      this.line = null;
      this.painting.spoil();
      this.update(state);
    } else if (state.draft.length > 0) this.desk.change({ ...state, draft: [] }, "drop the outline");
  }

  /** @param {Place | null} place */
  hover(place) {
    if (place?.byKey) this.go(place);
    this.view.redraw();
  }

  // --- drawing -------------------------------------------------------------------------------------------------

  /** Bring a part of the layer up to date. @param {import("./painting.js").Box} box */
  refresh(box) {
    const [left, top] = [Math.max(Math.floor(box[0]), 0), Math.max(Math.floor(box[1]), 0)];
    const [right, bottom] = [Math.min(Math.ceil(box[2]), this.layer.width), Math.min(Math.ceil(box[3]), this.layer.height)];
    if (right <= left || bottom <= top) return;
    const pixels = this.layerContext.createImageData(right - left, bottom - top);
    for (let y = top, at = 0; y < bottom; y += 1) {
      for (let x = left; x < right; x += 1, at += 4) if (this.painting.isPainted(y * this.layer.width + x)) pixels.data.set(COLOUR, at);
    }
    this.layerContext.putImageData(pixels, left, top);
    this.view?.redraw();
  }

  /** @param {CanvasRenderingContext2D} context @param {import("./viewport.js").Viewport} view */
  draw(context, view) {
    const { image, points } = this.task;
    const { draft, noneLeft } = this.desk.state();
    context.imageSmoothingEnabled = false;
    if (!noneLeft) context.drawImage(this.layer, view.x, view.y, image.width * view.scale, image.height * view.scale);
    this.masks.draw(context, view);
    for (const point of points) dot(context, toScreen(view, point));
    const cursor = toScreen(view, this.view.cursor);
    if (this.tool === "fill") {
      outlined(context, 1.75, () => {
        context.beginPath();
        for (const point of [...draft, ...(draft.length > 0 ? [this.view.cursor] : [])]) context.lineTo(...toScreen(view, point));
      }, "#ff5cc4");
      for (const point of draft) dot(context, toScreen(view, point), "#fff");
      return;
    }
    outlined(context, 1.25, () => {
      context.beginPath();
      context.arc(...cursor, Math.max(this.radius * view.scale, 1), 0, 2 * Math.PI);
    });
  }
}

/** @param {CanvasRenderingContext2D} context @param {Xy} at */
function dot(context, [x, y], colour = "#ffd60a") {
  outlined(context, 3, () => {
    context.beginPath();
    context.arc(x, y, 2, 0, 2 * Math.PI);
  }, colour);
}

/** @param {number} value of the slider, 0 to 100 */
function radiusAt(value) {
  return SIZES.least * (SIZES.most / SIZES.least) ** (value / 100);
}
