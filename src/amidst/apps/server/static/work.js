// /work shows the stages, /work/STAGE the desk of one.

import { openDesk } from "./desk.js";
import { SCREENS } from "./screens.js";
import { showStages } from "./work_list.js";

const stage = location.pathname.split("/")[2] ?? "";
if (!stage) await showStages(Object.keys(SCREENS));
else await openDesk(stage, (await SCREENS[stage]()).screen);
