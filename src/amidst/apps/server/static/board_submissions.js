// A team's own submissions: sending one, watching all of them live, describing and withdrawing.

import { ask } from "./api.js";
import { entries, methodFields, sendForm, Sending } from "./board_send.js";
import { label, numberList, OPEN_STATES, openBoard, score, size, stateBadge, until, when, whom } from "./board_shared.js";
import { searching } from "./board_search.js";
import { empty, notice, section, showProblem, table, turns, words } from "./manage_parts.js";
import { element, field, openDialog } from "./page.js";

/** @typedef {import("./board_shared.js").Board} Board */
/** @typedef {import("./board_shared.js").Mine} Mine */
/** @typedef {import("./board_shared.js").Submission} Submission */

const WATCHED_MS = 1500; // while something goes on
const LONG = 10; // submissions from which on they are searched
const IDLE_MS = 20_000; // what others of the team do

/** The page below the header. */
class Submissions {
  /**
   * @param {Board} board
   * @param {HTMLElement} content
   */
  constructor(board, content) {
    this.board = board;
    this.said = notice();
    this.told = element("p", { class: "sr", role: "status" });
    this.list = element("div", { class: "form" });
    this.file = element("input", { type: "file", accept: ".json,.zip", hidden: true, "aria-label": "The rest of a file" });
    this.sending = new Sending(() => this.refresh());
    const token = element("button", { class: "quiet", type: "button", onclick: () => showToken(board).catch(this.said.refuse) }, "Token for the command line…");
    this.send = sendForm(board, this.sending, token);
    this.search = searching(["method"], () => this.refresh());
    this.known = "";
    /** @type {Map<number, string>} */
    this.states = new Map();
    this.timer = 0;
    this.turn = turns();
    content.append(this.send.form, section("Submissions of your team", this.said.line, this.told, this.search.form, this.list, this.search.pages, this.file));
    document.addEventListener("visibilitychange", () => document.hidden || this.refresh());
  }

  /** Shows the list, and again after a while; what cannot be asked now is asked later. */
  async refresh() {
    clearTimeout(this.timer);
    const isLast = this.turn();
    let wait = IDLE_MS;
    try {
      /** @type {Mine} */
      const mine = await ask("GET", this.search.address("/api/submissions"));
      if (!isLast()) return;
      if (mine.submissions.some((one) => OPEN_STATES.includes(one.state))) wait = WATCHED_MS;
      this.send.update(mine);
      this.search.form.hidden = mine.submissions.length < LONG && !this.search.narrowed();
      this.search.show(mine.submissions);
      this.show(mine);
      if (this.offline) this.said.line.hidden = true;
      this.offline = false;
    } catch (error) {
      if (!isLast()) return;
      this.offline = true;
      this.said.refuse(new Error(`${words(error)}; this list is as it was, and is asked for again`));
    }
    if (!document.hidden) this.timer = setTimeout(() => this.refresh(), wait);
  }

  offline = false;

  /** Draws the list where it has changed, and keeps the focus where it was. @param {Mine} mine */
  show(mine) {
    const text = JSON.stringify([mine, this.sending.current]);
    if (text === this.known) return;
    this.known = text;
    this.tell(mine.submissions);
    const focused = this.list.contains(document.activeElement) ? document.activeElement?.getAttribute("aria-label") : null;
    this.list.replaceChildren(mine.team === null ? noTeam(this.board) : mine.submissions.length > 0 ? this.table(mine.submissions) : empty(this.search.narrowed() ? "None that fits." : "None yet. Choose a results file above; it is checked while it is sent, and scored at once."));
    if (focused) /** @type {HTMLElement | null} */ (this.list.querySelector(`[aria-label="${CSS.escape(focused)}"]`))?.focus();
  }

  /** What has changed, for who does not see the list. @param {Submission[]} submissions */
  tell(submissions) {
    const news = submissions.filter((one) => this.states.has(one.id) && this.states.get(one.id) !== one.state);
    if (news.length > 0) this.told.textContent = news.map((one) => `Submission ${one.id}: ${one.state.replace("_", " ")} ${score(one.numbers[this.board.main])}`).join(". ");
    this.states = new Map(submissions.map((one) => [one.id, one.state]));
  }

  /** @param {Submission[]} submissions */
  table(submissions) {
    const main = this.board.main;
    const made = table(
      "Submissions of your team",
      [
        { title: "No.", value: (one) => one.id, right: true },
        { title: "Phase", value: (one) => one.phase },
        { title: "State", value: (one) => this.state(one) },
        { title: label(main), value: (one) => element("span", { class: "main-number" }, score(one.numbers[main])), right: true },
        { title: "Method", value: (one) => one.method, text: true },
        { title: "Sent (UTC)", value: (one) => element("span", { class: "date" }, when(one.created_at)) },
        { title: "File", value: (one) => element("div", { class: "file" }, one.file_name, element("span", { class: "hint" }, ` ${size(one.bytes)}`)) },
        { title: "Actions", value: (one) => this.actions(one) },
      ],
      submissions,
    );
    made.querySelectorAll("tbody tr").forEach((line, index) => line.setAttribute("data-submission", String(submissions[index].id)));
    return made;
  }

  /** @param {Submission} one */
  state(one) {
    const coming = one.offset !== undefined && element("progress", { max: one.bytes, value: one.offset, "aria-label": `Submission ${one.id}, sent` });
    const come = one.offset !== undefined && element("span", { class: "hint" }, `${size(one.offset)} of ${size(one.bytes)}`);
    const since = one.state === "running" && element("span", { class: "hint" }, `for ${until(one.state_since)}`);
    return element("div", { class: "state" }, stateBadge(one), coming, come, since, one.reason && element("div", { class: "reason" }, one.reason));
  }

  /** @param {Submission} one */
  actions(one) {
    /** @param {string} text @param {string} name @param {() => void} work */
    const button = (text, name, work) => element("button", { class: "small", type: "button", "aria-label": `${name} submission ${one.id}`, onclick: work }, text);
    const rests = one.offset !== undefined && this.sending.current !== one.id;
    return element(
      "div",
      { class: "row" },
      rests && button("Continue…", "Continue", () => this.continue(one)),
      button("Details…", "Details of", () => this.details(one).catch(this.said.refuse)),
      (one.state === "scored" || OPEN_STATES.includes(one.state)) && button("Withdraw…", "Withdraw", () => this.withdraw(one)),
    );
  }

  /** @param {Submission} one */
  continue(one) {
    this.file.value = "";
    this.file.onchange = () => {
      const [file] = this.file.files ?? [];
      if (file) this.sending.resume(file, one);
    };
    this.file.click();
  }

  /** @param {Submission} one */
  async details(one) {
    /** @type {{after: string, reason: string, created_at: number}[]} */
    const changes = await ask("GET", `/api/submissions/${one.id}/changes`);
    const steps = changes.flatMap((step) => [element("dt", {}, when(step.created_at)), element("dd", {}, step.after.replace("_", " "), step.reason && `: ${step.reason}`)]);
    const form = element(
      "form",
      { class: "form" },
      Object.keys(one.numbers).length > 0 && numberList(one.numbers),
      element("details", {}, element("summary", { class: "hint" }, "What it went through (UTC)"), element("dl", { class: "facts" }, ...steps)),
      ...methodFields(one),
      element("div", { class: "actions" }, element("button", { class: "quiet", type: "button", onclick: () => dialog.close() }, "Close"), element("button", { class: "primary" }, "Save")),
    );
    const problem = notice();
    form.append(problem.line);
    const { dialog } = openDialog(`Submission ${one.id}`, [form]);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        await ask("POST", `/api/submissions/${one.id}/describe`, entries(form));
        dialog.close();
        await this.refresh();
      } catch (error) {
        problem.refuse(error);
      }
    });
  }

  /** @param {Submission} one */
  async withdraw(one) {
    const counts = one.state === "scored" ? "It leaves the table and still counts against the limits." : "It will not be scored and not count.";
    const why = field("Why (may be left out)", { maxlength: 300 });
    const { answer } = openDialog(`Withdraw submission ${one.id}?`, [element("div", { class: "form" }, element("p", {}, counts), why)], [
      { value: "", text: "Keep it" },
      { value: "yes", text: "Withdraw", kind: "danger" },
    ]);
    if ((await answer) !== "yes") return;
    if (this.sending.current === one.id) this.sending.control?.abort();
    try {
      await ask("POST", `/api/submissions/${one.id}/withdraw`, { reason: why.querySelector("input")?.value ?? "" });
      this.said.say(`Submission ${one.id} is withdrawn.`);
    } catch (error) {
      this.said.refuse(error);
    }
    await this.refresh();
  }
}

/** @param {Board} board */
const noTeam = (board) => empty("You belong to no team.", element("p", { class: "hint" }, "Ask the organisers for the link of a team: they make one on their page, under Teams. Open it in this browser."), whom(board));

/** @param {Board} board */
async function showToken(board) {
  const { token } = await ask("POST", "/api/token");
  openDialog(
    "Token for the command line",
    [
      element("p", { class: "hint" }, "It is shown only now, and lets programs submit in your name."),
      element("p", { class: "link" }, element("code", {}, `export AMIDST_TOKEN=${token}`)),
      element("p", { class: "link" }, element("code", {}, `amidst leaderboard submit ${location.origin} results.json --phase ${board.phases[0].name}`)),
    ],
    [{ value: "", text: "Done", kind: "primary" }],
  );
}

const { account, board, content } = await openBoard();
if (!account) location.replace("/enter?to=/submissions");
else if (account.role === "viewer") content.append(empty("You look on here, and send nothing.", element("p", { class: "hint" }, "Ask the organisers for the link of a team."), whom(board)));
else {
  try {
    await new Submissions(board, content).refresh();
    content.classList.add("ready");
  } catch (error) {
    showProblem(content, error);
  }
}
