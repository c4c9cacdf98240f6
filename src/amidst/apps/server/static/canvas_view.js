// A picture on a canvas that can be zoomed, panned and looked at through a magnifier, with a cursor that keys move.
// Used by every screen that points at places of one image. What lies over the picture is drawn by the screen.

import { element } from "./page.js";
import { fit, pan, show, toImage, toScreen, zoomAt } from "./viewport.js";

/** @typedef {import("./types.js").Xy} Xy */
/** @typedef {import("./viewport.js").Viewport} Viewport */

const LENS = 96; // radius of the magnifier, CSS pixels
const LENS_FACTOR = 2;
const STEP = 8; // of the cursor, CSS pixels; with Ctrl 1, with Shift 64
const WHEEL = 0.0016;

/**
 * xy: image pixels, inside the image. screen: CSS pixels.
 * @typedef {{xy: Xy, screen: Xy, shift: boolean, alt: boolean, ctrl: boolean, byKey: boolean}} Place
 */
/**
 * @typedef {object} Handlers
 * @property {(context: CanvasRenderingContext2D, view: Viewport) => void} draw over the picture; the context is in CSS pixels
 * @property {(place: Place) => unknown} [press]
 * @property {(place: Place) => void} [drag] between press and release
 * @property {(place: Place) => unknown} [release]
 * @property {(place: Place) => unknown} [double]
 * @property {(place: Place | null) => void} [hover]
 * @property {(event: WheelEvent) => boolean} [wheel] true: it was not for the zoom
 */

export class CanvasView {
  /**
   * @param {import("./types.js").Desk<any>} desk
   * @param {{id: number, width: number, height: number}} image
   * @param {Handlers} handlers
   */
  constructor(desk, image, handlers) {
    this.desk = desk;
    this.image = image;
    this.handlers = handlers;
    this.canvas = element("canvas", { class: "view", tabindex: 0, "aria-label": "The picture; arrow keys move the cursor, Space presses" });
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    /** @type {HTMLImageElement | null} */
    this.picture = null;
    this.size = { width: 1, height: 1 };
    /** @type {Viewport} */
    this.view = { scale: 1, x: 0, y: 0 };
    /** Under the pointer or the key cursor, image pixels. @type {Xy} */
    this.cursor = [image.width / 2, image.height / 2];
    this.keyCursor = false;
    this.inside = false;
    this.magnified = false;
    this.frame = 0;
    /** @type {"none" | "press" | "pan"} */
    this.held = "none";
    /** @type {Xy} */
    this.last = [0, 0];
    /** Whether the worker has chosen what to look at; until then all is shown, also in another size. */
    this.looked = false;
    desk.root.append(this.canvas);
    this.listen();
    this.measure(); // a key may come before the first frame
    this.observer = new ResizeObserver(() => this.measure() && this.paint());
    this.observer.observe(this.canvas);
    void this.load();
  }

  async load() {
    try {
      this.picture = await this.desk.pictures(this.image.id, "original-upright");
      this.redraw();
    } catch {
      this.desk.say("The picture could not be fetched.", "error");
    }
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    this.observer.disconnect();
    this.canvas.remove();
  }

  // --- drawing ---------------------------------------------------------------------------------------------

  /** Soon, once. */
  redraw() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  paint() {
    const { context, view, size } = this;
    const begin = performance.now();
    const ratio = devicePixelRatio;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, size.width, size.height);
    this.paintScene(view);
    if (this.magnified && (this.inside || this.keyCursor)) this.paintLens();
    if (this.keyCursor) this.paintCursor();
    if (this.picture) this.canvas.dataset.picture = "shown";
    this.canvas.dataset.paintMs = String(performance.now() - begin);
  }

  /** @param {Viewport} view */
  paintScene(view) {
    const { context, picture, image } = this;
    if (picture) {
      context.imageSmoothingEnabled = view.scale < 3; // close up one wants to see the pixels
      context.imageSmoothingQuality = "high";
      context.drawImage(picture, view.x, view.y, image.width * view.scale, image.height * view.scale);
    }
    this.handlers.draw(context, view);
  }

  /** The region under the pointer at twice the scale, around the pointer. */
  paintLens() {
    const { context, view } = this;
    const [x, y] = toScreen(view, this.cursor);
    context.save();
    context.beginPath();
    context.arc(x, y, LENS, 0, 2 * Math.PI);
    context.clip();
    context.fillStyle = "#000";
    context.fill();
    const scale = view.scale * LENS_FACTOR;
    this.paintScene({ scale, x: x - this.cursor[0] * scale, y: y - this.cursor[1] * scale });
    context.restore();
    outlined(context, 2, () => {
      context.beginPath();
      context.arc(x, y, LENS, 0, 2 * Math.PI);
    });
  }

  paintCursor() {
    const [x, y] = toScreen(this.view, this.cursor);
    outlined(this.context, 1.5, (context) => {
      context.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 4 * dx, y + 4 * dy);
        context.lineTo(x + 14 * dx, y + 14 * dy);
      }
    });
  }

  /** Fits into the room there is. @returns {boolean} whether there is any */
  measure() {
    const { width, height } = this.canvas.getBoundingClientRect();
    if (width === 0 || height === 0) return false;
    this.size = { width, height };
    this.canvas.width = Math.round(width * devicePixelRatio);
    this.canvas.height = Math.round(height * devicePixelRatio);
    if (!this.looked) this.view = fit(this.image, this.size);
    this.publish();
    return true;
  }

  // --- looking ---------------------------------------------------------------------------------------------

  /** @param {Viewport} view */
  look(view) {
    this.looked = true;
    this.view = view;
    this.publish();
    this.desk.zoomed(view.scale);
    this.redraw();
  }

  /** For tests and scripts: where the image lies. */
  publish() {
    const { scale, x, y } = this.view;
    Object.assign(this.canvas.dataset, { scale: String(scale), x: String(x), y: String(y) });
  }

  /** @param {number} factor @param {Xy} [at] screen; else the cursor */
  zoom(factor, at = toScreen(this.view, this.cursor)) {
    this.look(zoomAt(this.view, factor, at, this.image, this.size));
  }

  fit() {
    this.look(fit(this.image, this.size));
  }

  /** Zoom so that a place can be worked on. @param {Xy} place @param {number} scale */
  lookAt([x, y], scale) {
    const { width, height } = this.size;
    this.look(zoomAt({ scale, x: width / 2 - x * scale, y: height / 2 - y * scale }, 1, [width / 2, height / 2], this.image, this.size));
  }

  magnify(on = !this.magnified) {
    this.magnified = on;
    this.redraw();
    return on;
  }

  /** What every canvas screen can do by keys; a screen adds its own. @returns {Record<string, (event: KeyboardEvent) => void>} */
  keys() {
    /** @type {Record<string, (event: KeyboardEvent) => void>} */
    const map = {
      "+": () => this.zoom(1.5),
      "=": () => this.zoom(1.5),
      "-": () => this.zoom(1 / 1.5),
      "0": () => this.fit(),
      m: () => void this.magnify(),
      Space: (event) => this.pressByKey(event),
    };
    for (const [key, dx, dy] of /** @type {[string, number, number][]} */ ([["ArrowLeft", -1, 0], ["ArrowRight", 1, 0], ["ArrowUp", 0, -1], ["ArrowDown", 0, 1]])) {
      map[key] = () => this.step(dx * STEP, dy * STEP);
      map[`Ctrl+${key}`] = () => this.step(dx, dy);
      map[`Shift+${key}`] = () => this.step(dx * STEP * 8, dy * STEP * 8);
    }
    return map;
  }

  /** Move the key cursor by screen pixels. @param {number} dx @param {number} dy */
  step(dx, dy) {
    this.moveTo([this.cursor[0] + dx / this.view.scale, this.cursor[1] + dy / this.view.scale]);
  }

  /** Put the key cursor somewhere. @param {Xy} xy */
  moveTo(xy) {
    this.keyCursor = true;
    this.cursor = this.clamp(xy);
    this.look(show(this.view, this.cursor, this.image, this.size));
    this.handlers.hover?.(this.placeOfCursor());
    if (this.held === "press") this.handlers.drag?.(this.placeOfCursor());
  }

  /** @param {KeyboardEvent} event */
  pressByKey(event) {
    this.keyCursor = true;
    const place = { ...this.placeOfCursor(), shift: event.shiftKey, alt: event.altKey };
    this.handlers.press?.(place);
    this.handlers.release?.(place);
    this.redraw();
  }

  /** @returns {Place} */
  placeOfCursor() {
    return { xy: this.cursor, screen: toScreen(this.view, this.cursor), shift: false, alt: false, ctrl: false, byKey: true };
  }

  // --- the pointer -------------------------------------------------------------------------------------------

  listen() {
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.moved(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.up(event));
    canvas.addEventListener("dblclick", (event) => this.handlers.double?.(this.placeOf(event)));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerleave", () => {
      this.inside = false;
      this.handlers.hover?.(null);
      this.redraw();
    });
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    event.preventDefault();
    if (this.handlers.wheel?.(event)) return;
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 33 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * WHEEL), this.at(event));
  }

  /** @param {PointerEvent} event */
  down(event) {
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.at(event);
    this.follow(event);
    this.held = event.button === 0 ? "press" : "pan";
    if (this.held === "press") this.handlers.press?.(this.placeOf(event));
  }

  /** @param {PointerEvent} event */
  moved(event) {
    const at = this.at(event);
    if (this.held === "pan") this.look(pan(this.view, at[0] - this.last[0], at[1] - this.last[1], this.image, this.size));
    this.last = at;
    this.follow(event);
    if (this.held === "press") this.handlers.drag?.(this.placeOf(event));
    else this.handlers.hover?.(this.placeOf(event));
    if (this.magnified) this.redraw();
  }

  /** @param {PointerEvent} event */
  up(event) {
    const held = this.held;
    this.held = "none";
    if (held === "press") this.handlers.release?.(this.placeOf(event));
  }

  /** @param {PointerEvent} event */
  follow(event) {
    if (this.keyCursor) this.redraw();
    this.inside = true;
    this.keyCursor = false;
    this.cursor = this.clamp(toImage(this.view, this.at(event)));
  }

  /** CSS pixels of the canvas, fractions too: `offsetX` has none where the canvas begins between pixels. @param {MouseEvent} event @returns {Xy} */
  at(event) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  /** @param {MouseEvent} event @returns {Place} */
  placeOf(event) {
    const screen = this.at(event);
    return { xy: this.clamp(toImage(this.view, screen)), screen, shift: event.shiftKey, alt: event.altKey, ctrl: event.ctrlKey || event.metaKey, byKey: false };
  }

  /** Two decimals, inside the image. @param {Xy} xy @returns {Xy} */
  clamp([x, y]) {
    const inside = (/** @type {number} */ value, /** @type {number} */ most) => Math.round(Math.min(Math.max(value, 0), most) * 100) / 100;
    return [inside(x, this.image.width), inside(y, this.image.height)];
  }
}

/**
 * A line that is seen on any picture: white on black.
 * @param {CanvasRenderingContext2D} context
 * @param {number} width
 * @param {(context: CanvasRenderingContext2D) => void} path
 * @param {string} [colour]
 */
export function outlined(context, width, path, colour = "#fff") {
  path(context);
  context.lineWidth = width + 2.5;
  context.strokeStyle = "#000b";
  context.stroke();
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.stroke();
}
