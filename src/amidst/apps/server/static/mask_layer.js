// Masks over the picture. Their borders are traced once; what they look like at a scale is drawn once and kept for a
// region larger than the window, so that panning costs two copies however many masks there are.

import { contours } from "./rle.js";

/** @typedef {import("./types.js").Xy} Xy */
/** @typedef {import("./types.js").Rle} Rle */
/** @typedef {import("./viewport.js").Viewport} Viewport */
/** left, top: of the region, CSS pixels from the image's corner. @typedef {{canvas: HTMLCanvasElement, scale: number, left: number, top: number}} Kept */

const KEPT = 2; // the view and the magnifier

export class MaskLayer {
  /**
   * @param {Rle[]} masks
   * @param {string} line
   * @param {string} fill
   */
  constructor(masks, line, fill) {
    this.loops = masks.flatMap(contours);
    this.line = line;
    this.fill = fill;
    this.path = pathOf(this.loops);
    /** @type {Kept[]} */
    this.kept = [];
  }

  /** @param {CanvasRenderingContext2D} context @param {Viewport} view */
  draw(context, view) {
    if (this.loops.length === 0) return;
    const { width, height } = context.canvas.getBoundingClientRect();
    const found = this.kept.find((one) => one.scale === view.scale && isWithin(one, view, width, height)) ?? this.render(view, width, height);
    const ratio = devicePixelRatio;
    context.drawImage(found.canvas, view.x + found.left, view.y + found.top, found.canvas.width / ratio, found.canvas.height / ratio);
  }

  /** @param {Viewport} view @param {number} width @param {number} height */
  render(view, width, height) {
    const ratio = devicePixelRatio;
    const canvas = document.createElement("canvas");
    const [left, top] = [Math.round(-view.x - width / 2), Math.round(-view.y - height / 2)];
    canvas.width = Math.ceil(2 * width * ratio);
    canvas.height = Math.ceil(2 * height * ratio);
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.setTransform(view.scale * ratio, 0, 0, view.scale * ratio, -left * ratio, -top * ratio);
    context.fillStyle = this.fill;
    context.fill(this.path);
    context.lineJoin = "round";
    context.lineWidth = 1.5 / view.scale;
    context.strokeStyle = this.line;
    context.stroke(this.path);
    const made = { canvas, scale: view.scale, left, top };
    this.kept = [made, ...this.kept.filter((one) => one.scale !== view.scale)].slice(0, KEPT);
    return made;
  }
}

/** @param {Xy[][]} loops */
export function pathOf(loops) {
  const path = new Path2D();
  for (const loop of loops) {
    loop.forEach(([x, y], index) => (index === 0 ? path.moveTo(x, y) : path.lineTo(x, y)));
    path.closePath();
  }
  return path;
}

/** @param {Kept} kept @param {Viewport} view @param {number} width @param {number} height */
function isWithin(kept, view, width, height) {
  const ratio = devicePixelRatio;
  const [x, y] = [view.x + kept.left, view.y + kept.top];
  return x <= 0 && y <= 0 && x + kept.canvas.width / ratio >= width && y + kept.canvas.height / ratio >= height;
}
