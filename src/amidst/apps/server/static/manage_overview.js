// How the campaign stands: what is done, what is left, what it will cost, who is at work.

import { ask } from "./api.js";
import { activityPlot } from "./charts.js";
import { count, day, decimal, figures, hours, money, notice, section, stageName, stateBadge, table, turns } from "./manage_parts.js";
import { element } from "./page.js";

/** @typedef {import("./types.js").Account} Account */

const EVERY_MS = 20_000;

/** @param {HTMLElement} root @param {Account} account */
export async function overview(root, account) {
  const manages = ["owner", "manager"].includes(account.role);
  const turn = turns();
  async function draw() {
    const isLast = turn();
    const [stand, activity] = await Promise.all([ask("GET", "/api/overview"), ask("GET", "/api/activity")]);
    const open = root.querySelector("details[open]"); // somebody is reading
    if (isLast() && (!open || root.childElementCount === 0)) root.replaceChildren(...content(stand, activity, manages, draw));
  }
  await draw();
  const timer = setInterval(() => document.hidden || draw().catch(() => {}), EVERY_MS);
  return () => clearInterval(timer);
}

/** @param {any} stand @param {any} activity @param {boolean} manages @param {() => Promise<void>} again */
function content({ at, progress, outlook, lacking, hour_cost }, activity, manages, again) {
  const paused = progress.state === "paused";
  const said = notice();
  const turn = element("button", { type: "button", onclick: () => ask("POST", "/api/campaign/state", { state: paused ? "open" : "paused" }).then(again, said.refuse) }, paused ? "Go on handing out work" : "Pause the campaign");
  const left = outlook.stages.reduce((/** @type {number} */ sum, /** @type {any} */ one) => sum + one.waiting + one.later, 0);
  return [
    element("div", { class: "row between" }, element("div", { class: "row" }, element("h2", {}, progress.name), stateBadge(progress.state)), manages && turn),
    said.line,
    ...(progress.unsettled > 0 ? [element("p", { class: "banner", role: "status" }, `After a change, ${count(progress.unsettled)} decisions are still being drawn again. Work goes on; nothing is exported before.`)] : []),
    ...lacking.map((/** @type {any} */ one) => element("p", { class: "banner warning", role: "status" }, one.text)),
    element(
      "div",
      { class: "card" },
      figures({
        images: count(progress.images.kept ?? 0),
        "accepted masks": count(progress.masks.accepted ?? 0),
        workers: count(progress.workers),
        "tickets out now": count(progress.live_tickets),
        "judgements to go": count(left),
        "hours to go": hours(outlook.hours),
        ...(hour_cost > 0 ? { [`cost to go, at ${money(hour_cost)} an hour`]: money(outlook.cost) } : {}),
      }),
    ),
    section("Stages", stages(progress, outlook), ...remarks(outlook)),
    section(
      "Activity",
      ...(activity.hours.length > 0 ? activityPlot(activity.hours, activity.at) : [element("p", { class: "hint" }, "No answer in the last seven days.")]),
    ),
    element("div", { class: "columns" }, ...states(progress)),
    element("p", { class: "hint" }, `Counted ${day(at)}; counted anew every few seconds.`),
  ];
}

/** @param {any} progress @param {any} outlook */
function stages(progress, outlook) {
  const done = new Map(progress.stages.map((/** @type {any} */ one) => [one.stage, one]));
  return table(
    "Stages",
    [
      { title: "Stage", value: (row) => stageName(row.stage) },
      { title: "Judgements", value: (row) => meter(done.get(row.stage), row), hint: "done, of those asked for so far" },
      { title: "In queue", value: (row) => count(row.waiting), right: true, hint: "judgements of what exists" },
      { title: "Out now", value: (row) => count(done.get(row.stage)?.leased ?? 0), right: true },
      { title: "Still to come", value: (row) => count(row.later), right: true, hint: "expected of what the earlier stages will bring" },
      { title: "Seconds each", value: (row) => element("span", { class: row.measured ? null : "hint", title: row.measured ? "measured here" : "until enough is measured here: the thesis's figure" }, decimal(row.seconds, 1), row.measured ? "" : " *"), right: true },
      { title: "Hours to go", value: (row) => hours(row.hours), right: true },
    ],
    outlook.stages,
  );
}

/** @param {any} units @param {any} row */
function meter(units, row) {
  if (!units) return row.answers > 0 ? `${count(row.answers)} answers` : "–";
  return element("span", { class: "meter" }, element("progress", { max: Math.max(units.needed, 1), value: units.done, "aria-label": `${stageName(row.stage)}: done` }), element("span", { class: "number" }, `${count(units.done)} of ${count(units.needed)}`));
}

/** @param {any} outlook */
function remarks(outlook) {
  const made = [];
  if (outlook.stages.some((/** @type {any} */ one) => !one.measured)) made.push("* Too few answers to measure: the time is the thesis's, or ours where it gives none.");
  if (outlook.guessed.length > 0) made.push(`“Still to come” rests on the thesis's figures for ${outlook.guessed.join(", ")}, until enough is finished here.`);
  return made.map((text) => element("p", { class: "hint" }, text));
}

/** @param {any} progress */
function states(progress) {
  const named = { Images: progress.images, "Categories in images": progress.cells, Masks: progress.masks, "Crowd regions": progress.regions };
  return Object.entries(named).map(([title, states]) => {
    const rows = Object.entries(states);
    if (rows.length === 0) return section(title, element("p", { class: "hint" }, "None yet."));
    return section(title, table(title, [{ title: "State", value: ([name]) => stateBadge(name) }, { title: "Number", value: ([, number]) => count(number), right: true }], rows));
  });
}
