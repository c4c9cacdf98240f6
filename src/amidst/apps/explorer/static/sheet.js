// The sample sheet (Fig. B.1): cut-outs of instances drawn at random, at most one of each image.

import { ask, loadImage } from "./api.js";
import { maskCanvas, strokeBox } from "./draw.js";

export async function showSheet(state, dataset, onOpen, signal) {
  const element = document.getElementById("sheet");
  const { instances } = await ask("/api/sheet", state.query({ count: 60 }), signal);
  const heading = document.createElement("h2");
  const chosen = state.categories.length ? state.categories.join(", ") : "all categories";
  heading.textContent = `${instances.length} ${state.filters.source === "found" ? "detections" : "instances"} of ${chosen}, at most one an image`;
  const shuffle = document.createElement("button");
  shuffle.textContent = "Shuffle";
  shuffle.className = "link";
  shuffle.addEventListener("click", () => state.filter({ seed: String(Number(state.filters.seed ?? 0) + 1) }));
  heading.append(" ", shuffle);
  element.replaceChildren(heading, ...instances.map((instance) => cut(instance, state, dataset, onOpen)));
  document.getElementById("nothing").hidden = instances.length > 0;
  return instances.length;
}

function cut(instance, state, dataset, onOpen) {
  const category = dataset.categories[instance.category];
  const button = document.createElement("button");
  button.className = "cut";
  button.title = `${category.name}${instance.crowd ? ", crowd" : ""}: open its image`;
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", category.name);
  const source = state.filters.source === "found" ? "found" : "truth";
  loadImage(`/crop/${source}/${instance.mark}?side=320`)
    .then((picture) => paint(canvas, picture, instance, category.colour))
    .catch((error) => { button.title = error.message; button.classList.add("broken"); });
  const name = document.createElement("span");
  name.textContent = instance.score === null ? category.name : `${category.name} ${instance.score.toFixed(2)}`;
  name.style.background = category.colour;
  name.style.color = category.ink;
  button.append(canvas, name);
  button.addEventListener("click", () => onOpen(instance.row));
  return button;
}

// the cut-out as large as fits, its mask (or its box, where there is none) over it
function paint(canvas, picture, instance, colour) {
  const ratio = Math.min(devicePixelRatio || 1, 2), [left, top, width, height] = instance.region;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  const scale = Math.min(canvas.width / width, canvas.height / height), context = canvas.getContext("2d");
  const x = (canvas.width - width * scale) / 2, y = (canvas.height - height * scale) / 2;
  context.drawImage(picture, x, y, width * scale, height * scale);
  if (instance.mask) {
    context.globalAlpha = 0.42;
    const mask = maskCanvas(instance.mask, colour, instance.width, instance.height);
    context.drawImage(mask, left, top, width, height, x, y, width * scale, height * scale);
    context.globalAlpha = 1;
  } else {
    strokeBox(context, instance.box, { scale, x: x - left * scale, y: y - top * scale }, colour, { dashed: instance.crowd, width: 1.5 * ratio });
  }
  canvas.dataset.painted = "1";
}
