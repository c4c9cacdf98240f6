// What a browser remembers of how someone likes to work. Where it may remember nothing (a page in another site's frame),
// it is kept as long as the page.

/** @type {Map<string, string>} */
const kept = new Map();

/** @param {string} name */
export function recall(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return kept.get(name) ?? null;
  }
}

/** @param {string} name @param {string | null} value null: forget it */
export function remember(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    if (value === null) kept.delete(name);
    else kept.set(name, value);
  }
}
