// One answer as a manager sees it: the picture with what the worker put on it.

import { loaded, stageName } from "./manage_parts.js";
import { bordered, drawCrop, sampled, variantFor } from "./mask_crop.js";
import { element } from "./page.js";

/** @typedef {import("./types.js").Picture} Picture */
/** @typedef {import("./types.js").Rle} Rle */
/** @typedef {Record<string, Picture>} Media */

const WIDTH = 560; // pixels of a canvas
const TILE = 180;
const MOST_TILES = 8;
const MARK = "#ff3b8c";

/** @param {any} answer @param {Media} media @returns {Node[]} */
export function answerView(answer, media) {
  const views = { category_votes: votes, image_filter: filter, verification: grid, captions: caption };
  const view = views[/** @type {keyof typeof views} */ (answer.stage)] ?? drawn;
  return view(answer, media);
}

/** What was answered, in words. @param {any} answer @returns {string} */
export function inWords({ stage, task, body, overlap }) {
  const name = task.category?.name;
  switch (stage) {
    case "labelling": {
      const names = new Map(task.panels.flatMap((/** @type {any} */ panel) => panel.categories).map((/** @type {any} */ one) => [one.id, one.name]));
      const named = body.panels.flatMap((/** @type {any} */ panel) => panel.icons).map((/** @type {any} */ icon) => names.get(icon.category) ?? icon.category);
      return named.length > 0 ? named.join(", ") : "nothing";
    }
    case "spotting":
      return body.none ? `no ${name}` : `${body.points.length} × ${name}${body.more_than_10 ? ", and more" : ""}`;
    case "training":
      return `${name}: overlap with the truth ${overlap?.toFixed(2) ?? "–"}`;
    case "segmentation":
      return body.kind === "mask" ? `${name}, ${body.parts.reduce((/** @type {number} */ sum, /** @type {any} */ part) => sum + part.points.length, 0)} vertices` : `${name}: ${body.kind.replaceAll("_", " ")}`;
    case "verification":
      return `${body.bad.length} of ${task.items.length} marked as poor`;
    case "image_filter":
      return `${body.removed.length} of ${task.items.length} marked for removal`;
    case "crowd_regions":
      return body.none_left ? `no ${name} left` : `the other ${name}s as one region`;
    case "category_votes":
      return `${body.scores.length} candidates scored`;
    default:
      return stageName(stage);
  }
}

/** @param {any} answer @returns {Node[]} */
function caption({ body, task }, /** @type {Media} */ media) {
  return [picture(task.image, media, () => {}), element("blockquote", {}, body.text)];
}

/** @param {any} answer @returns {Node[]} */
function votes({ body, task }) {
  const names = new Map(task.candidates.map((/** @type {any} */ one) => [one.id, one.name]));
  const best = [...body.scores].sort((one, other) => other.score - one.score).slice(0, 6);
  return [element("p", {}, "Highest: ", best.map((one) => `${names.get(one.candidate)} ${one.score}`).join(", "))];
}

/** @param {any} answer @param {Media} media @returns {Node[]} */
function drawn({ stage, task, body }, media) {
  const image = picture(task.image, media, (context, scale) => {
    if (task.masks && stage !== "training") for (const mask of task.masks) outline(context, mask, "255,255,255");
    if (body.region) outline(context, body.region, "255,59,140", 0.35);
    for (const part of body.parts ?? []) polygon(context, part, scale);
    for (const panel of body.panels ?? []) for (const icon of panel.icons) cross(context, icon, scale);
    for (const point of body.points ?? []) cross(context, point, scale);
  });
  image.setAttribute("aria-label", `${stageName(stage)}: ${inWords({ stage, task, body })}`);
  return [image];
}

/** @param {any} answer @param {Media} media @returns {Node[]} */
function grid({ task, body }, media) {
  const marked = body.bad.slice(0, MOST_TILES).map((/** @type {number} */ place) => tile(task.items[place], media, true));
  return marked.length > 0 ? [element("div", { class: "strip" }, ...marked)] : [];
}

/** @param {any} answer @param {Media} media @returns {Node[]} */
function filter({ task, body }, media) {
  const marked = body.removed.slice(0, MOST_TILES).map((/** @type {any} */ one) => {
    const image = task.items[one.item];
    return tile({ image, crop_xywh: [0, 0, image.width, image.height] }, media, false);
  });
  return marked.length > 0 ? [element("div", { class: "strip" }, ...marked)] : [];
}

/**
 * A crop with its mask.
 * @param {any} item
 * @param {Media} media
 * @param {boolean} outlined
 */
export function tile(item, media, outlined) {
  const canvas = element("canvas", { width: TILE, height: TILE, role: "img", "aria-label": item.category?.name ?? "picture" });
  loaded(media, item.image.id, variantFor(item.image, item.crop_xywh, TILE))
    .then((found) => drawCrop(canvas, found, item, outlined))
    .catch(() => canvas.setAttribute("aria-label", "the picture could not be loaded"));
  return canvas;
}

/**
 * The part of an image around a mask, with some room.
 * @param {{image: {width: number, height: number}, mask: Rle}} item
 * @returns {[number, number, number, number]}
 */
export function around({ image, mask }) {
  const side = 64;
  const seen = sampled(mask, [0, 0, image.width, image.height], side, side);
  let [left, top, right, bottom] = [side, side, -1, -1];
  seen.forEach((inside, at) => {
    if (!inside) return;
    left = Math.min(left, at % side);
    right = Math.max(right, at % side);
    top = Math.min(top, Math.floor(at / side));
    bottom = Math.max(bottom, Math.floor(at / side));
  });
  if (right < 0) return [0, 0, image.width, image.height];
  const [w, h] = [(right + 1 - left) / side, (bottom + 1 - top) / side];
  const room = 0.25;
  const x = Math.max(0, left / side - room * w);
  const y = Math.max(0, top / side - room * h);
  return [x * image.width, y * image.height, (Math.min(1, right / side + (1 + room) * w) - x) * image.width, (Math.min(1, bottom / side + (1 + room) * h) - y) * image.height];
}

/**
 * @param {{id: number, width: number, height: number}} image
 * @param {Media} media
 * @param {(context: CanvasRenderingContext2D, scale: number) => void} draw in canvas pixels
 */
function picture(image, media, draw) {
  const scale = WIDTH / image.width;
  const canvas = element("canvas", { width: WIDTH, height: Math.round(image.height * scale), role: "img", "aria-label": "picture" });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  loaded(media, image.id, "1024")
    .then((found) => {
      context.drawImage(found, 0, 0, canvas.width, canvas.height);
      draw(context, scale);
    })
    .catch(() => canvas.setAttribute("aria-label", "the picture could not be loaded"));
  return canvas;
}

/** @param {CanvasRenderingContext2D} context @param {{x: number, y: number}} point @param {number} scale */
function cross(context, { x, y }, scale) {
  const [cx, cy, r] = [x * scale, y * scale, 7];
  context.beginPath();
  context.moveTo(cx - r, cy - r);
  context.lineTo(cx + r, cy + r);
  context.moveTo(cx + r, cy - r);
  context.lineTo(cx - r, cy + r);
  stroke(context);
}

/** @param {CanvasRenderingContext2D} context @param {{points: [number, number][], hole: boolean}} part @param {number} scale */
function polygon(context, { points, hole }, scale) {
  context.beginPath();
  points.forEach(([x, y]) => context.lineTo(x * scale, y * scale));
  context.closePath();
  context.setLineDash(hole ? [6, 4] : []);
  stroke(context);
  context.setLineDash([]);
}

/** @param {CanvasRenderingContext2D} context */
function stroke(context) {
  context.lineWidth = 4;
  context.strokeStyle = "#fffc";
  context.stroke();
  context.lineWidth = 2;
  context.strokeStyle = MARK;
  context.stroke();
}

/** @param {CanvasRenderingContext2D} context @param {Rle} mask @param {string} rgb @param {number} [fill] */
function outline(context, mask, rgb, fill = 0) {
  const { width, height } = context.canvas;
  const seen = sampled(mask, [0, 0, mask.size[1], mask.size[0]], width, height);
  const border = bordered(seen, width, height, 2);
  const pixels = context.getImageData(0, 0, width, height);
  const colour = rgb.split(",").map(Number);
  seen.forEach((inside, at) => {
    const share = border[at] === 1 ? 1 : inside ? fill : 0;
    for (let k = 0; share > 0 && k < 3; k += 1) pixels.data[4 * at + k] = (1 - share) * pixels.data[4 * at + k] + share * colour[k];
  });
  context.putImageData(pixels, 0, 0);
}
