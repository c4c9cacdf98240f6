// The image filter: a grid of photographs, in which those are marked that should not be in the collection.

import { examples } from "./examples.js";
import { GRID_HELP, lookAgainText, makeGrid } from "./grid.js";
import { makeGuide } from "./guide.js";
import { element, keycaps } from "./page.js";

/** @typedef {import("./types.js").FilterTask} FilterTask */
/** @typedef {"iconic_object" | "iconic_scene" | "invalid"} Reason */
/** @typedef {{marks: Record<string, Reason>}} State reasons by position */
/** @typedef {import("./types.js").Desk<State>} Desk */

/** @type {{reason: Reason, name: string, what: string}[]} in the order of their keys */
export const REASONS = [
  { reason: "iconic_object", name: "Iconic object", what: "One thing, alone and in the middle, as in a catalogue or a dictionary." },
  { reason: "iconic_scene", name: "Iconic scene", what: "A place shown for itself, as on a postcard or in an advert: nobody is doing anything, nothing is in use." },
  { reason: "invalid", name: "Invalid", what: "No photograph of the world: a drawing, a rendering, a collage, an advert, text, or too blurred or dark to tell." },
];
const KEEP = "Things among other things, in use, partly hidden, small, untidy, people doing something: what life looks like. It need not be a good photograph.";

/**
 * The mark that follows at a click.
 * @param {Reason | undefined} reason
 * @returns {Reason | undefined}
 */
export function cycled(reason) {
  return REASONS[REASONS.findIndex((one) => one.reason === reason) + 1]?.reason;
}

/**
 * @param {State} state
 * @param {number} index
 * @param {Reason | undefined} reason
 * @returns {State}
 */
export function marked(state, index, reason) {
  const { [index]: _, ...marks } = state.marks;
  return { marks: reason ? { ...marks, [index]: reason } : marks };
}

/** @param {Reason | undefined} reason */
const nameOf = (reason) => REASONS.find((one) => one.reason === reason)?.name ?? "";

/** @param {Desk} desk */
function mount(desk) {
  /** @type {FilterTask} */
  const { items } = desk.task;
  const area = element("div", { class: "area" });
  const { aside, button } = guide();
  desk.root.append(element("div", { class: "beside" }, aside, area));
  const grid = makeGrid({
    root: area,
    name: "image_filter",
    label: "Photographs",
    count: items.length,
    fill(index, tile) {
      if (tile.querySelector("img")) return;
      tile.prepend(element("img", { alt: "", src: desk.address(items[index].id, "256"), decoding: "async", draggable: "false" }));
    },
    act: (index) => set(index, cycled(desk.state().marks[index])),
    peek(index, room) {
      const reason = desk.state().marks[index];
      const image = element("img", { alt: "", src: desk.address(items[index].id, "256") });
      desk.pictures(items[index].id, "1024").then((large) => (image.src = large.src), () => {});
      room.append(image, element("p", { class: "caption" }, `${index + 1} of ${items.length}`, reason && element("span", { class: "badge bad" }, nameOf(reason))));
    },
  });
  /** @param {number} index @param {Reason | undefined} reason */
  function set(index, reason) {
    if (desk.state().marks[index] === reason) return;
    desk.change(marked(desk.state(), index, reason), `mark ${index}`);
  }
  const count = element("span", { class: "badge number" });
  desk.toolbar.append(
    element("span", { class: "subject" }, "Mark what should go"),
    count,
    element("span", { class: "grow" }),
    ...REASONS.map(({ reason, name }, at) =>
      element("button", { type: "button", title: `Mark the current picture: ${name}`, onclick: () => set(grid.current(), reason) }, name, keycaps(String(at + 1))),
    ),
    element("button", { type: "button", title: "Take the mark off", onclick: () => set(grid.current(), undefined) }, "Keep", keycaps("0")),
    element("span", { class: "gap" }),
    grid.sizes,
    button,
  );
  const direct = REASONS.map(({ reason }, at) => [String(at + 1), () => set(grid.current(), reason)]);
  const none = () => set(grid.current(), undefined);
  desk.keys({ ...grid.keys, ...Object.fromEntries(direct), 0: none, Backspace: none, Delete: none });

  return {
    /** @param {State} state */
    update({ marks }) {
      grid.tiles.forEach((tile, index) => {
        const name = nameOf(marks[index]);
        tile.setAttribute("aria-pressed", String(name !== ""));
        tile.setAttribute("aria-label", `Photograph ${index + 1}${name && `: ${name}`}`);
        const shown = tile.querySelector(".mark");
        if (!name) shown?.remove();
        else if (shown) shown.textContent = name;
        else tile.append(element("span", { class: "mark" }, name));
      });
      count.textContent = `${Object.keys(marks).length} of ${items.length} marked`;
      grid.redraw();
    },
    destroy: grid.destroy,
  };
}

function guide() {
  const keep = { reason: /** @type {const} */ ("keep"), name: "Keep", what: KEEP };
  return makeGuide(
    "Which of these should go?",
    "We collect photographs of things amid their surroundings. Mark those that are not; leave all others alone. In doubt, keep.",
    [...REASONS, keep].map(({ reason, name, what }, at) => ({ name, what, keys: String((at + 1) % 4), pictures: examples(reason) })),
  );
}

/** @type {import("./types.js").Screen<State>} */
export const screen = {
  stage: "image_filter",
  title: "Image filter",
  help: [
    { keys: "1", does: "iconic object" },
    { keys: "2", does: "iconic scene" },
    { keys: "3", does: "invalid" },
    { keys: "0", does: "keep: take the mark off" },
    { keys: "Enter", does: "the next mark, as a click does" },
    ...GRID_HELP,
  ],
  start: () => ({ marks: {} }),
  mount,
  problem: () => null,
  body: ({ marks }) => ({ removed: Object.entries(marks).map(([item, reason]) => ({ item: Number(item), reason })) }),
  reply(receipt, desk) {
    if (receipt.status !== "look_again") return false;
    desk.say(lookAgainText(receipt), "warning");
    return true;
  },
};
