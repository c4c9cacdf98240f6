// Icons that lie on a picture: each with its point on an instance, to be dragged, taken up and put away.

import { categoryIcon } from "./icon.js";
import { element } from "./page.js";

/** @typedef {import("./types.js").Xy} Xy */
/** @typedef {import("./types.js").CategoryRef} CategoryRef */
/** @typedef {import("./viewport.js").Viewport} Viewport */

const STARTS = 5; // CSS pixels after which a press is a drag

/**
 * @param {HTMLElement} area over the picture
 * @param {{panels: {categories: CategoryRef[]}[]}} task
 * @param {object} actions
 * @param {(event: PointerEvent) => Xy | null} actions.toImage null outside the picture
 * @param {(id: number, at: Xy) => void} actions.moved
 * @param {(id: number) => void} actions.taken by a click
 * @param {(id: number) => void} actions.removed dragged off the picture
 */
export function makePins(area, task, actions) {
  const layer = element("div", { class: "pins" });
  area.append(layer);
  /** @type {Map<number, {pin: HTMLElement, at: Xy}>} */
  const pins = new Map();
  const categories = task.panels.flatMap(({ categories: members }) => members);
  const shadow = element("span", { class: "pin ghost", hidden: true });
  layer.append(shadow);
  /** @type {CategoryRef | null} */
  let shadowOf = null;
  /** @type {Xy | null} */
  let shadowAt = null;
  /** @type {Viewport} */
  let view = { scale: 1, x: 0, y: 0 };
  /** @type {(() => void) | null} */
  let endDrag = null;

  /** @param {HTMLElement} pin @param {Xy} at */
  function put(pin, [x, y]) {
    pin.style.transform = `translate(${x * view.scale + view.x}px, ${y * view.scale + view.y}px)`;
  }

  /** @param {CategoryRef | null} category @param {Xy | null} at */
  function ghost(category, at) {
    if (category?.id !== shadowOf?.id) shadow.replaceChildren(...(category ? [categoryIcon(category, 26)] : []));
    shadowOf = category;
    shadowAt = at;
    shadow.hidden = !category || !at;
    if (at) put(shadow, at);
  }

  /**
   * Follows a press on an icon. A press that does not move is left to the click.
   * @param {PointerEvent} event
   * @param {CategoryRef} category
   * @param {(at: Xy) => void} dropped on the picture
   * @param {() => void} [outside] let go elsewhere
   */
  function drag(event, category, dropped, outside) {
    if (event.button !== 0) return;
    endDrag?.();
    const carried = element("span", { class: "pin carried" }, categoryIcon(category, 26));
    const from = [event.clientX, event.clientY];
    let dragging = false;
    /** @param {PointerEvent} to */
    const move = (to) => {
      if (to.pointerId !== event.pointerId) return;
      if (!dragging && Math.hypot(to.clientX - from[0], to.clientY - from[1]) < STARTS) return;
      if (!dragging) document.body.append(carried);
      dragging = true;
      carried.style.transform = `translate(${to.clientX}px, ${to.clientY}px)`;
      carried.classList.toggle("away", !actions.toImage(to));
    };
    /** @param {PointerEvent} to */
    const up = (to) => {
      if (to.pointerId !== event.pointerId) return;
      endDrag?.();
      if (!dragging || to.type === "pointercancel") return;
      // the click that follows a drag is none
      addEventListener("click", stop, { capture: true, once: true });
      setTimeout(() => removeEventListener("click", stop, { capture: true }));
      const at = actions.toImage(to);
      if (at) dropped(at);
      else outside?.();
    };
    endDrag = () => {
      carried.remove();
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", up);
      document.removeEventListener("pointercancel", up);
      endDrag = null;
    };
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", up);
    document.addEventListener("pointercancel", up);
  }

  /** @param {CategoryRef} category */
  function makePin(category) {
    const { id } = category;
    return element(
      "button",
      {
        type: "button",
        class: "pin",
        "data-category": id,
        title: `${category.name}: drag to move it, off the picture to take it away`,
        "aria-label": `${category.name} on the picture; Enter takes it up, Delete takes it away`,
        onclick: () => actions.taken(id),
        onpointerdown: (/** @type {PointerEvent} */ event) => drag(event, category, (at) => actions.moved(id, at), () => actions.removed(id)),
      },
      categoryIcon(category, 26),
    );
  }

  return {
    drag,
    ghost,
    /** @param {Record<string, Xy>} icons by category id @param {Set<number>} front whose panel is open */
    show(icons, front) {
      for (const [id, { pin }] of pins) {
        if (icons[id]) continue;
        pin.remove();
        pins.delete(id);
      }
      for (const category of categories) {
        const at = icons[category.id];
        if (!at) continue;
        const pin = pins.get(category.id)?.pin ?? makePin(category);
        if (!pin.isConnected) layer.append(pin);
        pin.classList.toggle("front", front.has(category.id));
        pins.set(category.id, { pin, at });
        put(pin, at);
      }
    },
    /** @param {Viewport} next */
    place(next) {
      view = next;
      for (const { pin, at } of pins.values()) put(pin, at);
      if (shadowAt) put(shadow, shadowAt);
    },
    /** The category of the pin in focus. */
    focused() {
      const id = document.activeElement instanceof HTMLElement && layer.contains(document.activeElement) ? document.activeElement.dataset.category : undefined;
      return id === undefined ? null : Number(id);
    },
    destroy() {
      endDrag?.();
      layer.remove();
    },
  };
}

/** @param {Event} event */
function stop(event) {
  event.stopPropagation();
  event.preventDefault();
}
