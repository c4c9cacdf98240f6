// After a try of the training: where the drawn mask and the true one agree, and where not.

import { element, keycaps } from "./page.js";
import { rasterise } from "./raster.js";
import { decode } from "./rle.js";

/** @typedef {import("./types.js").TrainingResult} TrainingResult */

/** Red, green, blue, opacity. */
export const COLOURS = { agreed: [52, 199, 89, 110], missed: [255, 214, 10, 150], surplus: [255, 59, 48, 150] };

/**
 * A picture of the errors, at image size.
 * @param {import("./types.js").Part[]} parts
 * @param {import("./types.js").Rle} truth
 */
export function errorsOf(parts, truth) {
  const [height, width] = truth.size;
  const drawn = rasterise(parts, width, height).bitmap;
  const known = decode(truth);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const pixels = context.createImageData(width, height);
  for (let at = 0; at < drawn.length; at += 1) {
    if (!drawn[at] && !known[at]) continue;
    pixels.data.set(drawn[at] && known[at] ? COLOURS.agreed : known[at] ? COLOURS.missed : COLOURS.surplus, at * 4);
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}

/**
 * What a try was worth, in words.
 * @param {TrainingResult} result
 * @param {import("./types.js").TrainingTask} task
 * @param {() => void} next
 */
export function resultPanel(result, task, next) {
  const passed = task.passed + (result.passed ? 1 : 0);
  const outcome = {
    passed: `You may draw ${task.category.name} from now on.`,
    paused: "That was the last try for today; the training goes on later.",
    open: `${passed} of ${task.needed} passed; ${Math.max(task.tries_left - 1, 0)} tries left.`,
  }[result.state];
  const line = (/** @type {keyof typeof COLOURS} */ name, /** @type {string} */ text) => {
    const swatch = element("span", { class: "swatch" });
    swatch.style.background = `rgb(${COLOURS[name].slice(0, 3).join(" ")})`;
    return element("p", { class: "row" }, swatch, text);
  };
  const button = element("button", { class: "primary", type: "button", onclick: next }, "Go on", keycaps("Enter"));
  return element(
    "div",
    { class: "panel right result", role: "status" },
    element("p", { class: "large" }, result.passed ? "Passed" : "Not close enough"),
    element("p", {}, `Your outline overlaps the true one by ${(100 * result.iou).toFixed(0)}\u00a0%.`),
    line("agreed", "right"),
    line("missed", "missed"),
    line("surplus", "too much"),
    element("p", { class: "hint" }, outcome),
    button,
  );
}
