// The categories of a campaign: adding one while it runs, retiring one, taking it up again.

import { ask } from "./api.js";
import { count, notice, section, stateBadge, table } from "./manage_parts.js";
import { element, field } from "./page.js";

/** @typedef {{id: number, name: string, supercategory: string, state: "active" | "retired", cells: number, masks: number}} Category */

/** The section of the page of settings. */
export async function categories() {
  const said = notice();
  const list = element("div", {});
  const groups = element("datalist", { id: "groups" });

  async function draw() {
    /** @type {Category[]} */
    const rows = await ask("GET", "/api/categories/all");
    list.replaceChildren(table("Categories", columns(change), rows));
    groups.replaceChildren(...[...new Set(rows.map((row) => row.supercategory))].map((value) => element("option", { value })));
  }

  /** @param {Category} row */
  async function change(row) {
    const retire = row.state === "active";
    try {
      const { asked } = await ask("POST", `/api/categories/${row.id}/${retire ? "retire" : "restore"}`);
      said.say(retire ? `Nobody is asked about ${row.name} any more. What was said of it is kept.` : `${row.name} is asked about again${again(asked)}.`);
      await draw();
    } catch (error) {
      said.refuse(error);
    }
  }

  const form = element(
    "form",
    { class: "row" },
    field("Name", { name: "category", maxlength: 200, required: true }),
    field("Group", { name: "group", maxlength: 200, required: true, list: "groups", autocomplete: "off" }),
    field("What it is, for workers", { name: "definition", maxlength: 2000 }),
    groups,
    element("button", {}, "Add category"),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = new FormData(form);
    const [name, supercategory, definition] = ["category", "group", "definition"].map((key) => String(fields.get(key)).trim());
    try {
      const { asked } = await ask("POST", "/api/categories", { name, supercategory, definition });
      form.reset();
      said.say(`${name} is there${again(asked)}.`);
      await draw();
    } catch (error) {
      said.refuse(error);
    }
  });
  await draw();
  return section(
    "Categories",
    element("p", { class: "hint" }, "Images that were labelled before are asked about a new category alone, by as many workers as an image has. Of a retired one icons, crosses, masks and votes are kept; its work is called off, and the export leaves it out until it is taken up again."),
    form,
    said.line,
    list,
  );
}

/** @param {number} asked */
const again = (asked) => (asked > 0 ? `; ${count(asked)} images that were labelled without it are asked about it` : "");

/** @param {(row: Category) => void} change @returns {import("./manage_parts.js").ColumnOf<Category>[]} */
function columns(change) {
  return [
    { title: "Id", value: (row) => row.id, right: true },
    { title: "Name", value: (row) => row.name, text: true },
    { title: "Group", value: (row) => row.supercategory, text: true },
    { title: "Seen in images", value: (row) => count(row.cells), right: true },
    { title: "Accepted masks", value: (row) => count(row.masks), right: true },
    { title: "State", value: (row) => stateBadge(row.state) },
    { title: "", value: (row) => element("button", { class: "small", type: "button", "aria-label": `${row.state === "active" ? "Retire" : "Take up"} ${row.name}`, onclick: () => change(row) }, row.state === "active" ? "Retire" : "Take up again") },
  ];
}
