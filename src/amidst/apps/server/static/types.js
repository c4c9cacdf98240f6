// Types shared by the pages, in JSDoc; nothing here runs. Bodies and tasks: amidst/crowd/bodies.py.

/** @typedef {[number, number]} Xy pixels of the upright original image */
/** @typedef {{id: number, width: number, height: number}} ImageRef */
/** @typedef {{id: number, name: string, icon: string, definition: string}} CategoryRef */
/** @typedef {{size: [number, number], counts: string | number[]}} Rle size: height, width; down the columns, zeros first */
/** @typedef {{points: Xy[], hole: boolean}} Part a closed outline without the repeated last vertex */
/** @typedef {{super: string, categories: CategoryRef[], icon: string}} Panel */

/** @typedef {{type: "category_votes", candidates: {id: number, name: string, supercategory: string}[]}} BallotTask */
/** @typedef {{type: "image_filter", items: ImageRef[]}} FilterTask */
/** @typedef {{type: "labelling", image: ImageRef, panels: Panel[]}} LabellingTask */
/** @typedef {{type: "spotting", image: ImageRef, category: CategoryRef, prior_xy: Xy, max_points: number}} SpottingTask */
/** @typedef {{type: "segmentation", image: ImageRef, category: CategoryRef, target_xy: Xy, masks: Rle[]}} SegmentationTask */
/**
 * @typedef {{type: "training", image: ImageRef, category: CategoryRef, target_xy: Xy, masks: Rle[],
 *   passed: number, needed: number, tries_left: number}} TrainingTask
 */
/**
 * @typedef {{image: ImageRef, category: CategoryRef, crop_xywh: [number, number, number, number], mask: Rle,
 *   region: boolean}} GridMask
 */
/** @typedef {{type: "verification", items: GridMask[]}} VerificationTask */
/** @typedef {{type: "crowd_regions", image: ImageRef, category: CategoryRef, masks: Rle[], points: Xy[]}} CrowdTask */
/** @typedef {{type: "captions", image: ImageRef, min_words: number, max_words: number}} CaptionTask */
/**
 * @typedef {BallotTask | FilterTask | LabellingTask | SpottingTask | SegmentationTask | TrainingTask
 *   | VerificationTask | CrowdTask | CaptionTask} Task
 */

/** @typedef {{base: string, access: string}} Picture */
/** @typedef {{id: number, stage: string, token: string, issued_at: number, expires_at: number, task: any}} Ticket times: UTC microseconds */
/** @typedef {{account: number, display: string, role: string, expires_at: number, csrf: string}} Account */
/** @typedef {{iou: number, passed: boolean, state: "open" | "passed" | "paused", truth: Rle}} TrainingResult */
/**
 * @typedef {{answer_id: number, status: "accepted" | "look_again" | "gate_failed", tries_left: number,
 *   training: TrainingResult | null, replayed: boolean}} Receipt
 */
/** @typedef {{ms_active: number, zoom_max: number, undo_count: number, assist_used: boolean, app_version: string}} Client */

/** @typedef {{keys: string, does: string}} Help a line of the cheat sheet; keys as shown, such as "Ctrl Z" */

/**
 * What a screen works with. `change` makes an undoable step; with `merge` it goes on with the last step if that
 * had the same word (typing, dragging). `wait` keeps the next ticket back until `next` (training shows its errors).
 * @template S
 * @typedef {object} Desk
 * @property {HTMLElement} root where the screen draws
 * @property {HTMLElement} toolbar where its tools go
 * @property {any} task
 * @property {boolean} readOnly
 * @property {(imageId: number, variant: string) => Promise<HTMLImageElement>} pictures decoded, fetched ahead
 * @property {(imageId: number, variant: string) => string} address of a picture, for an <img>
 * @property {() => S} state
 * @property {(next: S, label: string, merge?: string) => void} change
 * @property {(text: string, kind?: "info" | "warning" | "error") => void} say
 * @property {(map: Record<string, (event: KeyboardEvent) => void>) => void} keys "Ctrl+Z", "ArrowLeft", "m"; replaces the last map
 * @property {() => void} submit
 * @property {() => void} undo
 * @property {() => void} redo
 * @property {() => void} next after `reply` returned true
 * @property {(zoom: number) => void} zoomed for the record of how close the worker looked
 * @property {((points: Xy[], polygon: Xy[]) => Promise<Rle[]>) | null} assist masks suggested for clicks; null where the server has no assistance
 */

/**
 * A stage's screen. State is plain JSON: undo, journal and draft keep it.
 * @template S
 * @typedef {object} Screen
 * @property {string} stage
 * @property {string} title
 * @property {Help[]} help
 * @property {(task: any) => S} start
 * @property {(desk: Desk<S>) => {update(state: S): void, destroy(): void}} mount
 * @property {(state: S, task: any) => string | null} problem why it cannot be submitted yet, in words
 * @property {(state: S, task: any) => object} body
 * @property {(reply: Receipt, desk: Desk<S>) => boolean | void} [reply] true: the screen shows something and calls desk.next()
 * @property {(code: string, message: string, desk: Desk<S>) => boolean | void} [refused] true: the screen deals with it
 */

export {};
