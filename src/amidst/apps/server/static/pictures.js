// The pictures of tickets, decoded and kept while their ticket lives.

/** @typedef {import("./types.js").Picture} Picture */

/** @type {Map<string, Promise<HTMLImageElement>>} */
const loaded = new Map();

/**
 * @param {Record<string, Picture>} media
 * @param {number} imageId
 * @param {string} variant "original-upright", "1024" or "256"
 */
export function addressOf(media, imageId, variant) {
  const picture = media[String(imageId)];
  return picture ? `${picture.base}/${variant}?${picture.access}` : "";
}

/**
 * A decoded picture; one that failed is tried again at the next call.
 * @param {Record<string, Picture>} media
 * @param {number} imageId
 * @param {string} variant
 */
export function load(media, imageId, variant) {
  const address = addressOf(media, imageId, variant);
  let found = loaded.get(address);
  if (!found) {
    const image = new Image();
    image.src = address;
    found = image.decode().then(() => image);
    found.catch(() => loaded.delete(address));
    loaded.set(address, found);
  }
  return found;
}

/**
 * Fetch what the screens of a ticket will ask for: one large picture, or the many small ones of a grid.
 * @param {Record<string, Picture>} media
 */
export function fetchAhead(media) {
  const ids = Object.keys(media).map(Number);
  for (const id of ids) load(media, id, ids.length > 1 ? "256" : "original-upright").catch(() => {});
}

/** @param {Record<string, Picture>} media */
export function forget(media) {
  for (const { base } of Object.values(media)) {
    for (const address of loaded.keys()) if (address.startsWith(`${base}/`)) loaded.delete(address);
  }
}
