// Instance segmentation, and its training: the outline of the one instance at the marked place.
// Source: section 2.4.3 and appendix A of the thesis.

import { CanvasView, outlined } from "./canvas_view.js";
import { simplify } from "./geometry.js";
import { outlineGuide } from "./guide_outline.js";
import { MaskLayer } from "./mask_layer.js";
import { OutlineTool, drawOutlines } from "./outline_tool.js";
import { element, keycaps, openDialog } from "./page.js";
import { contours } from "./rle.js";
import { subject } from "./subject.js";
import { errorsOf, resultPanel } from "./training_overlay.js";
import { toScreen } from "./viewport.js";

/** @typedef {import("./types.js").Xy} Xy */
/** @typedef {import("./types.js").Part} Part */
/** @typedef {import("./types.js").Desk<State>} Desk */
/** @typedef {{kind: string, parts: Part[], draft: Xy[], hole: boolean, offTarget: boolean}} State */

const OTHERS = [
  { kind: "no_such_object", key: "1", text: "Nothing of it here", title: "There is nothing of this category in the picture" },
  { kind: "all_done", key: "2", text: "All outlined", title: "The outlines shown are all there is" },
  { kind: "not_here", key: "3", text: "Not at this place", title: "There are more, but none at the marked place" },
  { kind: "cannot_tell", key: "4", text: "Cannot tell", title: "It cannot be made out" },
];
const SUGGESTED_PX = 0.8; // how far an outline made of a suggested mask may lie from it

/** @type {import("./types.js").Screen<State>} */
export const screen = {
  stage: "segmentation",
  title: "Instance segmentation",
  help: [
    { keys: "Space", does: "put a vertex; on a vertex or line of a closed outline: pick it up, and let it go" },
    { keys: "Enter", does: "close the outline" },
    { keys: "← ↑ → ↓", does: "move the cursor; with Shift far, with Ctrl by a pixel" },
    { keys: "Tab", does: "go to the next vertex" },
    { keys: "Delete", does: "delete the vertex at the cursor, else the last one; Alt and a click too" },
    { keys: "x", does: "delete the nearest outline" },
    { keys: "Escape", does: "drop what is in hand" },
    { keys: "h", does: "the next outline is a hole" },
    { keys: "s", does: "snap to borders; Ctrl while clicking holds it off" },
    { keys: "m", does: "magnifier" },
    { keys: "z", does: "zoom to the marked place; 0 shows all" },
    { keys: "+ −", does: "zoom, up to 16 times; the wheel too" },
    { keys: "a", does: "suggest an outline at the cursor, where the server can" },
    ...OTHERS.map(({ key, text }) => ({ keys: key, does: text.toLowerCase() })),
  ],
  start: () => ({ kind: "mask", parts: [], draft: [], hole: false, offTarget: false }),
  mount: (desk) => new Segmentation(desk),
  problem(state, task) {
    if (state.kind !== "mask") return null;
    if (state.draft.length > 0) return "Close the outline first (Enter), or drop it (Escape).";
    if (state.parts.every(({ hole }) => hole)) return `Draw the ${task.category.name} at the marked place, or choose another answer.`;
    return null;
  },
  body: (state) => (state.kind === "mask" ? { kind: "mask", parts: state.parts, off_target: state.offTarget } : { kind: state.kind }),
  reply: (receipt, desk) => (receipt.training ? (shown.get(desk)?.judge(receipt.training), true) : false),
  refused(rule, _, desk) {
    if (rule === "off-target") void confirmTarget(desk);
    else if (rule === "self-crossing") desk.say("The outline crosses itself at the red ring: move a vertex there.", "error");
    else return false;
    return true;
  },
};

/** @type {WeakMap<Desk, Segmentation>} */
const shown = new WeakMap();

/** The outline does not hold the marked place. @param {Desk} desk */
async function confirmTarget(desk) {
  const { answer } = openDialog("Is this the right one?", [element("p", {}, "Your outline does not hold the marked place.")], [
    { value: "", text: "Back to the outline" },
    { value: "yes", text: "It is right", kind: "primary" },
  ]);
  if ((await answer) !== "yes") return;
  desk.change({ ...desk.state(), offTarget: true }, "confirm the place");
  desk.submit();
}

class Segmentation {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {import("./types.js").SegmentationTask | import("./types.js").TrainingTask} */
    const task = (this.task = desk.task);
    /** @type {HTMLCanvasElement | null} */
    this.errors = null;
    /** Suggestions of the last click, best first, and which is shown. @type {{masks: import("./types.js").Rle[], at: number, cursor: Xy} | null} */
    this.suggested = null;
    this.masks = new MaskLayer(task.masks, "#32d7ff", "#32d7ff33");
    this.tool = new OutlineTool(
      {
        read: () => desk.state(),
        write: (next, label) => desk.change({ ...desk.state(), kind: "mask", offTarget: false, ...next }, label),
        scale: () => this.view.view.scale,
        say: (text, kind) => desk.say(text, kind),
        redraw: () => this.view.redraw(),
      },
      this.masks.loops,
    );
    this.hole = this.button("Hole", "h", () => this.toggleHole(), "The next outline is a hole");
    this.snap = this.button("Snap", "s", () => this.toggleSnap(), "Vertices go to borders that are near");
    this.lens = this.button("Magnifier", "m", () => this.magnify());
    this.others = OTHERS.map(({ kind, key, text, title }) => ({ kind, button: this.button(text, key, () => this.answer(kind), title) }));
    this.guide = outlineGuide(task.category.name);
    desk.say(`Outline the ${task.category.name} at the ring.`); // also where the guide is put away
    this.addTools();
    const area = element("div", { class: "area" });
    desk.root.append(element("div", { class: "beside" }, this.guide.aside, area));
    this.view = new CanvasView({ ...desk, root: area }, task.image, {
      draw: (context, view) => this.draw(context, view),
      press: (place) => this.errors || this.tool.press(place),
      drag: (place) => this.tool.drag(place),
      release: (place) => this.tool.release(place),
      double: () => this.errors || this.tool.close(),
      hover: (place) => this.hover(place),
    });
    this.view.cursor = [...task.target_xy];
    desk.keys(this.keys());
    this.view.canvas.focus({ preventScroll: true });
    shown.set(desk, this);
  }

  /** @param {string} text @param {string} key @param {() => void} onclick */
  button(text, key, onclick, title = "") {
    return element("button", { type: "button", title, onclick }, text, keycaps(key));
  }

  addTools() {
    const { desk, task } = this;
    const training = task.type === "training";
    desk.toolbar.append(
      subject(task.category),
      training ? element("span", { class: "badge accent" }, `Training: ${task.passed} of ${task.needed} passed, ${task.tries_left} tries left`) : "",
      this.button("Close outline", "Enter", () => this.tool.close()),
      this.hole,
      this.snap,
      this.lens,
      desk.assist ? this.button("Suggest", "a", () => void this.assist(), "An outline at the cursor, made by the server") : "",
      element("span", { class: "grow" }),
      this.guide.button,
      training ? "" : element("div", { class: "answers-without" }, ...this.others.map(({ button: one }) => one)),
    );
    this.snap.setAttribute("aria-pressed", "true");
  }

  /** @returns {Record<string, (event: KeyboardEvent) => void>} */
  keys() {
    const { tool, view, task } = this;
    const training = task.type === "training";
    return {
      ...view.keys(),
      Enter: () => tool.close(),
      Escape: () => tool.cancel(),
      Delete: () => tool.deleteAt(view.cursor),
      Backspace: () => tool.deleteAt(view.cursor),
      x: () => tool.deletePart(view.cursor),
      Tab: () => this.choose(1),
      "Shift+Tab": () => this.choose(-1),
      h: () => this.toggleHole(),
      s: () => this.toggleSnap(),
      m: () => this.magnify(),
      z: () => this.lookAtTarget(),
      ...(this.desk.assist ? { a: () => void this.assist() } : {}),
      ...(training ? {} : Object.fromEntries(OTHERS.map(({ kind, key }) => [key, () => this.answer(kind)]))),
    };
  }

  /** @param {State} state */
  update(state) {
    if (this.tool.inHand && !this.tool.carried) this.tool.inHand = null;
    this.hole.setAttribute("aria-pressed", String(state.hole));
    for (const { kind, button } of this.others) button.setAttribute("aria-pressed", String(state.kind === kind));
    this.view.redraw();
  }

  destroy() {
    this.view.destroy();
  }

  // --- tools -------------------------------------------------------------------------------------------------

  /** @param {import("./canvas_view.js").Place | null} place */
  hover(place) {
    if (place?.byKey && this.tool.carried) this.tool.drag(place);
    if (this.desk.state().draft.length > 0) this.view.redraw();
  }

  /** @param {number} step */
  choose(step) {
    const xy = this.tool.choose(step);
    this.view.moveTo(xy ?? this.task.target_xy);
  }

  toggleHole() {
    const state = this.desk.state();
    this.desk.change({ ...state, hole: !state.hole }, "hole");
  }

  toggleSnap() {
    this.tool.snapping = !this.tool.snapping;
    this.snap.setAttribute("aria-pressed", String(this.tool.snapping));
  }

  magnify() {
    this.lens.setAttribute("aria-pressed", String(this.view.magnify()));
  }

  lookAtTarget() {
    this.view.lookAt(this.task.target_xy, 8);
    this.view.moveTo(this.task.target_xy);
  }

  /** One of the answers without an outline; pressed again it is taken back. @param {string} kind */
  answer(kind) {
    const state = this.desk.state();
    this.desk.change({ ...state, kind: state.kind === kind ? "mask" : kind }, "another answer");
  }

  /** The server's suggestion at the cursor; again at the same place, its next one. */
  async assist() {
    const { cursor } = this.view;
    if (!this.desk.assist) return;
    const same = this.suggested && this.suggested.cursor[0] === cursor[0] && this.suggested.cursor[1] === cursor[1];
    if (this.suggested && same) this.suggested.at = (this.suggested.at + 1) % this.suggested.masks.length;
    else {
      try {
        const masks = await this.desk.assist([cursor], []);
        this.suggested = masks.length > 0 ? { masks, at: 0, cursor: [...cursor] } : null;
      } catch (error) {
        return this.desk.say(error instanceof Error ? error.message : String(error), "warning");
      }
    }
    if (!this.suggested) return this.desk.say("Nothing was found there.", "warning");
    const loops = contours(this.suggested.masks[this.suggested.at]);
    const parts = loops.map((loop) => simplify(loop, SUGGESTED_PX)).filter((loop) => loop.length >= 3).map((points) => ({ points, hole: false }));
    this.desk.change({ ...this.desk.state(), kind: "mask", parts, draft: [], offTarget: false }, "assist");
    this.desk.say("Suggested; correct it where it is wrong.");
  }

  // --- training ----------------------------------------------------------------------------------------------

  /** The reply to a try: its errors, until the worker goes on. @param {import("./types.js").TrainingResult} result */
  judge(result) {
    const { desk, task } = this;
    if (task.type !== "training") return;
    this.errors = errorsOf(desk.state().parts, result.truth);
    desk.root.append(resultPanel(result, task, () => desk.next()));
    desk.root.dataset.result = result.passed ? "passed" : "failed";
    desk.keys({ ...this.view.keys(), Enter: () => desk.next(), Space: () => desk.next() });
    this.view.magnify(false);
    this.view.redraw();
  }

  // --- drawing -----------------------------------------------------------------------------------------------

  /** @param {CanvasRenderingContext2D} context @param {import("./viewport.js").Viewport} view */
  draw(context, view) {
    this.masks.draw(context, view);
    if (this.errors) {
      context.imageSmoothingEnabled = false;
      context.drawImage(this.errors, view.x, view.y, this.task.image.width * view.scale, this.task.image.height * view.scale);
      return;
    }
    if (this.desk.state().kind === "mask") drawOutlines(context, view, this.tool, this.view.cursor);
    const [x, y] = toScreen(view, this.task.target_xy);
    outlined(context, 2, () => {
      context.beginPath();
      context.arc(x, y, 9, 0, 2 * Math.PI);
      context.moveTo(x + 2, y);
      context.arc(x, y, 2, 0, 2 * Math.PI);
    }, "#ffd60a");
  }
}
