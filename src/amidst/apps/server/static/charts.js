// Plots as SVG, each with its numbers in a table beside it. Source: Fig. 2.4 of the thesis.

import { count, decimal, stageName, table } from "./manage_parts.js";
import { element } from "./page.js";

const SVG = "http://www.w3.org/2000/svg";
const HOUR = 3_600_000_000;
const COLOURS = ["#4c78d0", "#e0863a", "#3fa36b", "#b0559f", "#c9a227", "#3aa6b9", "#c0504d", "#7a6fd0", "#8a8f98"];

/**
 * @param {string} tag
 * @param {Record<string, string | number | null>} attributes
 * @param {...(Node | string)} children
 */
export function svg(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, String(value));
  made.append(...children);
  return made;
}

/** @param {string} label @param {number} width @param {number} height @param {Node[]} content */
function chart(label, width, height, content) {
  return svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, ...content);
}

/** @param {string} summary @param {Node} numbers */
const behind = (summary, numbers) => element("details", {}, element("summary", { class: "hint" }, summary), numbers);

/** A unit square with its axes: places of values 0..1. @param {{x: string, y: string}} titles */
function square({ x, y }) {
  const [left, top, side] = [44, 12, 300];
  const at = { x: (/** @type {number} */ value) => left + side * value, y: (/** @type {number} */ value) => top + side * (1 - value) };
  const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1].flatMap((value) => [
    svg("line", { class: "axis", x1: left, x2: left + side, y1: at.y(value), y2: at.y(value) }),
    svg("text", { x: left - 6, y: at.y(value) + 4, "text-anchor": "end" }, decimal(value, 1)),
    svg("text", { x: at.x(value), y: top + side + 16, "text-anchor": "middle" }, decimal(value, 1)),
  ]);
  const names = [
    svg("text", { x: left + side / 2, y: top + side + 34, "text-anchor": "middle" }, x),
    svg("text", { x: 12, y: top + side / 2, transform: `rotate(-90 12 ${top + side / 2})`, "text-anchor": "middle" }, y),
  ];
  return { at, axes: [...ticks, ...names] };
}

/** @typedef {{first_precision: number, first_recall: number, second_precision: number, second_recall: number}} Line */

/**
 * The part of the unit square below a line of rejection, and where the line enters and leaves the square.
 * @param {Line} line two of its points, in the square; (1, 1) lies above it
 * @returns {{below: number[][], ends: number[][]}}
 */
export function halves({ first_precision: p0, first_recall: r0, second_precision: p1, second_recall: r1 }) {
  const across = (/** @type {number[]} */ [p, r]) => (p1 - p0) * (r - r0) - (r1 - r0) * (p - p0);
  const up = Math.sign(across([1, 1]));
  const corners = [[0, 0], [1, 0], [1, 1], [0, 1]];
  const outline = corners.flatMap((corner, k) => {
    const next = corners[(k + 1) % 4];
    const [here, there] = [up * across(corner), up * across(next)];
    const share = here / (here - there);
    const crossing = here * there < 0 ? [{ at: corner.map((value, axis) => value + share * (next[axis] - value)), side: 0 }] : [];
    return here <= 0 ? [{ at: corner, side: here }, ...crossing] : crossing;
  });
  const ends = outline.filter(({ side }) => side === 0).map((one) => one.at);
  return { below: outline.map((one) => one.at), ends: [ends[0], ends[ends.length - 1]] };
}

/**
 * Fig. 2.4 (b): workers on a grid over precision and recall; area: how many, depth of colour: their mean number of images.
 * @param {{worker: number, jobs: number, named: number, precision: number | null, recall: number | null}[]} workers
 * @param {Line} line
 * @param {Map<number, string>} names
 */
export function agreementPlot(workers, line, names) {
  const { at, axes } = square({ x: "precision: share of their names that another gave", y: "recall: share of the others' names" });
  const known = workers.filter((one) => one.precision !== null && one.recall !== null);
  const bins = new Map();
  for (const one of known) {
    const [column, row] = [one.precision, one.recall].map((value) => Math.min(Math.floor(10 * Number(value)), 9));
    const bin = bins.get(10 * column + row) ?? { column, row, workers: 0, jobs: 0 };
    bins.set(10 * column + row, { ...bin, workers: bin.workers + 1, jobs: bin.jobs + one.jobs });
  }
  const fullest = Math.max(1, ...[...bins.values()].map((bin) => bin.workers));
  const most = Math.max(1, ...[...bins.values()].map((bin) => bin.jobs / bin.workers));
  const discs = [...bins.values()].map((bin) => {
    const mean = bin.jobs / bin.workers;
    const text = `${bin.workers} workers, ${Math.round(mean)} images each, precision ${bin.column / 10} to ${(bin.column + 1) / 10}, recall ${bin.row / 10} to ${(bin.row + 1) / 10}`;
    const disc = svg("circle", { class: "disc", cx: at.x((bin.column + 0.5) / 10), cy: at.y((bin.row + 0.5) / 10), r: Math.max(3.5, 15 * Math.sqrt(bin.workers / fullest)) }, svg("title", {}, text));
    /** @type {SVGElement} */ (disc).style.setProperty("--share", `${Math.round(15 + (85 * mean) / most)}%`);
    return disc;
  });
  const { below, ends } = halves(line);
  const limit = svg("polygon", { class: "reject", points: below.map(([p, r]) => `${at.x(p)},${at.y(r)}`).join(" ") });
  const [from, to] = ends;
  const rule = svg("line", { class: "limit", x1: at.x(from[0]), y1: at.y(from[1]), x2: at.x(to[0]), y2: at.y(to[1]) });
  const numbers = table(
    "Agreement of each worker with the others",
    [
      { title: "Worker", value: (row) => names.get(row.worker) ?? `worker ${row.worker}` },
      { title: "Images", value: (row) => count(row.jobs), right: true },
      { title: "Names", value: (row) => count(row.named), right: true },
      { title: "Precision", value: (row) => decimal(row.precision), right: true },
      { title: "Recall", value: (row) => decimal(row.recall), right: true },
    ],
    workers,
  );
  return [chart("Precision and recall of every worker against the others", 370, 356, [limit, ...axes, rule, ...discs]), behind("The numbers", numbers)];
}

/**
 * Fig. 2.4 (a): what k workers name together against the majority of the experts.
 * @param {{points: any[], experts: {worker: number, recall: number, precision: number}[], truths: number}} curve
 * @param {Map<number, string>} names
 */
export function unionPlot(curve, names) {
  const { points, experts } = curve;
  const [left, top, width, height] = [44, 12, 330, 300];
  const low = Math.max(0, Math.floor(10 * Math.min(0.9, ...points.flatMap((p) => [p.recall_band[0], p.precision_band[0]]), ...experts.flatMap((e) => [e.recall, e.precision]))) / 10);
  const x = (/** @type {number} */ k) => left + (width * (k - 0.5)) / (points.length + 1.5);
  const y = (/** @type {number} */ value) => top + height * (1 - (value - low) / (1 - low));
  const ticks = Array.from({ length: 6 }, (_, k) => low + ((1 - low) * k) / 5).flatMap((value) => [
    svg("line", { class: "axis", x1: left, x2: left + width, y1: y(value), y2: y(value) }),
    svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, decimal(value)),
  ]);
  const numbersBelow = points.map((p) => svg("text", { x: x(p.workers), y: top + height + 16, "text-anchor": "middle" }, String(p.workers)));
  const series = ["recall", "precision"].flatMap((name, index) => {
    const kind = index === 0 ? "first" : "second";
    const over = points.map((p) => `${x(p.workers)},${y(p[`${name}_band`][1])}`);
    const under = points.map((p) => `${x(p.workers)},${y(p[`${name}_band`][0])}`).reverse();
    return [
      svg("polygon", { class: `band ${kind}`, points: [...over, ...under].join(" ") }),
      svg("polyline", { class: `line ${kind}`, points: points.map((p) => `${x(p.workers)},${y(p[name])}`).join(" ") }),
      ...points.map((p) => svg("circle", { class: kind, cx: x(p.workers), cy: y(p[name]), r: 3 }, svg("title", {}, `${name} of ${p.workers}: ${decimal(p[name], 3)}`))),
      ...experts.map((/** @type {any} */ e) => svg("rect", { class: kind, x: x(points.length + 0.9 + 0.35 * index) - 3, y: y(e[name]) - 3, width: 6, height: 6 }, svg("title", {}, `${name} of ${names.get(e.worker) ?? e.worker}: ${decimal(e[name], 3)}`))),
    ];
  });
  const words = [
    svg("text", { x: left + width / 2, y: top + height + 34, "text-anchor": "middle" }, "workers whose answers are united; squares: single experts"),
  ];
  const numbers = table(
    "Union of workers against the experts",
    [
      { title: "Workers", value: (p) => p.workers, right: true },
      { title: "Recall", value: (p) => decimal(p.recall, 3), right: true },
      { title: "95 % of subsets", value: (p) => p.recall_band.map((/** @type {number} */ v) => decimal(v)).join(" to "), right: true },
      { title: "Precision", value: (p) => decimal(p.precision, 3), right: true },
    ],
    points,
  );
  const legend = element("ul", { class: "legend" }, entry("recall of the union", "var(--accent)"), entry("precision of the union", "var(--warn)"));
  return [chart(`Recall and precision of the union of workers against ${experts.length} experts`, 390, 356, [...ticks, ...numbersBelow, ...series, ...words]), legend, behind("The numbers", numbers)];
}

/** @param {string} text @param {string} colour */
function entry(text, colour) {
  const swatch = element("span", { class: "swatch" });
  swatch.style.setProperty("--own", colour);
  return element("li", {}, swatch, text);
}

/**
 * Answers by hour, stacked by stage, over the last days.
 * @param {{at: number, stage: string, answers: number, workers: number}[]} hours
 * @param {number} now UTC microseconds
 */
export function activityPlot(hours, now) {
  const stages = [...new Set(hours.map((one) => one.stage))];
  const last = Math.max(Math.floor(now / HOUR), ...hours.map((one) => Math.floor(one.at / HOUR)));
  const first = Math.min(last - 23, ...hours.map((one) => Math.floor(one.at / HOUR)));
  const bars = last - first + 1;
  const [left, top, width, height] = [44, 8, 1000, 130];
  const heights = new Array(bars).fill(0);
  for (const one of hours) heights[Math.floor(one.at / HOUR) - first] += one.answers;
  const most = Math.max(1, ...heights);
  const stacked = new Array(bars).fill(0);
  const boxes = hours.map((one) => {
    const bar = Math.floor(one.at / HOUR) - first;
    stacked[bar] += one.answers;
    const box = svg(
      "rect",
      { x: left + (width * bar) / bars, width: Math.max(width / bars - 1, 1), y: top + height * (1 - stacked[bar] / most), height: (height * one.answers) / most },
      svg("title", {}, `${new Date(one.at / 1000).toLocaleString("en-GB")}: ${one.answers} × ${stageName(one.stage)}`),
    );
    box.setAttribute("fill", COLOURS[stages.indexOf(one.stage) % COLOURS.length]);
    return box;
  });
  const axis = [0, 0.5, 1].flatMap((share) => [
    svg("line", { class: "axis", x1: left, x2: left + width, y1: top + height * (1 - share), y2: top + height * (1 - share) }),
    svg("text", { x: left - 6, y: top + height * (1 - share) + 4, "text-anchor": "end" }, count(Math.round(most * share))),
  ]);
  const days = Array.from({ length: bars }, (_, bar) => first + bar)
    .filter((hour) => new Date(hour * 3_600_000).getHours() === 0)
    .map((hour) => svg("text", { x: left + (width * (hour - first)) / bars, y: top + height + 16 }, new Date(hour * 3_600_000).toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short" })));
  const numbers = table(
    "Answers by hour",
    [
      { title: "Hour", value: (row) => new Date(row.at / 1000).toLocaleString("en-GB") },
      { title: "Stage", value: (row) => stageName(row.stage) },
      { title: "Answers", value: (row) => count(row.answers), right: true },
      { title: "Workers", value: (row) => count(row.workers), right: true },
    ],
    hours,
  );
  const legend = element("ul", { class: "legend" }, ...stages.map((stage, index) => entry(stageName(stage), COLOURS[index % COLOURS.length])));
  return [chart("Answers by hour over the last seven days", 1050, 160, [...axis, ...boxes, ...days]), legend, behind("The numbers", numbers)];
}
