// Photographs that show what is iconic and what is not; ten in one strip. Whose they are: examples.md.

import { element } from "./page.js";

const NUMBER = 10;
const PLACES = { iconic_object: [0, 1, 2], iconic_scene: [3, 4], invalid: [5, 6], keep: [7, 8, 9] };
const TEXTS = [
  "An airplane alone in the sky", "A bus from the side, nothing else", "A vase in the middle",
  "A snowy landscape", "A kitchen as in an advert", "A rendered picture", "An advert with text",
  "A street with people, cars and bicycles", "People around a table with food", "A dog and a man in a living room",
];

/**
 * @param {keyof typeof PLACES} kind
 * @returns {HTMLElement[]}
 */
export function examples(kind) {
  return PLACES[kind].map((place) => {
    const picture = element("span", { class: "example", role: "img", "aria-label": TEXTS[place] });
    picture.style.backgroundPositionX = `${(100 * place) / (NUMBER - 1)}%`;
    return picture;
  });
}
