// The grid of thumbnails: pages are fetched as the end comes into sight, pictures as their tiles do.

import { ask, loadImage } from "./api.js";
import { strokeBox } from "./draw.js";

const PAGE = 60;

export class Grid {
  constructor(state, dataset, { onPage, onOpen }) {
    Object.assign(this, { state, dataset, onPage, onOpen });
    this.element = document.getElementById("grid");
    this.nothing = document.getElementById("nothing");
    this.end = document.getElementById("more");
    this.seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        this.seen.unobserve(target);
        // the grid may have made way for another view since: a tile without a size waits to be seen again
        if (target.clientWidth) this.paint(target);
        else this.seen.observe(target);
      }
    }, { rootMargin: "400px" });
    new IntersectionObserver((entries) => { if (entries[0].isIntersecting) this.more(); }, { rootMargin: "900px" }).observe(this.end);
  }

  // anew; the signal ends it when something else is asked for
  async load(signal) {
    this.signal = signal;
    this.total = Infinity;
    this.count = 0;
    this.busy = false;
    this.fresh = true;
    await this.more();
  }

  async more() {
    if (this.busy || this.element.hidden || this.count >= (this.total ?? 0)) return;
    this.busy = true;
    const { signal } = this;
    try {
      const page = await ask("/api/images", this.state.query({ offset: this.count, limit: PAGE }), signal);
      if (this.fresh) this.element.replaceChildren();
      this.fresh = false;
      this.total = page.total;
      this.count += page.images.length;
      this.element.append(...page.images.map((image) => this.tile(image)));
      this.nothing.hidden = page.total > 0;
      this.onPage(page);
    } catch (error) {
      if (signal.aborted) return;
      this.onPage({ problem: error.message });
      this.total = 0;
    }
    this.busy = false;
    // a tall window shows more than one page
    if (this.end.getBoundingClientRect().top < innerHeight + 400) this.more();
  }

  tile(image) {
    const tile = document.createElement("button");
    tile.className = "tile";
    tile.dataset.row = image.row;
    tile.title = `${image.file_name}, ${image.count} shown`;
    tile.append(document.createElement("canvas"), document.createElement("span"));
    for (const text of [image.file_name.split("/").pop(), String(image.count)]) {
      const part = document.createElement("b");
      part.textContent = text;
      tile.lastChild.append(part);
    }
    tile.image = image;
    tile.addEventListener("click", () => this.onOpen(image.row));
    this.seen.observe(tile);
    return tile;
  }

  async paint(tile) {
    const canvas = tile.firstChild, image = tile.image;
    const ratio = Math.min(devicePixelRatio || 1, 2);
    canvas.width = tile.clientWidth * ratio;
    canvas.height = tile.clientHeight * ratio;
    let picture;
    try {
      picture = await loadImage(`/thumb/${image.row}?side=${Math.min(1024, Math.max(canvas.width, canvas.height))}`);
    } catch (error) {
      tile.classList.add("broken");
      tile.textContent = "no picture";
      tile.title = error.message;
      return;
    }
    const scale = Math.min(canvas.width / image.width, canvas.height / image.height);
    const view = { scale, x: (canvas.width - image.width * scale) / 2, y: (canvas.height - image.height * scale) / 2 };
    const context = canvas.getContext("2d");
    context.drawImage(picture, view.x, view.y, image.width * scale, image.height * scale);
    for (const mark of image.boxes.toReversed()) {
      strokeBox(context, mark.box, view, this.dataset.categories[mark.category].colour, { dashed: mark.crowd, width: 1.25 * ratio });
    }
    tile.dataset.painted = "1";
  }
}
