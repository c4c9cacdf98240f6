// A team's own submissions: sending one with live progress, watching them, describing and withdrawing.

import { ask } from "./api.js";
import { label, OPEN_STATES, openBoard, score, size, when, words } from "./board_shared.js";
import { send } from "./board_upload.js";
import { element, field, openDialog } from "./page.js";

/** @typedef {import("./board_shared.js").Board} Board */
/** @typedef {import("./board_shared.js").Submission} Submission */
/** @typedef {{team: string | null, submissions: Submission[], left: Record<string, {today: number, total: number}>}} Mine */

const LOOK_AGAIN_MS = 1500;
const KIND_OF = /** @type {Record<string, string>} */ ({ scored: "good", failed: "bad", timed_out: "bad", withdrawn: "", received: "warn" });

/** @param {Submission} one */
function state(one) {
  const text = one.state === "queued" && one.ahead !== null ? `queued, ${one.ahead} before it` : one.state.replace("_", " ");
  return element("span", { class: `badge ${KIND_OF[one.state] ?? "accent"}` }, text);
}

/**
 * @param {string} name
 * @param {Record<string, any>} attributes
 * @param {string} [text]
 */
function area(name, attributes, text = "") {
  return element("label", { class: "field" }, name, element("textarea", attributes, text));
}

/** @param {Partial<Submission>} about */
function methodFields(about = {}) {
  return [
    field("Method", { name: "method", maxlength: 100, value: about.method ?? "" }),
    area("Description", { name: "description", maxlength: 2000, rows: 2 }, about.description),
    field("Link to paper or code", { name: "link", type: "url", maxlength: 500, placeholder: "https://", value: about.link ?? "" }),
  ];
}

/** @param {HTMLFormElement} form */
function entries(form) {
  const values = /** @type {Record<string, any>} */ (Object.fromEntries(new FormData(form)));
  return { method: values.method, description: values.description, link: values.link };
}

/** The page below the header. */
class Submissions {
  /**
   * @param {Board} board
   * @param {HTMLElement} content
   */
  constructor(board, content) {
    this.board = board;
    this.list = element("section", { class: "card form", "aria-live": "polite" });
    this.left = element("p", { class: "hint" });
    this.said = element("p", { class: "said", role: "status" });
    this.problem = element("p", { class: "problem", role: "alert" });
    this.bar = element("progress", { max: 1, value: 0, hidden: true, "aria-label": "Sent" });
    this.button = element("button", { class: "primary" }, "Send");
    this.timer = 0;
    content.append(this.form(), this.list);
  }

  form() {
    const choices = this.board.phases.map(({ name }) => element("option", { value: name }, name));
    const form = element(
      "form",
      { class: "card form" },
      element("div", { class: "row between" }, element("h2", {}, "New submission"), element("button", { class: "quiet", type: "button", onclick: showToken }, "Token for the command line…")),
      element(
        "div",
        { class: "columns" },
        element("label", { class: "field" }, "Phase", element("select", { name: "phase" }, ...choices)),
        field("Results file, .json or .zip with it", { name: "file", type: "file", accept: ".json,.zip", required: true }),
      ),
      ...methodFields(),
      this.left,
      this.bar,
      this.said,
      this.problem,
      element("div", { class: "row" }, this.button),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.sendFile(form);
    });
    return form;
  }

  /** @param {HTMLFormElement} form */
  async sendFile(form) {
    const file = /** @type {HTMLInputElement} */ (form.elements.namedItem("file")).files?.[0];
    const phase = /** @type {HTMLSelectElement} */ (form.elements.namedItem("phase")).value;
    if (!file) return;
    this.problem.textContent = "";
    this.button.disabled = true;
    this.bar.hidden = false;
    try {
      const sent = await send(file, { phase, ...entries(form) }, (bytes, found) => {
        this.bar.value = bytes / file.size;
        this.said.textContent = found ? `${size(bytes)} of ${size(file.size)} sent and checked` : "reading the file";
      });
      this.said.textContent = `submission ${sent.id}: all of it is sent and right`;
      form.reset();
    } catch (error) {
      this.said.textContent = "";
      this.problem.textContent = words(error);
    } finally {
      this.button.disabled = false;
      this.bar.hidden = true;
      await this.refresh();
    }
  }

  /** Shows the list, and again while something in it goes on. */
  async refresh() {
    clearTimeout(this.timer);
    /** @type {Mine} */
    const mine = await ask("GET", "/api/submissions");
    this.left.textContent = mine.team
      ? `${mine.team} has left: ${Object.entries(mine.left)
          .map(([phase, { today, total }]) => `${phase} ${today} today, ${total} in all`)
          .join("; ")}`
      : "You belong to no team; ask the organisers for an invitation to one.";
    this.button.disabled = !mine.team;
    this.list.replaceChildren(element("h2", {}, "Submissions of your team"), this.table(mine.submissions));
    if (mine.submissions.some((one) => OPEN_STATES.includes(one.state))) {
      this.timer = setTimeout(() => this.refresh().catch((error) => (this.problem.textContent = words(error))), LOOK_AGAIN_MS);
    }
  }

  /** @param {Submission[]} submissions */
  table(submissions) {
    if (!submissions.length) return element("p", { class: "hint" }, "None yet.");
    const head = ["No.", "Phase", "State", "Method", label(this.board.main), "Sent (UTC)", "File", "Actions"];
    const rows = submissions.map((one) =>
      element(
        "tr",
        { "data-submission": one.id },
        element("td", { class: "right" }, one.id),
        element("td", {}, one.phase),
        element("td", {}, state(one), one.reason && element("div", { class: "hint plain" }, one.reason)),
        element("td", {}, one.method),
        element("td", { class: "right main-number" }, score(one.numbers[this.board.main])),
        element("td", {}, when(one.created_at)),
        element("td", {}, one.file_name, element("span", { class: "hint" }, ` ${size(one.bytes)}`)),
        element("td", {}, this.actions(one)),
      ),
    );
    const table = element("table", { class: "table" }, element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))), element("tbody", {}, ...rows));
    return element("div", { class: "scrolls" }, table);
  }

  /** @param {Submission} one */
  actions(one) {
    const details = element("button", { class: "quiet small", type: "button", "aria-label": `Details of submission ${one.id}`, onclick: () => this.details(one) }, "Details…");
    const withdraw = element("button", { class: "quiet small", type: "button", "aria-label": `Withdraw submission ${one.id}`, onclick: () => this.withdraw(one) }, "Withdraw…");
    const can = one.state === "scored" || OPEN_STATES.includes(one.state);
    return element("div", { class: "row" }, details, can ? withdraw : "");
  }

  /** @param {Submission} one */
  async details(one) {
    const numbers = Object.entries(one.numbers).flatMap(([name, value]) => [element("dt", {}, label(name)), element("dd", {}, score(value))]);
    const form = element("form", { class: "form" }, element("dl", { class: "facts" }, ...numbers), ...methodFields(one), element("div", { class: "actions" }, element("button", { class: "primary" }, "Save")));
    const { dialog } = openDialog(`Submission ${one.id}`, [form]);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      await this.doing(() => ask("POST", `/api/submissions/${one.id}/describe`, entries(form)));
      dialog.close();
    });
  }

  /** @param {Submission} one */
  async withdraw(one) {
    const counts = one.state === "scored" ? "It leaves the table and still counts against the limits." : "It will not be scored and not count.";
    const { answer } = openDialog(`Withdraw submission ${one.id}?`, [element("p", {}, counts)], [
      { value: "", text: "Keep it" },
      { value: "yes", text: "Withdraw", kind: "danger" },
    ]);
    if ((await answer) === "yes") await this.doing(() => ask("POST", `/api/submissions/${one.id}/withdraw`));
  }

  /** @param {() => Promise<unknown>} work */
  async doing(work) {
    this.problem.textContent = "";
    try {
      await work();
    } catch (error) {
      this.problem.textContent = words(error);
    }
    await this.refresh();
  }
}

async function showToken() {
  const { token } = await ask("POST", "/api/token");
  openDialog(
    "Token for the command line",
    [
      element("p", { class: "hint" }, "It is shown only now, and lets programs submit in your name."),
      element("p", {}, element("code", {}, `export AMIDST_TOKEN=${token}`)),
      element("p", {}, element("code", {}, `amidst leaderboard submit ${location.origin} results.json --phase dev`)),
    ],
    [{ value: "", text: "Done", kind: "primary" }],
  );
}

const { account, board, content } = await openBoard();
if (!account) location.replace("/enter?to=/submissions");
else {
  try {
    await new Submissions(board, content).refresh();
  } catch (error) {
    content.append(element("p", { class: "problem", role: "alert" }, words(error)));
  }
}
