// Category labelling: eleven panels, one after the other; of each kind that is in the picture, an icon on one instance.
// Source: section 2.4.1 and appendix A of the thesis.

import { CanvasView } from "./canvas_view.js";
import { categoryIcon } from "./icon.js";
import { answerOf, bodyOf, found, nextOpen, placedOf, problemOf, withIcon, withNo, withoutIcon } from "./labelling_state.js";
import { makePins } from "./pins.js";
import { element, keycaps } from "./page.js";

/** @typedef {import("./types.js").LabellingTask} LabellingTask */
/** @typedef {import("./types.js").CategoryRef} CategoryRef */
/** @typedef {import("./types.js").Xy} Xy */
/** @typedef {import("./labelling_state.js").State} State */
/** @typedef {import("./types.js").Desk<State>} Desk */

const TYPING_MS = 1000; // letters that follow each other faster belong together

class Labelling {
  /** @param {Desk} desk */
  constructor(desk) {
    this.desk = desk;
    /** @type {LabellingTask} */
    this.task = desk.task;
    const { task } = this;
    this.front = Math.max(nextOpen(desk.state(), task.panels, -1), 0);
    /** In hand: to be put on the picture. @type {CategoryRef | null} */
    this.hand = null;
    this.letters = "";
    this.typedAt = 0;

    this.steps = task.panels.map((panel, at) =>
      element(
        "button",
        { type: "button", class: "step", title: panel.super, onclick: () => this.open(at) },
        categoryIcon({ name: panel.super, icon: panel.icon || panel.categories[0]?.icon }, 26),
        element("span", { class: "sr" }),
      ),
    );
    this.progress = element("span", { class: "badge number" });
    desk.toolbar.append(element("span", { class: "steps", role: "group", "aria-label": "Panels" }, ...this.steps), this.progress);

    this.heading = element("h2", { class: "subject" });
    this.choices = element("div", { class: "choices", role: "group" });
    this.definition = element("p", { class: "hint definition", "aria-live": "polite" });
    this.no = element("button", { type: "button", onclick: () => this.sayNo() });
    this.next = element("button", { type: "button", onclick: () => this.goOn() });
    const panel = element("aside", { class: "guide panel-of-icons", "aria-label": "Icons" }, this.heading, element("p", {}, "Is any of these in the picture? Put its icon on one of them."), this.choices, this.definition, element("div", { class: "row" }, this.no, this.next));
    const area = element("div", { class: "area" });
    desk.root.append(element("div", { class: "beside" }, panel, area));

    this.view = new CanvasView({ ...desk, root: area }, task.image, {
      draw: (_context, view) => view === this.view.view && this.pins.place(view),
      press: ({ xy }) => this.pressed(xy),
      hover: (place) => this.pins.ghost(this.hand, place && place.xy),
    });
    this.pins = makePins(area, task, {
      toImage: (event) => this.placeOf(event),
      moved: (id, at) => this.put(this.categoryOf(id), at),
      taken: (id) => this.take(this.categoryOf(id)),
      removed: (id) => this.remove(id),
    });
    desk.keys(this.keys());
    this.open(this.front);
  }

  /** @param {State} state */
  update(state) {
    const { panels } = this.task;
    const words = { yes: "yes", no: "no", open: "not answered" };
    this.steps.forEach((step, at) => {
      const answer = answerOf(state, panels[at]);
      step.dataset.answer = answer;
      step.setAttribute("aria-current", at === this.front ? "step" : "false");
      const text = /** @type {HTMLElement} */ (step.querySelector(".sr"));
      text.textContent = `${panels[at].super}: ${words[answer]}`;
    });
    const answered = panels.filter((panel) => answerOf(state, panel) !== "open").length;
    this.progress.textContent = `${answered} of ${panels.length} answered`;
    this.showPanel();
    this.pins.show(state.icons, new Set(panels[this.front].categories.map(({ id }) => id)));
    this.view.redraw();
  }

  destroy() {
    this.pins.destroy();
    this.view.destroy();
  }

  // --- the panel in front ------------------------------------------------------------------------------------

  /** @param {number} at */
  open(at) {
    this.front = at;
    this.drop();
    this.update(this.desk.state());
    this.view.canvas.focus({ preventScroll: true });
  }

  showPanel() {
    const state = this.desk.state();
    const panel = this.task.panels[this.front];
    const answer = answerOf(state, panel);
    const icon = categoryIcon({ name: panel.super, icon: panel.icon || panel.categories[0]?.icon }, 32);
    this.heading.replaceChildren(icon, panel.super);
    this.choices.setAttribute("aria-label", panel.super);
    this.choices.replaceChildren(...panel.categories.map((category) => this.choiceOf(category, Boolean(state.icons[category.id]))));
    this.no.replaceChildren(answer === "yes" ? "No, none of it" : "No", ...(answer === "open" ? [" ", keycaps("Enter")] : []));
    this.no.setAttribute("aria-pressed", String(answer === "no"));
    this.next.hidden = answer === "open";
    this.next.replaceChildren("Next", " ", keycaps("Enter"));
    this.define(this.hand);
  }

  /** @param {CategoryRef} category @param {boolean} placed */
  choiceOf(category, placed) {
    const button = element(
      "button",
      {
        type: "button",
        class: "choice",
        title: category.definition,
        "aria-pressed": String(this.hand?.id === category.id),
        "data-category": category.id,
        "data-placed": placed ? "yes" : null,
        onclick: () => this.take(category),
        onfocus: () => this.define(category),
        onpointerenter: () => this.define(category),
        onpointerleave: () => this.define(this.hand),
        onpointerdown: (/** @type {PointerEvent} */ event) => this.pins.drag(event, category, (at) => this.put(category, at)),
      },
      categoryIcon(category, 32),
      element("span", {}, category.name, placed && element("span", { class: "sr" }, ", on the picture")),
    );
    return button;
  }

  /** @param {CategoryRef | null} category */
  define(category) {
    const hint = "Drag an icon, click it, or type its first letters. One icon for each kind is enough.";
    this.definition.textContent = category ? [category.name, category.definition].filter(Boolean).join(": ") : hint;
  }

  sayNo() {
    const panel = this.task.panels[this.front];
    this.desk.change(withNo(this.desk.state(), panel), `no ${panel.super}`);
    this.goOn();
  }

  /** Done with this panel. Where no icon lies, that says no. */
  goOn() {
    const { panels } = this.task;
    if (answerOf(this.desk.state(), panels[this.front]) === "open") return this.sayNo();
    const next = nextOpen(this.desk.state(), panels, this.front);
    if (next < 0) {
      this.drop();
      this.desk.say("All panels are answered: hand it in with Ctrl Enter.");
      this.update(this.desk.state());
      this.view.canvas.focus({ preventScroll: true });
    } else this.open(next);
  }

  // --- an icon in hand ---------------------------------------------------------------------------------------

  /** @param {CategoryRef} category */
  take(category) {
    this.hand = category;
    const at = this.task.panels.findIndex(({ categories }) => categories.some(({ id }) => id === category.id));
    if (at !== this.front) this.front = at;
    this.update(this.desk.state());
    this.desk.say(`Put ${category.name} on one of them: click, or move with the arrow keys and press Enter.`);
    this.view.canvas.focus({ preventScroll: true });
  }

  drop() {
    this.hand = null;
    this.letters = "";
    this.pins.ghost(null, null);
    this.desk.say("");
  }

  /** @param {Xy} at */
  pressed(at) {
    if (this.hand) this.put(this.hand, at);
    else this.desk.say("Choose an icon first: drag it here, click it, or type its name.", "warning");
  }

  /** @param {CategoryRef} category @param {Xy} at */
  put(category, at) {
    const panel = this.task.panels.find(({ categories }) => categories.some(({ id }) => id === category.id));
    if (!panel) return;
    this.drop();
    this.desk.change(withIcon(this.desk.state(), panel, category.id, at), `icon ${category.id}`);
    this.update(this.desk.state());
    this.view.canvas.focus({ preventScroll: true });
  }

  /** @param {number} id */
  remove(id) {
    this.drop();
    this.desk.change(withoutIcon(this.desk.state(), id), `no icon ${id}`);
    this.update(this.desk.state());
    this.view.canvas.focus({ preventScroll: true });
  }

  // --- keys ----------------------------------------------------------------------------------------------------

  /** @returns {Record<string, (event: KeyboardEvent) => void>} */
  keys() {
    const { panels } = this.task;
    const letters = new Set(panels.flatMap(({ categories }) => categories.flatMap(({ name }) => [...name.toLocaleLowerCase()])));
    const typed = [...letters].filter((letter) => letter.trim()).map((letter) => [letter, (/** @type {KeyboardEvent} */ event) => this.type(letter, event.timeStamp)]);
    const canvas = this.view.keys();
    /** @type {[string, number, number][]} */
    const arrows = [["ArrowLeft", 0, -1], ["ArrowRight", 0, 1], ["ArrowUp", -1, 0], ["ArrowDown", 1, 0]];
    const steered = arrows.map(([key, row, step]) => [key, (/** @type {KeyboardEvent} */ event) => this.arrow(event, canvas[key], row, step)]);
    const remove = () => this.removeByKey();
    return {
      ...canvas,
      m: () => {},
      ...Object.fromEntries(typed),
      ...Object.fromEntries(steered),
      "Ctrl+M": () => void this.view.magnify(),
      Space: () => this.enter(false),
      Enter: () => this.enter(true),
      Escape: () => {
        this.drop();
        this.update(this.desk.state());
      },
      Delete: remove,
      Backspace: remove,
    };
  }

  /** @param {KeyboardEvent} event @param {(event: KeyboardEvent) => void} move @param {number} row @param {number} step */
  arrow(event, move, row, step) {
    if (this.hand) return move(event);
    const { panels } = this.task;
    if (step) return this.open((this.front + step + panels.length) % panels.length);
    const choices = /** @type {HTMLElement[]} */ ([...this.choices.children]);
    const at = choices.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    choices[(at + row + choices.length + (at < 0 && row < 0 ? 1 : 0)) % choices.length]?.focus();
  }

  /** @param {boolean} goesOn */
  enter(goesOn) {
    if (this.hand) this.put(this.hand, this.view.cursor);
    else if (goesOn) this.goOn();
  }

  /** @param {string} letter @param {number} at ms */
  type(letter, at) {
    const longer = at - this.typedAt < TYPING_MS ? this.letters + letter : letter;
    const match = found(this.task.panels, this.front, longer);
    this.typedAt = at;
    if (!match) return this.desk.say(`No icon begins with “${longer}”.`, "warning");
    this.take(match.category);
    this.letters = longer;
    this.view.moveTo(this.desk.state().icons[match.category.id] ?? this.view.cursor);
  }

  removeByKey() {
    const icons = this.desk.state().icons;
    const inFront = placedOf(this.desk.state(), this.task.panels[this.front]).map(({ id }) => id);
    const id = this.hand ? this.hand.id : (this.pins.focused() ?? inFront.at(-1));
    if (id !== undefined && icons[id]) this.remove(id);
    else if (this.hand) {
      this.drop();
      this.update(this.desk.state());
    }
  }

  /** @param {number} id */
  categoryOf(id) {
    return /** @type {CategoryRef} */ (this.task.panels.flatMap(({ categories }) => categories).find((one) => one.id === id));
  }

  /** Where a pointer is in the image; null outside. @param {PointerEvent} event @returns {Xy | null} */
  placeOf(event) {
    const { left, top } = this.view.canvas.getBoundingClientRect();
    const { scale, x, y } = this.view.view;
    const at = /** @type {Xy} */ ([(event.clientX - left - x) / scale, (event.clientY - top - y) / scale]);
    const [ix, iy] = this.view.clamp(at);
    return Math.hypot(ix - at[0], iy - at[1]) * scale <= 4 ? [ix, iy] : null;
  }
}

/** @type {import("./types.js").Screen<State>} */
export const screen = {
  stage: "labelling",
  title: "Category labelling",
  help: [
    { keys: "a … z", does: "take an icon by the first letters of its name, of any panel" },
    { keys: "← ↑ → ↓", does: "with an icon in hand: move; with Shift far, with Ctrl by a pixel" },
    { keys: "Enter", does: "put the icon down; with none in hand: done with this panel (no, if it has no icon)" },
    { keys: "← →", does: "with none in hand: the panel before, the next" },
    { keys: "↑ ↓", does: "with none in hand: go through the icons; Enter takes one" },
    { keys: "Escape", does: "put the icon back" },
    { keys: "Delete", does: "take an icon off the picture: the one in hand, else the last of the panel" },
    { keys: "+ −", does: "zoom; the wheel too" },
    { keys: "0", does: "all of the picture; drag with the right button to pan" },
    { keys: "Ctrl M", does: "magnifier" },
  ],
  start: () => ({ no: {}, icons: {} }),
  mount: (desk) => new Labelling(desk),
  problem: (state, task) => problemOf(state, task.panels),
  body: (state, task) => bodyOf(state, task.panels),
};
