// The state of the page: filters, view and open image. It lives in the address, so that reloading, the back button
// and a copied link all lead to the same sight.

const FILTERS = ["text", "source", "split", "size", "crowd", "outcome", "min_score", "max_score", "order", "empty", "seed"];
const DEFAULTS = { source: "truth", crowd: "any", outcome: "any", order: "file" };

export class State {
  constructor() {
    this.filters = {};
    this.categories = [];
    this.view = "grid";
    this.row = null;
    this.listeners = [];
    this.read();
    addEventListener("popstate", () => { this.read(); this.tell({ back: true }); });
  }

  read() {
    const given = new URLSearchParams(location.hash.slice(1));
    this.filters = {};
    for (const name of FILTERS) if (given.get(name)) this.filters[name] = given.get(name);
    this.categories = given.getAll("category");
    this.view = given.get("view") === "sheet" ? "sheet" : "grid";
    this.row = given.has("row") ? Number(given.get("row")) : null;
  }

  // what the server is asked with
  query(extra = {}) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(this.filters)) if (value && value !== DEFAULTS[name]) query.set(name, value);
    if (this.filters.source !== "found") {
      query.delete("min_score");
      query.delete("max_score");
      if (query.has("outcome")) query.set("least", this.minScore); // what is found from this score on
    }
    for (const name of this.categories) query.append("category", name);
    for (const [name, value] of Object.entries(extra)) query.set(name, value);
    return query;
  }

  get minScore() { return Number(this.filters.min_score ?? 0.3); }

  change(changes, { replace = false } = {}) {
    Object.assign(this, changes);
    const address = new URLSearchParams();
    for (const [name, value] of Object.entries(this.filters)) if (value && value !== DEFAULTS[name]) address.set(name, value);
    for (const name of this.categories) address.append("category", name);
    if (this.view !== "grid") address.set("view", this.view);
    if (this.row !== null) address.set("row", this.row);
    history[replace ? "replaceState" : "pushState"](null, "", `#${address}`);
    this.tell(changes);
  }

  filter(changes) { this.change({ filters: { ...this.filters, ...changes } }, { replace: true }); }
  listen(listener) { this.listeners.push(listener); }
  tell(changes) { for (const listener of this.listeners) listener(changes); }
}
