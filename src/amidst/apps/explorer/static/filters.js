// The form on the left: each control is one condition, and the address remembers them all.

const $ = (id) => document.getElementById(id);

export class Filters {
  constructor(state, dataset) {
    Object.assign(this, { state, dataset });
    this.form = $("filters");
    $("source-field").hidden = !dataset.has_results;
    $("score-field").hidden = !dataset.has_results;
    $("outcome-field").hidden = !dataset.has_results;
    $("split-field").hidden = dataset.splits.length < 2;
    $("split").append(option("", "all"), ...dataset.splits.map((s) => option(s.name, `${s.name} (${s.images.toLocaleString("en")})`)));
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.waiting = 0;
    this.form.addEventListener("input", (event) => {
      if (!event.target.name) return;
      clearTimeout(this.waiting);
      this.waiting = setTimeout(() => this.read(), event.target.type === "search" || event.target.type === "number" ? 250 : 0);
    });
    $("category-search").addEventListener("input", () => this.find($("category-search").value));
    $("category-search").addEventListener("keydown", (event) => {
      const first = [...$("categories").children].find((button) => !button.hidden);
      if (event.key === "Enter" && first) first.click();
    });
    $("clear-categories").addEventListener("click", () => {
      this.settle();
      state.change({ categories: [] }, { replace: true });
    });
    this.listed = null;
    this.show();
  }

  // what is being typed counts before anything else changes
  settle() { if (this.waiting) this.read(); }

  read() {
    clearTimeout(this.waiting);
    this.waiting = 0;
    const given = new FormData(this.form);
    const filters = { ...this.state.filters };
    for (const name of ["text", "source", "split", "size", "crowd", "outcome", "min_score", "max_score", "order"]) filters[name] = given.get(name) ?? "";
    filters.empty = given.get("empty") ?? "";
    this.state.change({ filters }, { replace: true });
  }

  // the state as the form shows it
  show() {
    const { filters } = this.state;
    const defaults = { source: "truth", crowd: "any", outcome: "any", order: "file", size: "", min_score: "0.3", max_score: "1", text: "", split: "" };
    for (const [name, otherwise] of Object.entries(defaults)) {
      const control = this.form.elements[name];
      if (control) control.value = filters[name] ?? otherwise;
    }
    this.form.elements.empty.checked = filters.empty === "1";
    $("crowd-field").hidden = filters.source === "found";
    $("outcome-right").textContent = filters.source === "found" ? "hit" : "found";
    $("outcome-wrong").textContent = filters.source === "found" ? "false alarm" : "missed";
    const source = filters.source === "found" ? "detections" : "annotations";
    if (this.listed !== source) this.list(source);
    for (const button of $("categories").children) button.setAttribute("aria-pressed", String(this.state.categories.includes(button.dataset.name)));
    $("clear-categories").hidden = this.state.categories.length === 0;
  }

  list(source) {
    this.listed = source;
    const sorted = this.dataset.categories.toSorted((a, b) => b[source] - a[source] || a.name.localeCompare(b.name));
    $("categories").replaceChildren(...sorted.map((category) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "category";
      button.dataset.name = category.name;
      button.title = category.supercategory ? `${category.name}, ${category.supercategory}; with Ctrl or Shift: several` : "with Ctrl or Shift: several";
      const colour = document.createElement("i"), name = document.createElement("b"), count = document.createElement("span");
      colour.style.background = category.colour;
      name.textContent = category.name;
      count.textContent = category[source].toLocaleString("en");
      button.append(colour, name, count);
      button.addEventListener("click", (event) => this.choose(category.name, event.ctrlKey || event.metaKey || event.shiftKey));
      return button;
    }));
    this.find($("category-search").value);
  }

  find(text) {
    const wanted = text.trim().toLowerCase();
    for (const button of $("categories").children) button.hidden = !button.title.toLowerCase().includes(wanted) && !button.dataset.name.toLowerCase().includes(wanted);
  }

  choose(name, several) {
    this.settle();
    const { categories } = this.state, chosen = categories.includes(name);
    const others = several ? categories.filter((other) => other !== name) : [];
    this.state.change({ categories: chosen && (several || categories.length === 1) ? others : [...others, name] }, { replace: true });
  }
}

function option(value, text) {
  const made = document.createElement("option");
  made.value = value;
  made.textContent = text;
  return made;
}
