// /work shows the stages, /work/STAGE the desk of one.

import { openDesk } from "./desk.js";
import { showStages } from "./work_list.js";

/** @type {Record<string, () => Promise<{screen: import("./types.js").Screen<any>}>>} */
const SCREENS = {
  image_filter: () => import("./screen_image_filter.js"),
  verification: () => import("./screen_verification.js"),
  labelling: () => import("./screen_labelling.js"),
  captions: () => import("./screen_captions.js"),
  category_votes: () => import("./screen_category_votes.js"),
  spotting: () => import("./screen_spotting.js"),
  segmentation: () => import("./screen_segmentation.js"),
  crowd_regions: () => import("./screen_crowd_regions.js"),
};

const stage = location.pathname.split("/")[2] ?? "";
if (!stage) await showStages(Object.keys(SCREENS));
else await openDesk(stage, (await SCREENS[stage]()).screen);
