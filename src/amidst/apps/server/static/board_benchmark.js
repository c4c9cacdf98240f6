// For organisers: the settings of the benchmark as a whole.

import { ask } from "./api.js";
import { choice, notice, section } from "./manage_parts.js";
import { element, field } from "./page.js";

/** @typedef {{name: string, description: string, config: Record<string, any>}} Settings */

/** Numbers by their keys, and what they mean. @type {[string, string][]} */
const LIMITS = [
  ["uploads.max_bytes", "Bytes of a file"],
  ["uploads.max_unpacked", "Bytes of a zip, unpacked"],
  ["uploads.max_ratio", "Times that a zip may be packed"],
  ["uploads.max_per_image", "Records of one image"],
  ["times.received", "Seconds until the first byte has come"],
  ["times.checking", "Seconds until the last byte has come"],
  ["times.queued", "Seconds in the queue"],
  ["times.running", "Seconds of scoring"],
  ["times.lease", "Seconds until a silent scorer is dead"],
  ["times.watch", "Seconds between looks of the watchdog"],
  ["times.retries", "Tries after a dead scorer"],
  ["near_equal", "Nearly the same: share of equal records"],
];

/** @param {HTMLElement} root */
export async function benchmark(root) {
  /** @type {Settings} */
  const { name, description, config } = await ask("GET", "/api/board/settings");
  const said = notice();
  const form = element(
    "form",
    { class: "form" },
    field("Name", { name: "name", maxlength: 200, required: true, value: name }),
    element("label", { class: "field" }, "Description, above the tables", element("textarea", { name: "description", maxlength: 4000, rows: 4 }, description)),
    field("Contact: whom to ask, in words or as an e-mail address; everybody sees it", { name: "contact", maxlength: 200, value: config.contact }),
    choice("Equal scores; once there are any, this stays", { name: "tie", value: config.tie }, [["earlier", "the earlier submission goes first"], ["shared", "share the place"]]),
    element("label", { class: "row" }, element("input", { name: "keep_uploads", type: "checkbox", checked: config.keep_uploads }), "Keep the files of scored submissions"),
    element(
      "details",
      {},
      element("summary", {}, "Limits of files, times"),
      element("p", { class: "hint" }, "Limits of a file hold for what begins to come from now on."),
      element("div", { class: "columns" }, ...LIMITS.map(([key, text]) => field(text, { name: key, type: "number", step: "any", min: 0, required: true, value: at(config, key.split(".")) }))),
    ),
    said.line,
    element("div", { class: "row" }, element("button", { class: "primary" }, "Save")),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const saved = await ask("POST", "/api/board/settings", entries(form, config));
      /** @type {HTMLElement} */ (document.querySelector("header h1")).textContent = saved.name;
      said.say("Saved, and in force.");
    } catch (error) {
      said.refuse(error);
    }
  });
  root.append(section("Benchmark", element("p", { class: "hint" }, `Scored: ${config.kind}. What is scored, the annotations and their division into phases stay as they were made.`), form));
}

/** @param {Record<string, any>} tree @param {string[]} steps @returns {any} */
const at = (tree, steps) => steps.reduce((branch, step) => branch[step], tree);

/** What the form says, on top of what it does not ask. @param {HTMLFormElement} form @param {Record<string, any>} before @returns {Settings} */
function entries(form, before) {
  const values = new FormData(form);
  const text = (/** @type {string} */ name) => String(values.get(name)).trim();
  const config = { ...structuredClone(before), contact: text("contact"), tie: text("tie"), keep_uploads: values.has("keep_uploads") };
  for (const [key] of LIMITS) {
    const steps = key.split(".");
    at(config, steps.slice(0, -1))[steps[steps.length - 1]] = Number(values.get(key));
  }
  return { name: text("name"), description: text("description"), config };
}
