// Leaving a ticket: given back, put aside, or lost to another browser.

import { ApiError } from "./api.js";
import { element, openDialog } from "./page.js";

/** @typedef {import("./desk.js").Desk} Desk */

/** Somebody else shall do it. @param {Desk} desk */
export async function giveBack(desk) {
  const { held } = desk;
  if (!held || desk.readOnly) return;
  if (desk.history?.touched) {
    const { answer } = openDialog("Give this one back?", [element("p", {}, "What you have done on it is thrown away.")], [
      { value: "", text: "Keep working" },
      { value: "yes", text: "Give it back", kind: "danger" },
    ]);
    if ((await answer) !== "yes") return;
  }
  desk.drafts.clear();
  await desk.queue.release(held);
  await desk.showNext();
}

/** Untouched tickets go back to the pool, the one with work on it stays ours. @param {Desk} desk */
export async function stop(desk) {
  await desk.drafts.flush();
  if (!desk.readOnly) {
    await desk.queue.rest();
    for (const held of [...desk.queue.held]) {
      if (held.id !== desk.held?.id || !desk.history?.touched) await desk.queue.release(held).catch(() => {});
    }
  }
  desk.queue.resting = false; // who is asked about unsent answers may stay
  location.assign("/work");
}

/** The ticket has ended, or another browser has it. @param {Desk} desk */
export async function lostTicket(desk) {
  const { held } = desk;
  if (!held || document.querySelector("dialog.lost")) return;
  const { dialog, answer } = openDialog(
    "This work is open elsewhere, or its time is over",
    [element("p", {}, "Your work is kept here. Take it back, or leave it and go on with the next one.")],
    [
      { value: "leave", text: "Leave it" },
      { value: "take", text: "Take it back", kind: "primary" },
    ],
  );
  dialog.classList.add("lost");
  if ((await answer) === "leave") {
    await desk.queue.drop(held);
    return desk.showNext();
  }
  try {
    const again = await desk.queue.resume(held.id);
    again.resumed = true;
    await desk.show(again);
  } catch (error) {
    desk.say(error instanceof ApiError && error.code === "stale" ? "It cannot be taken back; hand it in, the answer is kept for the manager." : String(error), "warning");
  }
}
