// Scores over time as SVG: a dot for each scored submission, a line for the best of each team so far.

import { score, when } from "./board_shared.js";
import { svg } from "./charts.js";
import { table } from "./manage_parts.js";
import { element } from "./page.js";

/** @typedef {{team: string, created_at: number, score: number}} Point */

const HEIGHT = 280;
const LEFT = 62;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 48;
const DATE = 120; // px that a date takes on the axis
const COLOURS = 8;

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

/** What a picture shows, for who does not see it. @param {Point[]} points @param {string} name */
export function inWords(points, name) {
  const best = points.reduce((one, other) => (other.score > one.score ? other : one));
  const teams = new Set(points.map((point) => point.team)).size;
  const count = (/** @type {number} */ many, /** @type {string} */ what) => `${many} ${what}${many === 1 ? "" : "s"}`;
  return `${name} of ${count(points.length, "submission")} of ${count(teams, "team")} from ${when(points[0].created_at)} to ${when(points[points.length - 1].created_at)} UTC; the best, ${score(best.score)}, is of ${best.team}`;
}

/** Colour of a team, and a broken line once the colours are used up. @param {number} index */
const style = (index) => `series-${index % COLOURS}`;
/** @param {number} index */
const line = (index) => (index >= COLOURS ? "again" : "");

/**
 * The axes of a plot, and where values lie.
 * @param {Point[]} points
 * @param {string} name
 * @param {number} width
 */
function axes(points, name, width) {
  const begin = points[0].created_at;
  const end = Math.max(points[points.length - 1].created_at, begin + 60e6);
  const scores = points.map((point) => Math.max(point.score, 0));
  const bounds = [Math.min, Math.max].map((choose) => scores.reduce((one, other) => choose(one, other)));
  const lines = ticks(bounds[0], bounds[1]);
  const [low, high] = [lines[0], lines[lines.length - 1]];
  const [across, down] = [width - LEFT - RIGHT, HEIGHT - TOP - BOTTOM];
  const x = (/** @type {number} */ time) => LEFT + ((time - begin) / (end - begin)) * across;
  const y = (/** @type {number} */ value) => TOP + ((high - Math.max(value, 0)) / (high - low)) * down;
  const grid = lines.flatMap((value) => [
    svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) }),
    svg("text", { x: LEFT - 8, y: y(value) + 4, "text-anchor": "end" }, String(value)),
  ]);
  const parts = Math.max(1, Math.min(4, Math.floor(across / DATE) - 1));
  const times = Array.from({ length: parts + 1 }, (_, i) => begin + ((end - begin) * i) / parts);
  const dates = times
    .filter((time, i) => i === 0 || i === parts || ![times[i - 1], end].some((other) => when(other) === when(time)))
    .map((time) => svg("text", { x: x(time), y: HEIGHT - BOTTOM + 20, "text-anchor": time === begin ? "start" : time === end ? "end" : "middle" }, when(time)));
  const middle = TOP + down / 2;
  const names = [
    svg("text", { x: LEFT + across / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "sent (UTC)"),
    svg("text", { x: 14, y: middle, transform: `rotate(-90 14 ${middle})`, "text-anchor": "middle" }, name),
  ];
  return { x, y, end, drawn: [...grid, ...dates, ...names] };
}

/**
 * @param {Point[]} points
 * @param {string} name
 * @param {string[]} teams
 * @param {number} width
 */
function picture(points, name, teams, width) {
  const { x, y, end, drawn } = axes(points, name, width);
  const series = teams.flatMap((team, index) => {
    const own = points.filter((point) => point.team === team);
    const best = bestSoFar(own);
    const path = best.map(({ created_at, score: value }, i) => (i ? `H${x(created_at)}V${y(value)}` : `M${x(created_at)} ${y(value)}`)).join("");
    const dots = own.map((point) =>
      svg("circle", { class: style(index), cx: x(point.created_at), cy: y(point.score), r: best.includes(point) ? 4 : 2.5 }, svg("title", {}, `${team}: ${score(point.score)}, ${when(point.created_at)}`)),
    );
    return [svg("g", { class: line(index) }, svg("path", { class: `best ${style(index)}`, d: `${path}H${x(end)}` }), ...dots)];
  });
  return svg("svg", { class: "plot", viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": inWords(points, name) }, ...drawn, ...series);
}

/**
 * The plot, drawn anew for each width of its place; its legend; its numbers as a table.
 * @param {Point[]} points in order of time, one at least
 * @param {string} name of the score
 * @returns {Node[]}
 */
export function plot(points, name) {
  const teams = [...new Set(points.map((point) => point.team))];
  const place = element("div", { class: "plot-place" });
  let drawn = 0;
  new ResizeObserver(([{ contentRect }]) => {
    const width = Math.max(Math.round(contentRect.width), 240);
    if (width !== drawn) place.replaceChildren(picture(points, name, teams, (drawn = width)));
  }).observe(place);
  const key = (/** @type {number} */ index) =>
    svg("svg", { viewBox: "0 0 22 12", class: `plot ${line(index)}`, "aria-hidden": "true" }, svg("path", { class: `best ${style(index)}`, d: "M0 6H22" }), svg("circle", { class: style(index), cx: 11, cy: 6, r: 4 }));
  const legend = element("ul", { class: "legend" }, ...teams.map((team, index) => { const one = element("li"); one.append(key(index), team); return one; }));
  const numbers = table(
    `Numbers of ${name} over time`,
    [
      { title: "Sent (UTC)", value: (point) => when(point.created_at) },
      { title: "Team", value: (point) => point.team, text: true },
      { title: name, value: (point) => score(point.score), right: true },
    ],
    [...points].reverse(),
  );
  return [place, legend, element("details", {}, element("summary", { class: "hint" }, "The numbers"), numbers)];
}
