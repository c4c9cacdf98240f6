// A grid of tiles, one of them the current one: arrow keys and the pointer move it, Enter and a click act on it, Space
// or a long press shows it large. What a tile shows and what happens to it is the screen's.

import { element, keycaps } from "./page.js";
import { recall, remember } from "./settings.js";

/** @typedef {import("./types.js").Receipt} Receipt */
/** @typedef {import("./types.js").Help} Help */

const HOLD_MS = 450; // a press this long shows the tile, and a key this long closes what it opened
const TILE_PX = { smallest: 72, comfortable: 104, largest: 320 };

/** @type {Help[]} */
export const GRID_HELP = [
  { keys: "← ↑ ↓ →", does: "the next picture; Home and End, Page up and Page down" },
  { keys: "Space", does: "show it large: tap to keep it open, or hold" },
  { keys: "+", does: "larger pictures; - smaller ones" },
];

/**
 * Where a key leads.
 * @param {number} index
 * @param {string} key
 * @param {number} columns
 * @param {number} rows that are seen at once
 * @param {number} count
 */
export function moved(index, key, columns, rows, count) {
  const page = columns * Math.max(rows - 1, 1);
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -page, PageDown: page };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  const to = index + (steps[/** @type {keyof typeof steps} */ (key)] ?? 0);
  if (to >= 0 && to < count) return to;
  // within the column as far as it goes; the last row may be short
  if (key === "PageUp" || key === "PageDown") {
    const last = Math.floor((count - 1 - (index % columns)) / columns) * columns + (index % columns);
    return key === "PageUp" ? index % columns : last;
  }
  return index;
}

/**
 * The side of the largest tiles with which the whole grid is seen, or a comfortable one if they were too small.
 * @param {number} width of the room, pixels
 * @param {number} height
 * @param {number} count
 * @param {number} gap
 */
export function fitting(width, height, count, gap) {
  for (let columns = 1; columns <= count; columns += 1) {
    const side = Math.floor((width - (columns + 1) * gap) / columns);
    const rows = Math.ceil(count / columns);
    if (side < TILE_PX.comfortable) break;
    if (rows * (side + gap) + gap <= height) return Math.min(side, TILE_PX.largest);
  }
  return TILE_PX.comfortable;
}

/**
 * @typedef {object} Grid
 * @property {HTMLElement} element
 * @property {HTMLButtonElement[]} tiles
 * @property {() => number} current
 * @property {(index: number) => void} go
 * @property {() => void} redraw what is shown large, after a change
 * @property {Record<string, (event: KeyboardEvent) => void>} keys for the desk
 * @property {HTMLElement} sizes two buttons for the toolbar
 * @property {() => void} destroy
 */

/**
 * @param {object} options
 * @param {HTMLElement} options.root the room: it scrolls, and what is shown large lies over it
 * @param {string} options.name under which the size is remembered
 * @param {string} options.label
 * @param {number} options.count
 * @param {(index: number, tile: HTMLButtonElement) => void} options.fill when a tile comes near the screen, and when its size changes
 * @param {(index: number) => void} options.act
 * @param {(index: number, room: HTMLElement) => void} options.peek puts the large picture into the room
 * @returns {Grid}
 */
export function makeGrid({ root, name, label, count, fill, act, peek }) {
  const tiles = Array.from({ length: count }, (_, index) =>
    element("button", { type: "button", class: "tile", tabindex: index === 0 ? 0 : -1, "aria-pressed": "false", "data-index": index }),
  );
  const grid = element("div", { class: "tiles", role: "group", "aria-label": label }, ...tiles);
  const room = element("div", { class: "peek", hidden: true });
  const scroller = element("div", { class: "scroller" }, grid);
  root.append(scroller, room);
  let current = 0;
  let held = 0;
  let openedAt = 0;
  let swallow = false; // the click that ends a long press

  const columns = () => {
    const top = tiles[0]?.offsetTop;
    const second = tiles.findIndex((tile) => tile.offsetTop !== top);
    return second < 0 ? count : second;
  };
  const rows = () => Math.floor(scroller.clientHeight / (tiles[0].offsetHeight + 6));

  const near = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting || !(target instanceof HTMLButtonElement)) continue;
        near.unobserve(target);
        fill(Number(target.dataset.index), target);
      }
    },
    { root: scroller, rootMargin: "400px" },
  );

  /** @param {number} side */
  function resize(side) {
    grid.style.setProperty("--tile", `${side}px`);
    for (const tile of tiles) near.observe(tile);
  }
  const remembered = `tile-size/${name}`;
  const size = () => Number.parseInt(grid.style.getPropertyValue("--tile"), 10);
  /** @param {number} factor */
  function scale(factor) {
    const side = Math.round(Math.min(Math.max(size() * factor, TILE_PX.smallest), TILE_PX.largest));
    remember(remembered, String(side));
    resize(side);
    tiles[current]?.scrollIntoView({ block: "nearest" });
  }

  /** @param {number} index @param {boolean} [focus] */
  function go(index, focus = true) {
    const from = tiles[current];
    const to = tiles[index];
    if (!to) return;
    from.tabIndex = -1;
    from.classList.remove("current");
    current = index;
    to.tabIndex = 0;
    to.classList.add("current");
    if (focus) {
      to.focus({ preventScroll: true });
      to.scrollIntoView({ block: "nearest" });
    }
    redraw();
  }

  function redraw() {
    if (room.hidden) return;
    room.replaceChildren();
    peek(current, room);
  }
  function open() {
    room.hidden = false;
    redraw();
  }
  function close() {
    room.hidden = true;
    room.replaceChildren();
  }

  /** @param {KeyboardEvent} event */
  const space = (event) => {
    event.preventDefault();
    if (event.repeat) return;
    if (!room.hidden) return close();
    openedAt = event.timeStamp; // when it was pressed, however late a busy page hears of it
    open();
  };
  /** @param {KeyboardEvent} event */
  const released = (event) => {
    if (event.key !== " ") return;
    if (event.target instanceof HTMLButtonElement && grid.contains(event.target)) event.preventDefault();
    if (!room.hidden && event.timeStamp - openedAt > HOLD_MS) close();
  };
  document.addEventListener("keyup", released);

  grid.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === " ") space(event);
    if (event.key === "Enter") {
      event.preventDefault();
      act(current);
    }
  });
  grid.addEventListener("focusin", (event) => {
    const index = indexOf(event.target);
    if (index !== null && index !== current) go(index, false);
  });
  grid.addEventListener("pointermove", (event) => {
    const index = indexOf(event.target);
    if (event.pointerType !== "mouse" || index === null || index === current || (event.movementX === 0 && event.movementY === 0)) return;
    go(index, false);
    if (grid.contains(document.activeElement)) tiles[index].focus({ preventScroll: true });
  });
  grid.addEventListener("pointerdown", (event) => {
    const index = indexOf(event.target);
    swallow = false;
    if (index === null || event.button !== 0) return;
    clearTimeout(held);
    held = setTimeout(() => {
      go(index, false);
      swallow = true;
      open();
    }, HOLD_MS);
  });
  const letGo = () => {
    clearTimeout(held);
    if (swallow && !room.hidden) close();
  };
  for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, letGo);
  scroller.addEventListener("scroll", () => clearTimeout(held), { passive: true });
  grid.addEventListener("contextmenu", (event) => event.preventDefault());
  grid.addEventListener("click", (event) => {
    const index = indexOf(event.target);
    if (index === null || swallow) return;
    if (index !== current) go(index, false);
    act(index);
  });
  room.addEventListener("click", close);

  const chosen = Number(recall(remembered));
  const refit = () => resize(chosen || fitting(scroller.clientWidth, scroller.clientHeight, count, 6));
  const watch = new ResizeObserver(() => recall(remembered) || refit());
  watch.observe(scroller);
  refit();
  if (count > 0) go(0, document.activeElement === document.body);

  const move = (/** @type {KeyboardEvent} */ event) => go(moved(current, event.key, columns(), rows(), count));
  const arrows = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];
  const keys = {
    ...Object.fromEntries(arrows.map((key) => [key, move])),
    Space: space,
    Enter: () => act(current),
    Escape: close,
    "+": () => scale(1.2),
    "=": () => scale(1.2),
    "-": () => scale(1 / 1.2),
  };
  const sizes = element(
    "span",
    { class: "segments" },
    element("button", { type: "button", "aria-label": "Smaller pictures", onclick: () => scale(1 / 1.2) }, keycaps("-")),
    element("button", { type: "button", "aria-label": "Larger pictures", onclick: () => scale(1.2) }, keycaps("+")),
  );
  return {
    element: grid,
    tiles,
    current: () => current,
    go,
    redraw,
    keys,
    sizes,
    destroy() {
      near.disconnect();
      watch.disconnect();
      clearTimeout(held);
      document.removeEventListener("keyup", released);
      for (const kind of ["pointerup", "pointercancel"]) document.removeEventListener(kind, letGo);
    },
  };
}

/** @param {EventTarget | null} target */
function indexOf(target) {
  const tile = target instanceof Element ? target.closest(".tile") : null;
  return tile instanceof HTMLElement ? Number(tile.dataset.index) : null;
}

/**
 * What to say after a gate that was not met. It does not say which, nor which way.
 * @param {Receipt} receipt
 */
export function lookAgainText({ tries_left: tries }) {
  const left = tries === 1 ? "This is the last try" : `${tries} tries left`;
  return `Look again: the marks do not agree with what is known of some of these pictures. ${left}.`;
}
