// What a ticket is about: the category, always in sight.

import { categoryIcon } from "./icon.js";
import { element } from "./page.js";

/**
 * @param {import("./types.js").CategoryRef} category
 */
export function subject(category) {
  return element("span", { class: "subject", title: category.definition, "data-category": category.id }, categoryIcon(category), category.name);
}
