// Beside the way in (enter.js), whoever is let in or not: whom to ask.

import { ask } from "./api.js";
import { whom } from "./board_shared.js";
import { element } from "./page.js";

/** @type {import("./board_shared.js").Board | null} */
const board = await ask("GET", "/api/board").catch(() => null); // the way in says what is wrong
if (board?.contact) document.body.append(element("footer", { class: "contact" }, whom(board)));
