import assert from "node:assert/strict";
import { test } from "node:test";

import { MAX_SCALE, fit, pan, show, toImage, toScreen, zoomAt } from "../../../../src/amidst/apps/server/static/viewport.js";

const IMAGE = { width: 640, height: 480 };
const SCREEN = { width: 1000, height: 600 };
const near = (a, b) => a.forEach((value, i) => assert.ok(Math.abs(value - b[i]) < 1e-9, `${a} is not ${b}`));

test("all of the image is seen at first, in the middle", () => {
  const view = fit(IMAGE, SCREEN);
  near(toScreen(view, [320, 240]), [500, 300]);
  const [x, y] = toScreen(view, [0, 0]);
  assert.ok(x >= 0 && y >= 0);
});

test("an image of one pixel and a window of none have a view", () => {
  assert.ok(fit({ width: 1, height: 1 }, SCREEN).scale > 0);
  assert.ok(fit(IMAGE, { width: 0, height: 0 }).scale > 0);
});

test("there and back", () => near(toImage({ scale: 7.3, x: -12, y: 5 }, toScreen({ scale: 7.3, x: -12, y: 5 }, [33.3, 44.4])), [33.3, 44.4]));

test("what lies under the pointer stays there, up to 16 times", () => {
  let view = fit(IMAGE, SCREEN);
  const at = [400, 250];
  const before = toImage(view, at);
  for (let step = 0; step < 50; step += 1) view = zoomAt(view, 1.3, at, IMAGE, SCREEN);
  assert.equal(view.scale, MAX_SCALE);
  near(toImage(view, at), before);
});

test("zooming out ends with the image in sight", () => {
  let view = fit(IMAGE, SCREEN);
  for (let step = 0; step < 50; step += 1) view = zoomAt(view, 0.7, [3, 3], IMAGE, SCREEN);
  assert.ok(view.scale >= 0.99);
});

test("the image cannot be lost", () => {
  const view = pan(fit(IMAGE, SCREEN), 1e6, -1e6, IMAGE, SCREEN);
  const [x, y] = toScreen(view, [0, IMAGE.height]);
  assert.ok(x < SCREEN.width && y > 0);
});

test("the view follows a place out of sight, and stays for one in sight", () => {
  const view = { scale: 16, x: 0, y: 0 };
  const moved = show(view, [300, 200], IMAGE, SCREEN);
  const [x, y] = toScreen(moved, [300, 200]);
  assert.ok(x > 0 && x < SCREEN.width && y > 0 && y < SCREEN.height);
  assert.equal(show(moved, [300, 200], IMAGE, SCREEN), moved);
});
