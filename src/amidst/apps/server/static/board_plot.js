// Scores over time as SVG: a dot for each scored submission, a line for the best of each team so far.

import { score, when } from "./board_shared.js";

/** @typedef {{team: string, created_at: number, score: number}} Point */

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 760;
const HEIGHT = 240;
const LEFT = 44;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 24;
const COLOURS = 8;

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...(Node | string)} children
 */
function svg(tag, attributes, ...children) {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/**
 * Round values that enclose some scores.
 * @param {number} low
 * @param {number} high
 * @returns {number[]}
 */
export function ticks(low, high) {
  const span = Math.max(high - low, 0.01);
  const step = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2].find((size) => span / size <= 5) ?? 0.2;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(Math.ceil(high / step - 1e-9), first + 1);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toFixed(4)));
}

/**
 * The best score of a team after each of its submissions that was better.
 * @param {Point[]} points of one team, in order of time
 * @returns {Point[]}
 */
export function bestSoFar(points) {
  /** @type {Point[]} */
  const best = [];
  for (const point of points) if (point.score > (best.at(-1)?.score ?? -Infinity)) best.push(point);
  return best;
}

/**
 * The plot and its legend; nothing without points.
 * @param {Point[]} points
 * @param {string} name of the score
 * @returns {Node[]}
 */
export function plot(points, name) {
  if (!points.length) return [];
  const times = points.map((point) => point.created_at);
  const begin = Math.min(...times);
  const end = Math.max(...times, begin + 60e6);
  const scores = points.map((point) => Math.max(point.score, 0));
  const lines = ticks(Math.min(...scores), Math.max(...scores));
  const [low, high] = [lines[0], lines[lines.length - 1]];
  /** @param {number} time */
  const x = (time) => LEFT + ((time - begin) / (end - begin)) * (WIDTH - LEFT - RIGHT);
  /** @param {number} value */
  const y = (value) => TOP + ((high - Math.max(value, 0)) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const teams = [...new Set(points.map((point) => point.team))];
  const grid = lines.flatMap((value) => [
    svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
    svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, String(value)),
  ]);
  const dates = [
    svg("text", { x: LEFT, y: HEIGHT - 6 }, when(begin)),
    svg("text", { x: WIDTH - RIGHT, y: HEIGHT - 6, "text-anchor": "end" }, when(end)),
  ];
  const series = teams.flatMap((team, index) => {
    const own = points.filter((point) => point.team === team);
    const colour = `series-${index % COLOURS}`;
    const steps = bestSoFar(own);
    const path = steps.map(({ created_at, score: value }, i) => (i ? `H${x(created_at)}V${y(value)}` : `M${x(created_at)} ${y(value)}`)).join("");
    return [
      svg("path", { class: `best ${colour}`, d: `${path}H${x(end)}` }),
      ...own.map((point) =>
        svg("circle", { class: colour, cx: x(point.created_at), cy: y(point.score), r: 4 }, svg("title", {}, `${team}: ${score(point.score)}, ${when(point.created_at)}`)),
      ),
    ];
  });
  const picture = svg("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `${name} of all submissions over time` }, ...grid, ...dates, ...series);
  const legend = document.createElement("ul");
  legend.className = "legend";
  teams.forEach((team, index) => {
    const line = document.createElement("li");
    line.append(svg("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, svg("circle", { class: `series-${index % COLOURS}`, cx: 6, cy: 6, r: 5 })), team);
    legend.append(line);
  });
  return [picture, legend];
}
