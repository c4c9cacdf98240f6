// Taking a worker's work out of all decisions: first see what it reopens and costs; it can always be taken back.

import { ask } from "./api.js";
import { badge, choice, count, day, empty, figures, hours, money, notice, pages, section, STAGE_CHOICES, stageName, table } from "./manage_parts.js";
import { element, field } from "./page.js";

const SIZE = 50;

/** @param {HTMLElement} root */
export async function voids(root) {
  const said = notice();
  const list = element("div", {});
  async function draw() {
    list.replaceChildren(
      await pages({
        size: SIZE,
        nothing: empty("No work has been voided."),
        fetch: (last) => ask("GET", `/api/voids?limit=${SIZE}${last ? `&before=${last.id}` : ""}`),
        show: (rows) => table("Voids", columns(revert), rows),
      }),
    );
  }
  /** @param {any} row */
  async function revert(row) {
    try {
      const effect = await ask("POST", `/api/voids/${row.id}/revert`);
      said.say(`${count(effect.answers)} answers of ${row.display} count again${effect.surplus > 0 ? `; ${count(effect.surplus)} stay out, for their places were filled meanwhile` : ""}.`);
      await draw();
    } catch (error) {
      said.refuse(error);
    }
  }
  root.append(section("Void a worker's work", ...form(said, draw)), said.line, section("Voids", list));
  await draw();
}

/** @param {ReturnType<typeof notice>} said @param {() => Promise<void>} done */
function form(said, done) {
  const effect = element("div", { class: "form" });
  const made = element(
    "form",
    { class: "row" },
    field("Worker's number", { name: "worker", type: "number", min: 1, step: 1, required: true, value: location.hash.slice(1) }),
    choice("Stage", { name: "stage", value: "" }, STAGE_CHOICES),
    element("button", { class: "primary" }, "See what it would do"),
  );
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = new FormData(made);
    const what = { worker: Number(fields.get("worker")), stage: fields.get("stage") || null };
    try {
      const [found, one] = await Promise.all([ask("POST", "/api/voids/preview", what), ask("GET", `/api/workers/${what.worker}`)]);
      said.line.hidden = true;
      effect.replaceChildren(...preview(found, one.worker, what, said, async () => {
        effect.replaceChildren();
        await done();
      }));
    } catch (error) {
      effect.replaceChildren();
      said.refuse(error);
    }
  });
  made.addEventListener("input", () => effect.replaceChildren()); // a preview is of what the form says
  return [
    element("p", { class: "hint" }, "Answers are kept and marked; what rested on them is decided again, and places that are free now are handed out again. Payment is another matter. You see the effect before anything happens, and can take it back."),
    made,
    effect,
  ];
}

/** @param {any} found @param {any} worker @param {{worker: number, stage: unknown}} what @param {ReturnType<typeof notice>} said @param {() => Promise<void>} done */
function preview(found, worker, what, said, done) {
  if (found.answers === 0) return [empty(`${worker.display} has no answer in use${what.stage ? ` in ${stageName(String(what.stage))}` : ""}.`)];
  const form = element("form", { class: "row" }, field("Reason", { name: "reason", maxlength: 500, required: true }), element("button", { class: "danger" }, `Void ${count(found.answers)} answers of ${worker.display}`));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const effect = await ask("POST", "/api/voids", { ...what, reason: String(new FormData(form).get("reason")) });
      said.say(`${count(effect.answers)} answers of ${worker.display} are void. “Take back” below brings them in again.`);
      await done();
    } catch (error) {
      said.refuse(error);
    }
  });
  const judgements = Object.entries(found.judgements);
  const again = Object.entries(found.again);
  return [
    element(
      "div",
      { class: "card form", role: "status", "aria-label": "Effect" },
      figures({ "answers taken out": count(found.answers), "things that lose a judgement": count(found.places), "work to do again": hours(found.hours), ...(found.cost > 0 ? { cost: money(found.cost) } : {}) }),
      judgements.length > 0 && table("Judgements that are asked for again", [{ title: "Judgements asked for again", value: ([stage]) => stageName(stage) }, { title: "Number", value: ([, number]) => count(number), right: true }], judgements),
      again.length > 0 && table("Images, cells and masks that are decided again", [{ title: "Decided again in", value: ([stage]) => stageName(stage) }, { title: "Number", value: ([, number]) => count(number), right: true }], again),
    ),
    form,
  ];
}

/** @param {(row: any) => void} revert @returns {import("./manage_parts.js").ColumnOf<any>[]} */
function columns(revert) {
  return [
    { title: "Worker", value: (row) => element("a", { href: `/manage/worker#${row.worker}` }, row.display), text: true },
    { title: "Stage", value: (row) => (row.stage ? stageName(row.stage) : "all") },
    { title: "Answers", value: (row) => count(row.answers), right: true, hint: "out of use by it now" },
    { title: "Reason", value: (row) => row.reason, text: true },
    { title: "By", value: (row) => row.by, text: true },
    { title: "When", value: (row) => day(row.created_at) },
    { title: "", value: (row) => (row.reverted_at === null ? element("button", { class: "small", type: "button", onclick: () => revert(row) }, "Take back") : badge(`taken back ${day(row.reverted_at)}`)) },
  ];
}
