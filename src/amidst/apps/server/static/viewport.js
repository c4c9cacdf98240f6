// Where the image lies on the screen. Screen lengths are CSS pixels of the canvas, image lengths its own pixels.

/** @typedef {import("./types.js").Xy} Xy */
/** @typedef {{width: number, height: number}} Size */
/** scale: CSS pixels per image pixel; x, y: where the image's corner lies. @typedef {{scale: number, x: number, y: number}} Viewport */

export const MAX_SCALE = 16;
const MARGIN = 12;
const KEEP = 80; // so much of the image stays in sight

/**
 * All of the image, centred; a small one is not blown up beyond four times.
 * @param {Size} image
 * @param {Size} screen
 * @returns {Viewport}
 */
export function fit(image, screen) {
  const scale = Math.max(Math.min((screen.width - 2 * MARGIN) / image.width, (screen.height - 2 * MARGIN) / image.height, 4), 0.01);
  return { scale, x: (screen.width - image.width * scale) / 2, y: (screen.height - image.height * scale) / 2 };
}

/** @param {Viewport} view @param {Xy} at @returns {Xy} */
export function toImage(view, [x, y]) {
  return [(x - view.x) / view.scale, (y - view.y) / view.scale];
}

/** @param {Viewport} view @param {Xy} at @returns {Xy} */
export function toScreen(view, [x, y]) {
  return [x * view.scale + view.x, y * view.scale + view.y];
}

/**
 * Closer or farther; what lies under `at` (screen) stays there.
 * @param {Viewport} view
 * @param {number} factor
 * @param {Xy} at
 * @param {Size} image
 * @param {Size} screen
 * @returns {Viewport}
 */
export function zoomAt(view, factor, at, image, screen) {
  const least = Math.min(fit(image, screen).scale, 1);
  const scale = Math.min(Math.max(view.scale * factor, least), MAX_SCALE);
  const [x, y] = toImage(view, at);
  return kept({ scale, x: at[0] - x * scale, y: at[1] - y * scale }, image, screen);
}

/**
 * Moved by screen pixels.
 * @param {Viewport} view
 * @param {number} dx
 * @param {number} dy
 * @param {Size} image
 * @param {Size} screen
 * @returns {Viewport}
 */
export function pan(view, dx, dy, image, screen) {
  return kept({ ...view, x: view.x + dx, y: view.y + dy }, image, screen);
}

/**
 * Moved so that a place of the image can be seen, with some room around it.
 * @param {Viewport} view
 * @param {Xy} place
 * @param {Size} image
 * @param {Size} screen
 * @returns {Viewport}
 */
export function show(view, place, image, screen) {
  const [x, y] = toScreen(view, place);
  const room = Math.min(60, screen.width / 4, screen.height / 4);
  const dx = x < room ? room - x : Math.min(screen.width - room - x, 0);
  const dy = y < room ? room - y : Math.min(screen.height - room - y, 0);
  return dx === 0 && dy === 0 ? view : pan(view, dx, dy, image, screen);
}

/** @param {Viewport} view @param {Size} image @param {Size} screen @returns {Viewport} */
function kept(view, image, screen) {
  const clamp = (/** @type {number} */ at, /** @type {number} */ length, /** @type {number} */ room) => {
    const keep = Math.min(KEEP, length, room);
    return Math.min(Math.max(at, keep - length), room - keep);
  };
  return { scale: view.scale, x: clamp(view.x, image.width * view.scale, screen.width), y: clamp(view.y, image.height * view.scale, screen.height) };
}
