// Icons of categories: a symbol of icons.svg, or a tile with letters where a category has none.

const SVG = "http://www.w3.org/2000/svg";

/**
 * A category as tasks name it. icon: a symbol of icons.svg, "" for none.
 * @typedef {{name: string, icon?: string}} Named
 */

/**
 * The picture of a category. It carries no name: the text stands beside it, or the element around it is labelled.
 * @param {Named} category
 * @param {number} [size] in CSS pixels
 * @returns {SVGSVGElement}
 */
export function categoryIcon(category, size = 32) {
  const svg = make("svg", { class: "icon", width: size, height: size, viewBox: "0 0 32 32", "aria-hidden": "true" });
  if (category.icon) {
    svg.append(make("use", { href: `/static/icons.svg#${category.icon}` }));
    return svg;
  }
  const letters = make("text", {
    x: 16, y: 16.5, "text-anchor": "middle", "dominant-baseline": "central",
    "font-size": 14, "font-weight": 600, "font-family": "system-ui, sans-serif", fill: "#fff",
  });
  letters.textContent = lettersOf(category.name);
  svg.append(make("rect", { width: 32, height: 32, rx: 6, fill: `hsl(${hueOf(category.name)} 55% 38%)` }), letters);
  return svg;
}

/**
 * The first letters of the first two words, or the first two of a single one.
 * @param {string} name
 */
export function lettersOf(name) {
  const words = name.trim().split(/\s+/u).map((word) => [...word]);
  const letters = words.length > 1 ? [words[0][0], words[1][0]] : words[0].slice(0, 2);
  return letters.join("").toLocaleUpperCase();
}

/**
 * A hue in degrees, the same for the same name.
 * @param {string} name
 */
export function hueOf(name) {
  let hash = 0;
  for (const letter of name) hash = (Math.imul(hash, 31) + /** @type {number} */ (letter.codePointAt(0))) >>> 0;
  return (hash * 137) % 360;
}

/**
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | number>} attributes
 */
function make(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
