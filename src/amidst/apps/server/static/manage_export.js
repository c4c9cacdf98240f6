// Taking the dataset home, and checking that everything in the campaign still follows from the answers.

import { ask } from "./api.js";
import { count, notice, section, table } from "./manage_parts.js";
import { element } from "./page.js";

/** @param {HTMLElement} root */
export async function exportPage(root) {
  const said = notice();
  const faults = element("div", {});
  const check = element("button", { type: "button" }, "Check now");
  check.addEventListener("click", async () => {
    check.disabled = true;
    try {
      const found = await ask("GET", "/api/doctor");
      faults.replaceChildren();
      if (found.length === 0) return said.say("No fault: all invariants hold, all decisions come out the same again.");
      said.refuse(`${count(found.length)} faults`);
      faults.append(table("Faults", [{ title: "Subject", value: (row) => row.subject }, { title: "Rule", value: (row) => row.rule }, { title: "Problem", value: (row) => row.problem, text: true }], found));
    } catch (error) {
      said.refuse(error);
    } finally {
      check.disabled = false;
    }
  });
  root.append(
    section(
      "Export",
      element("p", {}, "The dataset as it stands now: accepted masks and crowd regions of the images that were kept, in COCO's format. Images without objects stay; iscrowd is set for crowd regions alone."),
      element("div", { class: "row" }, element("a", { class: "button primary", href: "/api/export", download: "annotations.json" }, "annotations.json"), element("a", { class: "button", href: "/api/export/captions", download: "captions.json" }, "captions.json")),
      element("p", { class: "hint" }, "On the command line: ", element("code", {}, "amidst crowd export DIR -o annotations.json"), ", then ", element("code", {}, "amidst dataset check annotations.json"), "."),
    ),
    section("Check", element("p", {}, "Looks at every invariant of the campaign and draws every decision again from the answers that count."), element("div", { class: "row" }, check), said.line, faults),
  );
}
