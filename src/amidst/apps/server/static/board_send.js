// Sending a file: what is said of it, how much has come, stopping and going on.

import { ask } from "./api.js";
import { leftInWords, size, wanted } from "./board_shared.js";
import { openness } from "./board_phase.js";
import { goOn, send } from "./board_upload.js";
import { choice, notice } from "./manage_parts.js";
import { element, field } from "./page.js";

/** @typedef {import("./board_shared.js").Board} Board */
/** @typedef {import("./board_shared.js").Mine} Mine */
/** @typedef {import("./board_shared.js").Submission} Submission */
/** @typedef {import("./board_upload.js").Say} Say */

/** @param {Partial<Submission>} about */
export function methodFields(about = {}) {
  return [
    element(
      "div",
      { class: "columns" },
      field("Method", { name: "method", maxlength: 100, value: about.method ?? "" }),
      field("Link to paper or code", { name: "link", type: "url", pattern: "https?://.*", title: "http://… or https://…", maxlength: 500, placeholder: "https://", value: about.link ?? "" }),
    ),
    element("label", { class: "field" }, "Description", element("textarea", { name: "description", maxlength: 2000, rows: 2 }, about.description ?? "")),
  ];
}

/** What a form says of a method. @param {HTMLFormElement} form */
export function entries(form) {
  const values = new FormData(form);
  return { method: String(values.get("method")), description: String(values.get("description")), link: String(values.get("link")) };
}

/** One sending at a time: its bar, its words, the button that stops it. */
export class Sending {
  /** @param {() => Promise<void>} changed called when the list of submissions is no longer what it was */
  constructor(changed) {
    this.changed = changed;
    this.said = notice();
    this.bar = element("progress", { max: 1, value: 0, "aria-label": "Sent" });
    this.text = element("span", { class: "number" });
    this.stop = element("button", { type: "button", onclick: () => this.control?.abort() }, "Stop");
    this.panel = element("div", { class: "sending", hidden: true }, this.bar, element("div", { class: "row between" }, this.text, this.stop));
    this.place = element("div", { class: "form" }, this.panel, this.said.line);
    /** @type {AbortController | null} */
    this.control = null;
    addEventListener("beforeunload", (event) => {
      if (this.control) event.preventDefault();
    });
  }

  /** The submission whose bytes are on their way, 0 for none. */
  current = 0;

  /**
   * @param {File} file
   * @param {(say: Say, signal: AbortSignal) => Promise<Submission>} work
   * @returns {Promise<boolean>} whether all of it has come and is right
   */
  async run(file, work) {
    if (this.control) return false;
    this.control = new AbortController();
    this.said.line.hidden = true;
    this.panel.hidden = false;
    const begun = { at: performance.now(), bytes: -1 };
    try {
      const found = await work((bytes, submission) => this.show(file, bytes, submission, begun), this.control.signal);
      this.said.say(`Submission ${found.id}: all of it is sent and right.`);
      return true;
    } catch (error) {
      if (this.control.signal.aborted) this.said.say(this.current ? `Stopped. What has come of submission ${this.current} stays: continue or withdraw it in the list below.` : "Stopped.");
      else this.said.refuse(error);
      return false;
    } finally {
      this.control = null;
      this.current = 0;
      this.panel.hidden = true;
      await this.changed();
    }
  }

  /** @param {File} file @param {number} bytes @param {Submission | null} submission @param {{at: number, bytes: number}} begun */
  show(file, bytes, submission, begun) {
    this.bar.value = bytes / file.size;
    if (!submission) {
      this.text.textContent = "reading the file";
      return;
    }
    if (begun.bytes < 0) Object.assign(begun, { at: performance.now(), bytes });
    const speed = (bytes - begun.bytes) / Math.max((performance.now() - begun.at) / 1000, 1e-3);
    const rest = bytes > begun.bytes ? `, ${size(speed)} a second` : "";
    this.text.textContent = `${size(bytes)} of ${size(file.size)} sent and checked${rest}`;
    if (this.current !== submission.id) {
      this.current = submission.id;
      this.changed();
    }
  }

  /**
   * Goes on with a submission that was announced before, perhaps in another browser.
   * @param {File} file
   * @param {Submission} one
   */
  async resume(file, one) {
    if (file.name !== one.file_name || file.size !== one.bytes) {
      return this.said.refuse(new Error(`Submission ${one.id} is of ${one.file_name} with ${one.bytes.toLocaleString("en")} bytes; this is ${file.name} with ${file.size.toLocaleString("en")}. Choose that file, or send this one as a new submission.`));
    }
    await this.run(file, async (say, signal) => goOn(file, await ask("GET", `/api/submissions/${one.id}`), say, signal));
  }
}

/**
 * The form for a new submission.
 * @param {Board} board
 * @param {Sending} sending
 * @param {HTMLElement} more what stands beside its title
 */
export function sendForm(board, sending, more) {
  const left = element("p", { class: "hint", "aria-live": "polite" });
  const button = element("button", { class: "primary" }, "Send");
  const best = board.phases.find(({ name }) => name === wanted()) ?? board.phases.find(({ config }) => openness(config).open) ?? board.phases[0];
  const phase = choice("Phase", { name: "phase", value: best.name }, board.phases.map(({ name, config }) => [name, openness(config).open ? name : `${name} (${openness(config).state})`]));
  const form = element(
    "form",
    { class: "card form" },
    element("div", { class: "row between" }, element("h2", {}, "New submission"), more),
    element("div", { class: "columns" }, phase, field("Results file, .json or .zip with it", { name: "file", type: "file", accept: ".json,.zip", required: true })),
    left,
    ...methodFields(),
    element("div", { class: "row" }, button),
    sending.place,
  );
  /** @type {Mine | null} */
  let mine = null;
  const say = () => {
    const { name, config } = board.phases.find((one) => one.name === String(new FormData(form).get("phase"))) ?? best;
    left.textContent = [openness(config).text, mine?.team && openness(config).open ? `${mine.team} has left: ${leftInWords(mine.left[name])}.` : ""].join(" ");
    button.disabled = !mine?.team || !openness(config).open || sending.control !== null;
  };
  form.addEventListener("change", say);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = new FormData(form);
    const file = /** @type {File} */ (values.get("file"));
    const running = sending.run(file, (told, signal) => send(file, { phase: String(values.get("phase")), ...entries(form) }, told, signal));
    say();
    if (await running) /** @type {HTMLInputElement} */ (form.elements.namedItem("file")).value = "";
    say();
  });
  return {
    form,
    /** @param {Mine} found */
    update(found) {
      mine = found;
      say();
    },
  };
}
