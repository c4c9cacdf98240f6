// The answers of category labelling: which supercategories are there, and where the icons lie. Pure.

/** @typedef {import("./types.js").Xy} Xy */
/** @typedef {import("./types.js").Panel} Panel */
/** @typedef {import("./types.js").CategoryRef} CategoryRef */
/** no: supercategories that were answered no. icons: where, by category id. @typedef {{no: Record<string, true>, icons: Record<string, Xy>}} State */

/** @param {State} state @param {Panel} panel */
export function placedOf(state, panel) {
  return panel.categories.filter(({ id }) => state.icons[id]);
}

/**
 * @param {State} state
 * @param {Panel} panel
 * @returns {"yes" | "no" | "open"}
 */
export function answerOf(state, panel) {
  if (placedOf(state, panel).length > 0) return "yes";
  return state.no[panel.super] ? "no" : "open";
}

/** The icon of a category on an instance; it has one at most. @param {State} state @param {Panel} panel @param {number} id @param {Xy} at @returns {State} */
export function withIcon(state, panel, id, at) {
  const { [panel.super]: _, ...no } = state.no;
  return { no, icons: { ...state.icons, [id]: at } };
}

/** @param {State} state @param {number} id @returns {State} */
export function withoutIcon(state, id) {
  const { [id]: was, ...icons } = state.icons;
  return was ? { ...state, icons } : state;
}

/** Nothing of a supercategory is there: its icons go. @param {State} state @param {Panel} panel @returns {State} */
export function withNo(state, panel) {
  const icons = Object.fromEntries(Object.entries(state.icons).filter(([id]) => !panel.categories.some((one) => String(one.id) === id)));
  return { icons, no: { ...state.no, [panel.super]: true } };
}

/**
 * The next panel without an answer after one, going around; -1 if there is none.
 * @param {State} state
 * @param {Panel[]} panels
 * @param {number} after
 */
export function nextOpen(state, panels, after) {
  for (let step = 1; step <= panels.length; step += 1) {
    const at = (after + step) % panels.length;
    if (answerOf(state, panels[at]) === "open") return at;
  }
  return -1;
}

/**
 * The category that typed letters mean: first of the panel in front, then of the others; first by the beginning of
 * the name, then of a word in it.
 * @param {Panel[]} panels
 * @param {number} front
 * @param {string} letters
 * @returns {{panel: number, category: CategoryRef} | null}
 */
export function found(panels, front, letters) {
  const typed = letters.toLocaleLowerCase();
  const order = [front, ...panels.keys()].filter((at, place, all) => all.indexOf(at) === place);
  for (const begins of [(/** @type {string} */ name) => name.startsWith(typed), (/** @type {string} */ name) => name.includes(` ${typed}`)]) {
    for (const panel of order) {
      const category = panels[panel].categories.find(({ name }) => begins(name.toLocaleLowerCase()));
      if (category) return { panel, category };
    }
  }
  return null;
}

/** @param {State} state @param {Panel[]} panels */
export function problemOf(state, panels) {
  const open = panels.filter((panel) => answerOf(state, panel) === "open");
  if (open.length === 0) return null;
  const more = open.length > 1 ? ` and ${open.length - 1} more` : "";
  return `Not answered: ${open[0].super}${more}. Put an icon on one of each kind, or say no.`;
}

/** @param {State} state @param {Panel[]} panels */
export function bodyOf(state, panels) {
  return {
    panels: panels.map((panel) => {
      const icons = placedOf(state, panel).map(({ id }) => ({ category: id, x: state.icons[id][0], y: state.icons[id][1] }));
      return { super: panel.super, present: icons.length > 0, icons };
    }),
  };
}
