// One image, large: annotations, and detections beside them, moved and zoomed together.

import { ask, loadImage } from "./api.js";
import { OUTCOMES, label, maskCanvas, strokeBox } from "./draw.js";

const $ = (id) => document.getElementById(id);

export class Viewer {
  constructor(state, dataset) {
    Object.assign(this, { state, dataset });
    this.element = $("viewer");
    this.panes = [{ kind: "truth", canvas: $("truth-canvas") }, { kind: "found", canvas: $("found-canvas") }];
    this.zoom = { factor: 1, x: 0, y: 0 };
    this.chosen = null;
    this.turn = 0; // counts what was shown and hidden, so that a slow answer knows when it is too late
    $("close").addEventListener("click", () => this.close());
    $("previous").addEventListener("click", () => this.step("previous"));
    $("next").addEventListener("click", () => this.step("next"));
    for (const layer of ["boxes", "masks", "labels"]) $(layer).addEventListener("change", () => this.draw());
    for (const pane of this.panes) this.listen(pane);
    new ResizeObserver(() => this.draw()).observe($("stage"));
  }

  get open() { return !this.element.hidden; }

  async show(row) {
    const turn = ++this.turn;
    const before = this.row;
    this.row = row;
    this.element.hidden = false;
    if (before !== row) { this.zoom = { factor: 1, x: 0, y: 0 }; this.chosen = null; }
    try {
      const [view, place] = await Promise.all([
        ask(`/api/images/${row}`, new URLSearchParams({ min_score: this.state.minScore })),
        ask(`/api/place/${row}`, this.state.query()),
      ]);
      if (turn !== this.turn) return; // the reader has gone on
      this.view = view;
      this.place = place;
      if (this.pictured !== row) this.picture = null;
      this.pictured = row;
      const picture = this.picture ?? await loadImage(`/photo/${row}`);
      if (turn !== this.turn) return;
      this.picture = picture;
      this.problem = null;
    } catch (error) {
      if (turn !== this.turn) return;
      this.problem = error.message;
      this.picture = null;
    }
    this.masks = new Map();
    this.describe();
    this.draw();
    this.element.dataset.shown = row;
    if (this.place?.next !== null && this.place?.next !== undefined) new Image().src = `/photo/${this.place.next}`;
  }

  hide() {
    this.turn += 1;
    this.element.hidden = true;
    this.row = null;
    delete this.element.dataset.shown;
  }

  close() { this.state.change({ row: null }); }

  step(direction) {
    const row = this.place?.[direction];
    if (row !== null && row !== undefined) this.state.change({ row }, { replace: true });
  }

  toggle(layer) { $(layer).checked = !$(layer).checked; this.draw(); }

  zoomBy(factor, x = 0, y = 0) {
    const next = Math.min(Math.max(this.zoom.factor * factor, 1), 40), ratio = next / this.zoom.factor;
    this.zoom = { factor: next, x: x - (x - this.zoom.x) * ratio, y: y - (y - this.zoom.y) * ratio };
    if (next === 1) this.zoom = { factor: 1, x: 0, y: 0 };
    this.draw();
  }

  fit() { this.zoom = { factor: 1, x: 0, y: 0 }; this.draw(); }

  listen({ canvas, kind }) {
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = canvas.getBoundingClientRect();
      this.zoomBy(Math.exp(-event.deltaY / 400), event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2);
    }, { passive: false });
    let from = null, moved = false;
    canvas.addEventListener("pointerdown", (event) => {
      from = { x: event.clientX - this.zoom.x, y: event.clientY - this.zoom.y };
      moved = false;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!from) return;
      const x = event.clientX - from.x, y = event.clientY - from.y;
      moved ||= Math.hypot(x - this.zoom.x, y - this.zoom.y) > 3;
      if (moved && this.zoom.factor > 1) { this.zoom = { ...this.zoom, x, y }; this.draw(); }
    });
    canvas.addEventListener("pointerup", (event) => {
      from = null;
      if (!moved) this.choose(kind, this.under(canvas, kind, event));
    });
    canvas.addEventListener("dblclick", () => this.fit());
  }

  under(canvas, kind, event) {
    const box = canvas.getBoundingClientRect(), view = this.viewOf(canvas), ratio = canvas.width / box.width;
    const x = ((event.clientX - box.left) * ratio - view.x) / view.scale, y = ((event.clientY - box.top) * ratio - view.y) / view.scale;
    const hits = (this.view?.[kind] ?? []).map((mark, k) => ({ k, box: mark.box }))
      .filter(({ box: [left, top, w, h] }) => x >= left && y >= top && x <= left + w && y <= top + h)
      .sort((a, b) => a.box[2] * a.box[3] - b.box[2] * b.box[3]);
    return hits.length ? hits[0].k : null;
  }

  choose(kind, place) {
    const same = place === null || (this.chosen?.kind === kind && this.chosen.place === place);
    this.chosen = same ? null : { kind, place };
    for (const line of document.querySelectorAll(".mark")) {
      line.setAttribute("aria-pressed", String(!same && line.dataset.kind === kind && Number(line.dataset.place) === place));
    }
    document.querySelector('.mark[aria-pressed="true"]')?.scrollIntoView({ block: "nearest" });
    this.draw();
  }

  viewOf(canvas) {
    const ratio = devicePixelRatio || 1;
    const fit = Math.min(canvas.width / this.view.width, canvas.height / this.view.height) * 0.98;
    const scale = fit * this.zoom.factor;
    return {
      scale,
      x: canvas.width / 2 + this.zoom.x * ratio - (this.view.width * scale) / 2,
      y: canvas.height / 2 + this.zoom.y * ratio - (this.view.height * scale) / 2,
    };
  }

  draw() {
    if (!this.open || !this.view) return;
    const ratio = devicePixelRatio || 1;
    for (const { kind, canvas } of this.panes) {
      if (canvas.closest("figure").hidden) continue;
      canvas.width = Math.round(canvas.clientWidth * ratio);
      canvas.height = Math.round(canvas.clientHeight * ratio);
      if (this.picture) this.paint(canvas.getContext("2d"), kind, this.viewOf(canvas), ratio);
    }
  }

  paint(context, kind, view, ratio) {
    const { width, height } = this.view;
    context.imageSmoothingEnabled = view.scale < 3;
    context.drawImage(this.picture, view.x, view.y, width * view.scale, height * view.scale);
    const marks = this.view[kind].map((mark, place) => ({ mark, place }))
      .filter(({ place }) => this.chosen?.kind !== kind || this.chosen.place === place);
    const order = marks.toSorted((a, b) => b.mark.box[2] * b.mark.box[3] - a.mark.box[2] * a.mark.box[3]); // small ones on top
    if ($("masks").checked) {
      for (const { mark, place } of order) {
        if (!mark.mask) continue;
        context.globalAlpha = this.chosen ? 0.55 : 0.38;
        context.drawImage(this.mask(kind, place, mark), view.x, view.y, width * view.scale, height * view.scale);
      }
      context.globalAlpha = 1;
    }
    if ($("boxes").checked) {
      for (const { mark } of order) {
        strokeBox(context, mark.box, view, this.colour(mark), { dashed: mark.crowd || mark.outcome === "ignored", width: 2 * ratio });
      }
    }
    if ($("labels").checked) {
      const taken = [];
      for (const { mark } of order.toReversed()) {
        const category = this.dataset.categories[mark.category];
        const text = mark.score === undefined ? category.name + (mark.crowd ? " (crowd)" : "") : `${category.name} ${mark.score.toFixed(2)}`;
        label(context, text, mark.box, view, category.colour, category.ink, taken, 12 * ratio);
      }
    }
  }

  mask(kind, place, mark) {
    const key = `${kind}${place}`;
    if (!this.masks.has(key)) {
      const colour = this.dataset.categories[mark.category].colour;
      this.masks.set(key, maskCanvas(mark.mask, colour, this.view.width, this.view.height));
    }
    return this.masks.get(key);
  }

  colour(mark) {
    const category = this.dataset.categories[mark.category].colour;
    return this.dataset.has_results ? OUTCOMES[mark.outcome] ?? "#9aa3b0" : category;
  }

  describe() {
    const { view, place } = this, side = $("side");
    $("found-pane").hidden = !this.dataset.has_results;
    $("name").textContent = view?.file_name ?? "";
    const where = place?.place === null || !place ? "not among the filtered" : `${(place.place + 1).toLocaleString("en")} of ${place.total.toLocaleString("en")}`;
    $("facts").textContent = view ? `id ${view.id} · ${view.width} × ${view.height} · ${view.split} · ${where}` : "";
    $("previous").disabled = place?.previous === null || place?.previous === undefined;
    $("next").disabled = place?.next === null || place?.next === undefined;
    side.replaceChildren();
    if (this.problem) {
      const problem = document.createElement("p");
      problem.className = "problem";
      problem.textContent = this.problem;
      side.append(problem);
    }
    if (!view) return;
    this.section("Captions", view.captions.length, view.captions.map((sentence) => {
      const quote = document.createElement("blockquote");
      quote.textContent = sentence;
      return quote;
    }));
    this.section("Annotations", view.truth.length, view.truth.map((mark, k) => this.line("truth", mark, k)), true);
    if (this.dataset.has_results) {
      this.section(`Detections from ${this.state.minScore.toFixed(2)}`, view.found.length, view.found.map((mark, k) => this.line("found", mark, k)), true);
    }
    const facts = Object.entries(view.extra);
    this.section("Record", facts.length, facts.map(([name, value]) => {
      const line = document.createElement("div");
      line.className = "fact";
      line.textContent = `${name}: ${value}`;
      return line;
    }));
  }

  section(title, count, children, always = false) {
    if (!count && !always) return;
    const heading = document.createElement("h2"), number = document.createElement("span");
    heading.textContent = title;
    number.textContent = count;
    heading.append(number);
    const list = document.createElement("ul");
    list.append(...children.map((child) => { const item = document.createElement("li"); item.append(child); return item; }));
    $("side").append(heading, list);
  }

  line(kind, mark, place) {
    const category = this.dataset.categories[mark.category], button = document.createElement("button");
    button.className = "mark";
    button.dataset.kind = kind;
    button.dataset.place = place;
    button.setAttribute("aria-pressed", "false");
    const colour = document.createElement("i"), name = document.createElement("b"), note = document.createElement("span");
    colour.style.background = category.colour;
    name.textContent = category.name + (mark.crowd ? " (crowd)" : "");
    note.textContent = mark.score === undefined ? `${Math.round(mark.area).toLocaleString("en")} px²` : mark.score.toFixed(3);
    button.append(colour, name, note);
    if (mark.outcome && this.dataset.has_results) {
      const outcome = document.createElement("em");
      outcome.className = mark.outcome;
      outcome.textContent = mark.outcome === "alarm" ? "false alarm" : mark.iou ? `${mark.outcome} ${mark.iou.toFixed(2)}` : mark.outcome;
      button.append(outcome);
    }
    button.addEventListener("click", () => this.choose(kind, place));
    return button;
  }
}
