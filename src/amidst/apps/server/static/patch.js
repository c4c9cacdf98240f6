// The difference between two plain JSON values that share what has not changed, and its application.
// What is the same object is taken for unchanged and never looked into, so that the cost follows the change.

/**
 * @typedef {{to: any} | {at: number, drop: number, add: any[]} | {at: number, by: Patch}
 *   | {set: Record<string, any>, cut: string[], by: Record<string, Patch>}} Patch
 */

/**
 * What leads from one value to the other.
 * @param {any} before
 * @param {any} after
 * @returns {Patch}
 */
export function diff(before, after) {
  if (Array.isArray(before) && Array.isArray(after)) return diffArrays(before, after);
  if (isObject(before) && isObject(after)) return diffObjects(before, after);
  return { to: after };
}

/**
 * The value after a change; neither argument is altered.
 * @param {any} before
 * @param {Patch} patch
 * @returns {any}
 */
export function apply(before, patch) {
  if ("to" in patch) return patch.to;
  if ("add" in patch) return [...before.slice(0, patch.at), ...patch.add, ...before.slice(patch.at + patch.drop)];
  if ("at" in patch) return before.with(patch.at, apply(before[patch.at], patch.by));
  const after = { ...before, ...patch.set };
  for (const name of patch.cut) delete after[name];
  for (const [name, inner] of Object.entries(patch.by)) after[name] = apply(before[name], inner);
  return after;
}

/**
 * @param {any[]} before
 * @param {any[]} after
 * @returns {Patch}
 */
function diffArrays(before, after) {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail += 1;
  const drop = before.length - head - tail;
  const add = after.slice(head, after.length - tail);
  if (drop === 1 && add.length === 1 && before[head] && typeof before[head] === "object") return { at: head, by: diff(before[head], add[0]) };
  return { at: head, drop, add };
}

/**
 * @param {Record<string, any>} before
 * @param {Record<string, any>} after
 * @returns {Patch}
 */
function diffObjects(before, after) {
  /** @type {{set: Record<string, any>, cut: string[], by: Record<string, Patch>}} */
  const patch = { set: {}, cut: Object.keys(before).filter((name) => !(name in after)), by: {} };
  for (const [name, value] of Object.entries(after)) {
    if (before[name] === value && name in before) continue;
    if (before[name] && value && typeof before[name] === "object" && typeof value === "object") patch.by[name] = diff(before[name], value);
    else patch.set[name] = value;
  }
  return patch;
}

/** @param {any} value */
function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
