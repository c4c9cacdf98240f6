// Good and poor outlines, drawn around icons.

const SVG = "http://www.w3.org/2000/svg";
const APPLE = "M16 5 C19 1 22 3 19 7 C25 5 30 9 29 17 C28 25 23 31 19 30 C17 29.500 15 29.500 13 30 C9 31 4 25 3 17 C2 9 7 5 13 7 C13 5 11 4 12 3 C14 2 15 4 16 5 Z";

/** @returns {Element[]} good, coarse, a part missing, the wrong thing, a region */
export function drawnExamples() {
  return [
    drawn("A good outline", [["apple", 24, 8]], [[APPLE, 24, 8]]),
    drawn("A coarse outline beside the edge", [["apple", 24, 8]], [["M4 6 L22 0 L34 16 L24 34 L8 28 Z", 24, 8]]),
    drawn("Half of the apple is missing", [["apple", 24, 8]], [["M2 16 C2 9 7 5 13 7 L16 6 L29 15 L29 17 Z", 24, 8]]),
    drawn("An orange outlined as an apple", [["orange", 6, 8], ["apple", 42, 8]], [["M16 3 a13 13 0 1 0 .1 0 Z", 6, 9]]),
    drawn("One outline around many apples", [["apple", 4, 4], ["apple", 26, 14], ["apple", 48, 4]], [["M2 14 C2 2 30 0 38 12 C52 -2 82 2 80 20 C78 42 62 36 54 42 C44 52 30 50 26 38 C8 40 2 26 2 14 Z", 0, 0]]),
  ];
}

/**
 * @param {string} text
 * @param {[string, number, number][]} icons name and place
 * @param {[string, number, number][]} paths
 */
function drawn(text, icons, paths) {
  const svg = make("svg", { class: "example drawn", viewBox: "0 0 84 48", role: "img", "aria-label": text });
  svg.append(
    ...icons.map(([name, x, y]) => make("use", { href: `/static/icons.svg#${name}`, x, y, width: 32, height: 32 })),
    ...paths.map(([d, x, y]) => make("path", { d, transform: `translate(${x} ${y})`, fill: "none", stroke: "#d6207a", "stroke-width": 2 })),
  );
  return svg;
}

/** @param {string} tag @param {Record<string, string | number>} attributes */
function make(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
