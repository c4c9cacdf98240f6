// Who did what.

import { ask } from "./api.js";
import { day, empty, pages, section, table } from "./manage_parts.js";
import { tree } from "./manage_decisions.js";

const SIZE = 100;

/** @param {HTMLElement} root */
export async function audit(root) {
  root.append(
    section(
      "Audit, latest first",
      await pages({
        size: SIZE,
        nothing: empty("Nothing has been done yet."),
        more: "Show earlier ones",
        fetch: (last) => ask("GET", `/api/audit?limit=${SIZE}${last ? `&before=${last.id}` : ""}`),
        show: (rows) =>
          table(
            "Audit",
            [
              { title: "When", value: (row) => day(row.created_at) },
              { title: "Who", value: (row) => row.display ?? "the system", text: true },
              { title: "What", value: (row) => row.action },
              { title: "Of", value: (row) => row.subject, text: true },
              { title: "Details", value: (row) => (Object.keys(row.details).length > 0 ? tree(changes(row.details)) : ""), text: true },
            ],
            rows,
          ),
      }),
    ),
  );
}

/** Of two configurations, what differs. @param {any} details */
export function changes(details) {
  const { before, after } = details;
  if (!before || !after || typeof before !== "object") return details;
  /** @type {Record<string, string>} */
  const found = {};
  const walk = (/** @type {any} */ one, /** @type {any} */ other, /** @type {string} */ path) => {
    for (const key of Object.keys(other)) {
      const [left, right] = [one?.[key], other[key]];
      if (right && typeof right === "object" && !Array.isArray(right)) walk(left, right, `${path}${key}.`);
      else if (JSON.stringify(left) !== JSON.stringify(right)) found[path + key] = `${JSON.stringify(left)} → ${JSON.stringify(right)}`;
    }
  };
  walk(before, after, "");
  return found;
}
