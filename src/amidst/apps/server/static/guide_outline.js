// What a good outline is, as the drawing screens say it. Source: section 2.4.3 of the thesis.

import { makeGuide } from "./guide.js";
import { drawnExamples } from "./mask_examples.js";

/** @param {string} name of the category */
export function outlineGuide(name) {
  const [good, coarse, part, wrong] = drawnExamples();
  return makeGuide(`Outline the ${name} at the ring`, "Draw this one alone, all that can be seen of it. If it already has an outline, or is not there, choose one of the answers in the bar above instead.", [
    { name: "Good", what: "The line follows the edge, and everything that can be seen of it is inside.", pictures: [good] },
    { name: "Too coarse", what: "Corners are cut off, or the line lies beside the edge. Put vertices closer where it bends.", pictures: [coarse] },
    { name: "Incomplete", what: "A part that can be seen is missing. If something in front divides it, draw each part.", pictures: [part] },
    { name: "Another thing", what: "What stands in front or beside it is not drawn. Cut holes through which one sees something else.", keys: "h", pictures: [wrong] },
  ]);
}

/** @param {string} name */
export function crossesGuide(name) {
  return makeGuide(`Put a cross on every ${name}`, "Begin at the blinking icon, where one was seen; then look for others, small and hidden ones too.", [
    { name: "One cross for each", what: "Ten at most, anywhere on it. Where there are more, put ten and say so.", keys: "t" },
    { name: "Partly hidden ones count", what: "Also behind something, cut by the border, or out of focus, as long as it can be told what it is." },
    { name: "Nothing there", what: "If the icon was put there by mistake, say “None here”.", keys: "n" },
    { name: "Small ones", what: "Zoom with the wheel, or look through the magnifier.", keys: "m" },
  ]);
}

/** @param {string} name */
export function crowdGuide(name) {
  const [, , , , region] = drawnExamples();
  return makeGuide(`Paint every ${name} that has no outline`, "Too many stand here to outline each one. Those in blue have an outline; all others become one region together.", [
    { name: "One region", what: "Paint over all of them; where they touch there is no need to part them.", pictures: [region] },
    { name: "No background", what: "Leave out what is between them if it is large enough to be painted around. The eraser takes paint away.", keys: "e" },
    { name: "No one is left", what: "If each one has an outline, say so.", keys: "n" },
  ]);
}
