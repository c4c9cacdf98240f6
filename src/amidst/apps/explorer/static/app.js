// The explorer: wires state, filters, grid, sheet and viewer together, and the keys.

import { ask } from "./api.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { showSheet } from "./sheet.js";
import { State } from "./state.js";
import { Viewer } from "./viewer.js";

const $ = (id) => document.getElementById(id);
const whole = (number) => number.toLocaleString("en");

const state = new State();
const dataset = await ask("/api/dataset");
document.title = `${dataset.title} · amidst`;
$("title").textContent = dataset.title;
if (dataset.has_results && !("min_score" in state.filters)) state.filters.min_score = "0.3";

const openImage = (row) => state.change({ row });
const filters = new Filters(state, dataset);
const grid = new Grid(state, dataset, { onPage: summarise, onOpen: openImage });
const viewer = new Viewer(state, dataset);
let shown = null; // the query that grid or sheet stand for
let asked = new AbortController(); // ends what is asked for it

function summarise(page) {
  if (page.problem) { $("summary").textContent = page.problem; return; }
  const what = state.filters.source === "found" ? "detections" : "annotations";
  $("summary").textContent = `${whole(page.total)} of ${whole(dataset.images)} images · ${whole(page.marks)} ${what}`;
}

async function render() {
  filters.show();
  if (state.row === null) {
    if (viewer.open) { const row = viewer.row; viewer.hide(); document.querySelector(`.tile[data-row="${row}"]`)?.focus(); }
  } else {
    viewer.show(state.row);
  }
  const query = `${state.view}?${state.query()}`;
  if (query === shown) return;
  shown = query;
  asked.abort();
  const { signal } = (asked = new AbortController());
  for (const view of ["grid", "sheet"]) {
    $(view).hidden = state.view !== view;
    $(`view-${view}`).setAttribute("aria-pressed", String(state.view === view));
  }
  $("main").scrollTop = 0;
  if (state.view === "grid") await grid.load(signal);
  else {
    try {
      const count = await showSheet(state, dataset, openImage, signal);
      $("summary").textContent = `${count} instances`;
    } catch (error) {
      if (!signal.aborted) $("summary").textContent = error.message;
    }
  }
}

function shuffle() { state.filter({ order: "random", seed: String(Number(state.filters.seed ?? 0) + 1) }); }

function raiseScore(by) {
  if (!dataset.has_results) return;
  const score = Math.min(Math.max(Math.round((state.minScore + by) * 20) / 20, 0), 1);
  state.filter({ min_score: score.toFixed(2) });
}

const THEMES = ["", "light", "dark"];
function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("amidst-theme", theme); } catch { /* private windows have no storage */ }
}
function nextTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
  setTheme(now === "dark" ? "light" : "dark");
}
try { const kept = localStorage.getItem("amidst-theme"); if (THEMES.includes(kept)) setTheme(kept); } catch { /* none */ }

function moveFocus(by) {
  const tiles = [...document.querySelectorAll(".tile")];
  const at = tiles.indexOf(document.activeElement);
  const next = tiles[at < 0 ? 0 : Math.min(Math.max(at + by, 0), tiles.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function columns() { return getComputedStyle($("grid")).gridTemplateColumns.split(" ").length; }

const VIEWER_KEYS = {
  Escape: () => viewer.close(),
  ArrowLeft: () => viewer.step("previous"), ArrowRight: () => viewer.step("next"),
  k: () => viewer.step("previous"), j: () => viewer.step("next"),
  b: () => viewer.toggle("boxes"), m: () => viewer.toggle("masks"), l: () => viewer.toggle("labels"),
  "+": () => viewer.zoomBy(1.4), "=": () => viewer.zoomBy(1.4), "-": () => viewer.zoomBy(1 / 1.4), 0: () => viewer.fit(),
};
const GRID_KEYS = {
  ArrowLeft: () => moveFocus(-1), ArrowRight: () => moveFocus(1), ArrowUp: () => moveFocus(-columns()), ArrowDown: () => moveFocus(columns()),
  "/": () => $("text").focus(), c: () => $("category-search").focus(),
};
const KEYS = {
  g: () => state.change({ view: "grid", row: null }), s: () => state.change({ view: "sheet", row: null }), r: shuffle,
  "[": () => raiseScore(-0.05), "]": () => raiseScore(0.05), t: nextTheme, "?": () => $("help").showModal(),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  const typing = event.target.matches('input[type="search"], input[type="number"], select');
  if (typing) { if (event.key === "Escape") event.target.blur(); return; }
  if (event.target.matches('input[type="radio"]') && event.key.startsWith("Arrow")) return;
  const action = (viewer.open ? VIEWER_KEYS : state.view === "grid" ? GRID_KEYS : {})[event.key] ?? KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});
for (const view of ["grid", "sheet"]) $(`view-${view}`).addEventListener("click", () => state.change({ view }));
$("theme").addEventListener("click", nextTheme);
$("help-button").addEventListener("click", () => $("help").showModal());
$("toggle-filters").addEventListener("click", () => document.body.classList.toggle("filtering"));

state.listen(render);
await render();
document.documentElement.dataset.ready = "1";
