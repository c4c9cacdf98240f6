// The stages of the campaign, as cards.

import { ask } from "./api.js";
import { element, openPage } from "./page.js";

/** In the order of the chain. @type {Record<string, [string, string]>} */
export const STAGES = {
  category_votes: ["Category votes", "Score which kinds of things the collection should have."],
  image_filter: ["Image filter", "Mark pictures that are broken, or show one thing all alone."],
  labelling: ["Category labelling", "Say what is in a picture, and drop an icon on one of each kind."],
  spotting: ["Instance spotting", "Put a cross on every instance of one kind."],
  segmentation: ["Instance segmentation", "Draw the outline of one instance. Each kind begins with training."],
  verification: ["Verification", "Mark the outlines that are poor."],
  crowd_regions: ["Crowd painting", "Paint what is left of a crowd as one region."],
  captions: ["Captions", "Describe a picture in a sentence or two."],
};

/** @param {string[]} known stages that have a screen */
export async function showStages(known) {
  const { main } = await openPage({ title: "Work" });
  const page = element("div", { class: "page" });
  main.replaceChildren(page);
  try {
    const [campaign, held] = await Promise.all([ask("GET", "/api/campaign"), ask("GET", "/api/tickets")]);
    const open = Object.keys(STAGES).filter((stage) => campaign.stages.includes(stage) && known.includes(stage));
    page.append(
      element("h2", {}, campaign.name),
      open.length > 0
        ? element("div", { class: "cards" }, ...open.map((stage) => card(stage, held, campaign.with_work.includes(stage))))
        : element("p", { class: "empty" }, "No stage is open at the moment."),
    );
  } catch (error) {
    page.append(element("p", { class: "banner error", role: "alert" }, error instanceof Error ? error.message : String(error)));
  }
}

/** @param {string} stage @param {{stage: string}[]} held @param {boolean} waiting whether it holds work */
function card(stage, held, waiting) {
  const [title, text] = STAGES[stage];
  const group = stage === "segmentation" ? ["segmentation", "training"] : [stage];
  const number = held.filter((one) => group.includes(one.stage)).length;
  return element(
    "a",
    { class: waiting || number > 0 ? "card" : "card idle", href: `/work/${stage}` },
    element("h2", {}, title),
    element("p", { class: "hint" }, text),
    number > 0 && element("p", {}, element("span", { class: "badge accent" }, `${number} in your hands`)),
    !waiting && number === 0 && element("p", {}, element("span", { class: "badge" }, "Nothing to do at the moment")),
  );
}
