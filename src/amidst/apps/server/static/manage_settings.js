// The campaign's configuration as a form, made from what the server says of its fields; its categories.

import { ask } from "./api.js";
import { categories } from "./manage_categories.js";
import { notice, section } from "./manage_parts.js";
import { element } from "./page.js";

/** @typedef {{key: string, kind: "text" | "whole" | "number" | "flag" | "choices", default: any, note: string, choices: string[]}} Field */
/** @typedef {{name: string, about: string, fields: Field[]}} Group */

/** @param {HTMLElement} root */
export async function settings(root) {
  const [{ groups }, config] = await Promise.all([ask("GET", "/api/settings/form"), ask("GET", "/api/settings")]);
  const said = notice();
  const form = element("form", { class: "form" }, ...groups.map((/** @type {Group} */ group) => part(group, config)));
  const save = element("button", { class: "primary" }, "Save");
  form.append(element("div", { class: "row" }, save, said.line));
  form.noValidate = true; // the server says what does not fit, and why
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const before = await ask("GET", "/api/settings");
      await ask("PUT", "/api/settings", read(groups, form, before));
      said.say("Saved. What was decided stays decided by the rules of its time.");
    } catch (error) {
      said.refuse(error);
    }
  });
  root.append(element("p", { class: "hint" }, "Numbers of the thesis stand without a mark; “ours” marks what it does not give. A coloured edge marks what differs from the default."), form, await categories());
}

/** @param {Group} group @param {any} config */
function part({ name, about, fields }, config) {
  const lines = fields.flatMap((field) => {
    const value = field.key.split(".").reduce((tree, step) => tree[step], config);
    const same = JSON.stringify(value) === JSON.stringify(field.default);
    const id = `field ${field.key}`;
    const label = element("label", { for: id, class: same ? null : "changed" }, field.key.split(".").at(-1) ?? "");
    if (field.kind === "choices") return [element("span", {}, field.key), choices(field, value)];
    const note = [field.note, field.kind === "flag" ? "" : `default ${field.default}`].filter(Boolean).join("; ");
    return [label, input(field, value, id), element("span", { class: "hint" }, note)];
  });
  return section(name.replaceAll("_", " "), element("p", { class: "hint" }, about), element("div", { class: "settings" }, ...lines));
}

/** @param {Field} field @param {any} value @param {string} id */
function input({ key, kind }, value, id) {
  if (kind === "flag") return element("input", { id, name: key, type: "checkbox", checked: value === true });
  if (kind === "text") return element("input", { id, name: key, value, maxlength: 200 });
  return element("input", { id, name: key, type: "number", step: kind === "whole" ? 1 : "any", value });
}

/** @param {Field} field @param {string[]} value */
function choices({ key, choices }, value) {
  return element(
    "div",
    { class: "choices", role: "group", "aria-label": key },
    ...choices.map((one) => element("label", {}, element("input", { type: "checkbox", name: key, value: one, checked: value.includes(one) }), one.replaceAll("_", " "))),
  );
}

/**
 * The configuration that the form says, on top of what it does not ask. Throws Error where something is missing.
 * @param {Group[]} groups
 * @param {HTMLFormElement} form
 * @param {any} before
 */
function read(groups, form, before) {
  const config = structuredClone(before);
  const fields = new FormData(form);
  if (!fields.has("stages")) throw new Error("Without a stage there is no work: leave at least one on. To stop for a while, pause the campaign on its first page.");
  for (const { key, kind } of groups.flatMap((group) => group.fields)) {
    const steps = key.split(".");
    const last = /** @type {string} */ (steps.pop());
    const branch = steps.reduce((tree, step) => tree[step], config);
    const text = String(fields.get(key) ?? "");
    if (kind === "choices") branch[last] = fields.getAll(key);
    else if (kind === "flag") branch[last] = fields.has(key);
    else if (kind === "text") branch[last] = text;
    else if (text === "") throw new Error(`${key}: a number is missing.`);
    else branch[last] = Number(text);
  }
  return config;
}
