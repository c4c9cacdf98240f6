// Known items: what workers are trained and checked with. Made of masks that workers have decided, or of images.

import { around, tile } from "./answer_view.js";
import { ask } from "./api.js";
import { address, badge, choice, count, empty, notice, pages, stateBadge, turns } from "./manage_parts.js";
import { element, field } from "./page.js";

const SIZE = 30;
const VIEWS = { known: "Known items", accepted: "Add from accepted masks", discarded: "Add from discarded masks", images: "Add images" };

/** @param {HTMLElement} root */
export async function golds(root) {
  const panels = await ask("GET", "/api/categories");
  /** @type {[number, string][]} */
  const categories = panels.flatMap((/** @type {any} */ panel) => panel.categories).map((/** @type {any} */ one) => [one.id, one.name]);
  const context = { names: new Map(categories), categories, said: notice(), /** @type {Record<string, any>} */ media: {} };
  const place = element("div", { class: "form" });
  const buttons = element("div", { class: "segments", role: "group", "aria-label": "View" });
  const turn = turns();
  /** @param {string} view */
  async function show(view) {
    const isLast = turn();
    buttons.replaceChildren(...Object.entries(VIEWS).map(([name, text]) => element("button", { type: "button", "aria-pressed": String(name === view), onclick: () => show(name) }, text)));
    context.said.line.hidden = true;
    try {
      const made = { known, accepted: decided, discarded: decided, images }[view] ?? known;
      const found = await made(context, view);
      if (isLast()) place.replaceChildren(...found);
    } catch (error) {
      context.said.refuse(error);
    }
  }
  root.append(
    element("p", { class: "hint" }, "Workers never learn which items are known. Training masks open the gate of their category; known good and poor masks stand in the grids of verification; known images in those of the image filter."),
    element("div", {}, buttons),
    context.said.line,
    place,
  );
  await show("known");
}

/** @typedef {{names: Map<number, string>, categories: [number, string][], said: ReturnType<typeof notice>, media: Record<string, any>}} Context */

/**
 * A filter above a list that is drawn again when it changes.
 * @param {HTMLElement[]} fields
 * @param {(query: URLSearchParams) => Promise<Node>} draw
 */
async function filtered(fields, draw) {
  const form = element("form", { class: "row" }, ...fields);
  const list = element("div", {});
  const turn = turns();
  const again = async () => {
    const isLast = turn();
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value !== "") query.set(name, String(value));
    query.set("limit", String(SIZE));
    const drawn = await draw(query);
    if (isLast()) list.replaceChildren(drawn);
  };
  form.addEventListener("change", again);
  form.addEventListener("submit", (event) => event.preventDefault());
  await again();
  return [form, list];
}

/** @param {Context} context */
async function known(context) {
  const kinds = choice("Kind", { name: "kind", value: "" }, [["", "all kinds"], ["training", "training"], ["known_good", "known good"], ["known_bad", "known poor"], ["iconic", "iconic image"], ["not_iconic", "good image"]]);
  const states = choice("State", { name: "state", value: "active" }, [["active", "handed out"], ["retired", "retired"], ["", "both"]]);
  return filtered([kinds, states], (query) =>
    pages({
      size: SIZE,
      nothing: empty("No known item. Without some, nobody can be trained and no grid can be made."),
      fetch: async (last) => {
        if (last) query.set("after", last.id);
        const found = await ask("GET", `/api/golds?${query}`);
        Object.assign(context.media, found.media);
        return /** @type {any[]} */ (found.golds);
      },
      show: (rows) => element("div", { class: "known" }, ...rows.map((row) => knownCard(row, context))),
    }),
  );
}

/** @param {any} row @param {Context} context */
function knownCard(row, context) {
  const name = context.names.get(row.category) ?? "";
  const state = element("span", {}, stateBadge(row.state));
  const retire = element("button", { class: "small", type: "button" }, "Retire");
  retire.addEventListener("click", async () => {
    try {
      await ask("POST", `/api/golds/${row.id}/retire`);
      state.replaceChildren(stateBadge("retired"));
      retire.remove();
    } catch (error) {
      context.said.refuse(error);
    }
  });
  return element(
    "article",
    { class: "card", "aria-label": `Known item ${row.id}` },
    row.mask ? tile({ image: row.image, mask: row.mask, crop_xywh: around(row), category: { name } }, context.media, true) : thumbnail(row.image.id, context),
    element("div", { class: "row" }, stateBadge(row.kind), state),
    element("p", { class: "hint" }, name, row.right + row.wrong > 0 ? `${name && "; "}taken rightly ${row.right} of ${row.right + row.wrong} times` : ""),
    row.state === "active" && retire,
  );
}

/** @param {Context} context @param {string} state */
async function decided(context, state) {
  const kind = choice("Category", { name: "category", value: "" }, [["", "all"], ...context.categories.map(([id, name]) => /** @type {[string, string]} */ ([String(id), name]))]);
  return filtered([kind], (query) => {
    query.set("state", state);
    return pages({
      size: SIZE,
      nothing: empty(state === "accepted" ? "No mask has been accepted yet." : "No mask has been discarded yet."),
      fetch: async (last) => {
        if (last) query.set("before", last.id);
        const found = await ask("GET", `/api/masks?${query}`);
        Object.assign(context.media, found.media);
        return /** @type {any[]} */ (found.masks);
      },
      show: (rows) => element("div", { class: "known" }, ...rows.map((row) => decidedCard(row, context))),
    });
  });
}

/** @param {any} row @param {Context} context */
function decidedCard(row, context) {
  const name = context.names.get(row.category) ?? "";
  const place = element("span", {});
  const add = element("button", { class: "small", type: "button" }, row.state === "accepted" ? "Make it known as good" : "Make it known as poor");
  add.addEventListener("click", async () => {
    try {
      const made = await ask("POST", "/api/golds/decided", { mask: row.id });
      place.replaceChildren(badge(made.golds.length === 1 ? "known" : `known, with ${count(made.golds.length - 1)} made of it`, "good"));
    } catch (error) {
      context.said.refuse(error);
    }
  });
  place.append(row.known ? badge("known", "good") : add);
  return element(
    "article",
    { class: "card", "aria-label": `Mask ${row.id}` },
    tile({ image: row.image, mask: row.mask, crop_xywh: around(row), category: { name } }, context.media, true),
    element("p", {}, name, " ", element("a", { class: "hint", href: `/manage/decisions#segmentation/${row.id}` }, "why")),
    element("p", { class: "hint" }, `${row.good} good, ${row.bad} poor; by `, element("a", { href: `/manage/worker#${row.worker}` }, row.display)),
    place,
  );
}

/** @param {Context} context */
async function images(context) {
  const states = choice("State", { name: "state", value: "candidate" }, [["candidate", "in the filter"], ["kept", "kept"], ["removed", "removed"], ["gold", "known only"]]);
  return filtered([states, field("From image number", { name: "after", type: "number", min: 0, step: 1 })], (query) =>
    pages({
      size: SIZE,
      nothing: empty("No image in this state."),
      fetch: async (last) => {
        if (last) query.set("after", last.id);
        const found = await ask("GET", `/api/images?${query}`);
        Object.assign(context.media, found.media);
        return /** @type {any[]} */ (found.images);
      },
      show: (rows) => element("div", { class: "known" }, ...rows.map((row) => imageCard(row, context))),
    }),
  );
}

/** @param {any} row @param {Context} context */
function imageCard(row, context) {
  const place = element("span", { class: "row" });
  const add = (/** @type {boolean} */ iconic) => async () => {
    try {
      await ask("POST", "/api/golds/images", { image: row.id, iconic });
      place.replaceChildren(badge(iconic ? "known as iconic" : "known as good", "good"));
    } catch (error) {
      context.said.refuse(error);
    }
  };
  place.append(element("button", { class: "small", type: "button", onclick: add(true) }, "Iconic"), element("button", { class: "small", type: "button", onclick: add(false) }, "Good"));
  return element("article", { class: "card", "aria-label": `Image ${row.id}` }, thumbnail(row.id, context), element("p", { class: "hint" }, `${row.id}: ${row.file_name}`), place);
}

/** @param {number} image @param {Context} context */
const thumbnail = (image, { media }) => element("img", { src: address(media, image, "256"), alt: `image ${image}`, loading: "lazy" });
