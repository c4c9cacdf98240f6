// Verification: a grid of masks, in which the poor ones are marked. Every mask is shown in the part of its image around
// it, with its outline. Source: section 2.4.3 of the thesis.

import { GRID_HELP, lookAgainText, makeGrid } from "./grid.js";
import { makeGuide } from "./guide.js";
import { categoryIcon } from "./icon.js";
import { drawCrop, variantFor } from "./mask_crop.js";
import { drawnExamples } from "./mask_examples.js";
import { element, keycaps } from "./page.js";
import { subject } from "./subject.js";

/** @typedef {import("./types.js").VerificationTask} VerificationTask */
/** @typedef {import("./types.js").GridMask} GridMask */
/** @typedef {{bad: Record<string, true>}} State by position */
/** @typedef {import("./types.js").Desk<State>} Desk */

/**
 * @param {State} state
 * @param {number} index
 * @returns {State}
 */
export function toggled(state, index) {
  const { [index]: was, ...bad } = state.bad;
  return { bad: was ? bad : { ...bad, [index]: true } };
}

/**
 * What the masks of a grid are, if all are the same.
 * @param {GridMask[]} items
 */
export function commonCategory(items) {
  return items.every(({ category }) => category.id === items[0].category.id) ? (items[0]?.category ?? null) : null;
}

/** @param {GridMask} item */
function nameOf({ category, region }) {
  return region ? `many: ${category.name}` : category.name;
}

/** @param {Desk} desk */
function mount(desk) {
  /** @type {GridMask[]} */
  const items = desk.task.items;
  const area = element("div", { class: "area" });
  const { aside, button } = guide();
  desk.root.append(element("div", { class: "beside" }, aside, area));
  let outline = true;

  /** @param {number} index @param {HTMLCanvasElement} canvas @param {number} side CSS pixels */
  async function draw(index, canvas, side) {
    const item = items[index];
    const pixels = Math.round(side * devicePixelRatio);
    canvas.dataset.wanted = String(pixels);
    if (!canvas.dataset.drawn) canvas.width = canvas.height = pixels;
    try {
      const picture = await desk.pictures(item.image.id, variantFor(item.image, item.crop_xywh, pixels));
      if (canvas.dataset.wanted !== String(pixels)) return; // another size is wanted meanwhile
      canvas.width = canvas.height = pixels; // what was drawn before stays until then
      drawCrop(canvas, picture, item, outline);
      canvas.dataset.drawn = String(pixels);
    } catch {
      canvas.dataset.drawn = "failed";
    }
  }

  const grid = makeGrid({
    root: area,
    name: "verification",
    label: "Masks",
    count: items.length,
    fill(index, tile) {
      let canvas = tile.querySelector("canvas");
      if (!canvas) {
        canvas = element("canvas", {});
        const { category } = items[index];
        tile.prepend(canvas, element("span", { class: "name" }, categoryIcon(category, 16), nameOf(items[index])));
      }
      void draw(index, canvas, tile.clientWidth);
    },
    act: (index) => desk.change(toggled(desk.state(), index), `mark ${index}`),
    peek(index, room) {
      const canvas = element("canvas", {});
      const bad = desk.state().bad[index];
      const name = element("span", { class: "subject" }, categoryIcon(items[index].category), nameOf(items[index]));
      room.append(canvas, element("p", { class: "caption" }, name, `${index + 1} of ${items.length}`, bad && element("span", { class: "badge bad" }, "Poor")));
      void draw(index, canvas, Math.min(room.clientWidth, room.clientHeight - 60));
    },
  });

  const lines = element("button", { type: "button", "aria-pressed": "true", title: "Show or hide the outlines", onclick: showLines }, "Outline", keycaps("o"));
  function showLines() {
    outline = !outline;
    lines.setAttribute("aria-pressed", String(outline));
    for (const tile of grid.tiles) {
      const canvas = tile.querySelector("canvas");
      if (canvas) void draw(Number(tile.dataset.index), canvas, tile.clientWidth);
    }
    grid.redraw();
  }

  const common = commonCategory(items);
  const count = element("span", { class: "badge number" });
  desk.toolbar.append(
    element("span", { class: "subject" }, "Mark the poor masks"),
    ...(common ? [subject(common)] : []),
    count,
    element("span", { class: "grow" }),
    element("button", { type: "button", title: "Mark the current mask, or take the mark off", onclick: () => desk.change(toggled(desk.state(), grid.current()), "mark") }, "Poor", keycaps("1")),
    lines,
    element("span", { class: "gap" }),
    grid.sizes,
    button,
  );
  const mark = () => desk.change(toggled(desk.state(), grid.current()), `mark ${grid.current()}`);
  desk.keys({ ...grid.keys, 1: mark, x: mark, o: showLines });

  return {
    /** @param {State} state */
    update({ bad }) {
      grid.tiles.forEach((tile, index) => {
        const is = Boolean(bad[index]);
        tile.setAttribute("aria-pressed", String(is));
        tile.setAttribute("aria-label", `Mask ${index + 1}, ${nameOf(items[index])}${is ? ": poor" : ""}`);
        const shown = tile.querySelector(".mark");
        if (!is) shown?.remove();
        else if (!shown) tile.append(element("span", { class: "mark" }, "Poor"));
      });
      count.textContent = `${Object.keys(bad).length} of ${items.length} marked`;
      grid.redraw();
    },
    destroy: grid.destroy,
  };
}

function guide() {
  const [good, coarse, missing, wrong, region] = drawnExamples();
  return makeGuide("Is every mask well drawn?", "Mark the poor ones and leave the good ones alone. Small flaws of a line's width are no reason.", [
    { name: "Good", what: "The outline follows the thing: all of it that can be seen, and nothing else.", pictures: [good] },
    { name: "Poor: coarse or shifted", what: "Corners are cut off, or the outline lies beside the edge.", pictures: [coarse] },
    { name: "Poor: a part is missing", what: "Or something that does not belong to it is in: a second thing, a shadow, what lies in front.", pictures: [missing] },
    { name: "Poor: the wrong thing", what: "What is outlined is not what the name says.", pictures: [wrong] },
    { name: "Many things in one region", what: "“many” says that one outline goes around a whole crowd. Good if the things are in it and little else is; it is no flaw that they are not apart.", pictures: [region] },
  ]);
}

/** @type {import("./types.js").Screen<State>} */
export const screen = {
  stage: "verification",
  title: "Verification",
  help: [
    { keys: "Enter", does: "poor, or good again; as a click does (also 1 or x)" },
    { keys: "o", does: "show or hide the outlines" },
    ...GRID_HELP,
  ],
  start: () => ({ bad: {} }),
  mount,
  problem: () => null,
  body: ({ bad }) => ({ bad: Object.keys(bad).map(Number) }),
  reply(receipt, desk) {
    if (receipt.status !== "look_again") return false;
    desk.say(lookAgainText(receipt), "warning");
    return true;
  },
};
