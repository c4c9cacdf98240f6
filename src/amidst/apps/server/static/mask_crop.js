// A mask in a part of its image, drawn small: only as many pixels as are shown are ever looked at.

import { unpack } from "./rle.js";

/** @typedef {import("./types.js").Rle} Rle */
/** @typedef {{id: number, width: number, height: number}} ImageRef */
/** @typedef {[number, number, number, number]} Xywh */

const LINE = [255, 59, 140];
const HALO = [255, 255, 255];

/**
 * A mask at the resolution it is shown in: 1 where the middle of a pixel lies in the mask.
 * @param {Rle} rle
 * @param {Xywh} crop image pixels
 * @param {number} width of the result
 * @param {number} height
 * @returns {Uint8Array} row by row
 */
export function sampled(rle, [x, y, w, h], width, height) {
  const [rows, columns] = rle.size;
  const runs = unpack(rle.counts);
  const out = new Uint8Array(width * height);
  let run = 0;
  let end = runs[0] ?? 0; // of the current run; odd runs are in the mask
  for (let i = 0; i < width; i += 1) {
    const column = Math.floor(x + ((i + 0.5) * w) / width);
    if (column < 0 || column >= columns) continue;
    // several pixels may show one column: the walk goes back to its start
    while (run > 0 && end - runs[run] > column * rows) end -= runs[run--];
    for (let j = 0; j < height; j += 1) {
      const row = Math.floor(y + ((j + 0.5) * h) / height);
      if (row < 0 || row >= rows) continue;
      const at = column * rows + row;
      while (run < runs.length - 1 && end <= at) end += runs[++run];
      out[j * width + i] = at < end ? run & 1 : 0;
    }
  }
  return out;
}

/**
 * How near each pixel outside lies to the mask, or inside to its border: 1 on the border, 2 just outside, 0 elsewhere.
 * @param {Uint8Array} mask
 * @param {number} width
 * @param {number} height
 * @param {number} thick pixels of the line
 */
export function bordered(mask, width, height, thick) {
  const out = new Uint8Array(mask.length);
  for (let j = 0; j < height; j += 1) {
    for (let i = 0; i < width; i += 1) {
      const at = j * width + i;
      const own = mask[at];
      const reach = own ? thick : 1;
      for (let d = 1; d <= reach && !out[at]; d += 1) {
        const differs =
          (i >= d && mask[at - d] !== own) || (i + d < width && mask[at + d] !== own) ||
          (j >= d && mask[at - d * width] !== own) || (j + d < height && mask[at + d * width] !== own);
        if (differs) out[at] = own ? 1 : 2;
      }
    }
  }
  return out;
}

/**
 * The variant of a picture that is sharp enough to show a part of it.
 * @param {ImageRef} image
 * @param {Xywh} crop
 * @param {number} side pixels that the longer side of the crop is shown in
 */
export function variantFor(image, crop, side) {
  const longest = Math.max(image.width, image.height);
  const wanted = (0.8 * side) / Math.max(crop[2], crop[3]);
  return [256, 1024].find((variant) => longest <= variant || variant / longest >= wanted)?.toString() ?? "original-upright";
}

/**
 * As much of the image around a crop as fills a square room, without making the crop smaller.
 * @param {Xywh} crop
 * @param {{width: number, height: number}} image
 * @returns {Xywh}
 */
export function squared([x, y, w, h], image) {
  const side = Math.max(w, h);
  const width = Math.min(side, image.width);
  const height = Math.min(side, image.height);
  const left = Math.min(Math.max(x + w / 2 - width / 2, 0), image.width - width);
  const top = Math.min(Math.max(y + h / 2 - height / 2, 0), image.height - height);
  return [left, top, width, height];
}

/**
 * Where a crop lies in a room, whole and centred.
 * @param {Xywh} crop
 * @param {number} width
 * @param {number} height
 */
export function placed([, , w, h], width, height) {
  const scale = Math.min(width / w, height / h);
  const size = [Math.max(Math.round(w * scale), 1), Math.max(Math.round(h * scale), 1)];
  return { x: Math.floor((width - size[0]) / 2), y: Math.floor((height - size[1]) / 2), width: size[0], height: size[1] };
}

/**
 * Draws the crop of a picture with the outline of its mask; canvas.width and height are set.
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement} picture any variant
 * @param {{image: ImageRef, crop_xywh: Xywh, mask: Rle}} item
 * @param {boolean} outline
 */
export function drawCrop(canvas, picture, { image, crop_xywh, mask }, outline) {
  const crop = squared(crop_xywh, image);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const { x, y, width, height } = placed(crop, canvas.width, canvas.height);
  const scale = picture.naturalWidth / image.width;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  const [left, top, w, h] = crop.map((value) => value * scale);
  context.drawImage(picture, left, top, w, h, x, y, width, height);
  if (!outline) return;
  const border = bordered(sampled(mask, crop, width, height), width, height, Math.max(Math.round(devicePixelRatio * 1.5), 2));
  const pixels = context.getImageData(x, y, width, height);
  border.forEach((what, at) => {
    if (what) pixels.data.set(what === 1 ? LINE : HALO, 4 * at);
  });
  context.putImageData(pixels, x, y);
}
