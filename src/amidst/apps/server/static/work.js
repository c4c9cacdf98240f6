// /work shows the stages, /work/STAGE the desk of one.

import { openDesk } from "./desk.js";
import { showStages } from "./work_list.js";

/** @type {Record<string, () => Promise<{screen: import("./types.js").Screen<any>}>>} */
const SCREENS = {
  spotting: () => import("./screen_spotting.js"),
};

const stage = location.pathname.split("/")[2] ?? "";
if (!stage) await showStages(Object.keys(SCREENS));
else await openDesk(stage, (await SCREENS[stage]()).screen);
