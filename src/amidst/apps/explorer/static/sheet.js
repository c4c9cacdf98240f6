// The sample sheet (Fig. B.1): cut-outs of instances drawn at random, at most one of each image.

import { ask } from "./api.js";

export async function showSheet(state, dataset, onOpen) {
  const element = document.getElementById("sheet");
  const { instances } = await ask("/api/sheet", state.query({ count: 60 }));
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
  const picture = new Image();
  picture.loading = "lazy";
  picture.alt = category.name;
  picture.src = `/crop/${state.filters.source === "found" ? "found" : "truth"}/${instance.mark}?side=320`;
  const name = document.createElement("span");
  name.textContent = instance.score === null ? category.name : `${category.name} ${instance.score.toFixed(2)}`;
  name.style.background = category.colour;
  name.style.color = category.ink;
  button.append(picture, name);
  button.addEventListener("click", () => onOpen(instance.row));
  return button;
}
