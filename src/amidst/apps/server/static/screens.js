// The screens by stage, each loaded when it is opened.

/** @type {Record<string, () => Promise<{screen: import("./types.js").Screen<any>}>>} */
export const SCREENS = {
  image_filter: () => import("./screen_image_filter.js"),
  verification: () => import("./screen_verification.js"),
  labelling: () => import("./screen_labelling.js"),
  captions: () => import("./screen_captions.js"),
  category_votes: () => import("./screen_category_votes.js"),
  spotting: () => import("./screen_spotting.js"),
  segmentation: () => import("./screen_segmentation.js"),
  crowd_regions: () => import("./screen_crowd_regions.js"),
};
