// Boxes, masks and labels on a canvas. Coordinates are image pixels; `view` carries them to the canvas:
// canvas = image * view.scale + (view.x, view.y), in device pixels.

export const OUTCOMES = { missed: "#f03e3e", alarm: "#ffb020", hit: "#12a670", found: "#12a670" };

// Run lengths down the columns, zeros first, as a canvas of the mask's size in one colour.
export function maskCanvas(mask, colour, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (mask.polygons) {
    context.fillStyle = colour;
    for (const part of mask.polygons) {
      context.beginPath();
      for (let k = 0; k < part.length; k += 2) context.lineTo(part[k], part[k + 1]);
      context.closePath();
      context.fill("evenodd");
    }
    return canvas;
  }
  const pixels = context.createImageData(width, height);
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  let position = 0;
  mask.counts.forEach((run, place) => {
    if (place % 2) {
      for (let p = position; p < position + run; p++) {
        const at = 4 * ((p % height) * width + Math.floor(p / height));
        pixels.data[at] = red;
        pixels.data[at + 1] = green;
        pixels.data[at + 2] = blue;
        pixels.data[at + 3] = 255;
      }
    }
    position += run;
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}

export function strokeBox(context, box, view, colour, { dashed = false, width = 2 } = {}) {
  const [x, y, w, h] = box;
  const left = Math.round(x * view.scale + view.x) + 0.5, top = Math.round(y * view.scale + view.y) + 0.5;
  const across = Math.max(Math.round(w * view.scale), 1), down = Math.max(Math.round(h * view.scale), 1);
  context.setLineDash([]);
  context.lineWidth = width + 2;
  context.strokeStyle = "rgb(255 255 255 / 0.65)";
  context.strokeRect(left, top, across, down);
  context.setLineDash(dashed ? [3 * width, 2 * width] : []);
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.strokeRect(left, top, across, down);
  context.setLineDash([]);
}

export function label(context, text, box, view, colour, ink, taken, size) {
  context.font = `600 ${size}px system-ui, "DejaVu Sans", sans-serif`;
  const width = context.measureText(text).width + 0.7 * size, height = 1.35 * size;
  const { width: wide, height: high } = context.canvas;
  const [x, y, , h] = [box[0] * view.scale + view.x, box[1] * view.scale + view.y, 0, box[3] * view.scale];
  // above the box, inside it, or below it: where no other label stands
  for (const top of [y - height, y, y + h - height, y + h]) {
    const left = Math.min(Math.max(x - 1, 0), wide - width);
    const at = { left, top: Math.min(Math.max(top, 0), high - height), width, height };
    if (taken.some((other) => overlap(at, other) > 0.15 * width * height)) continue;
    taken.push(at);
    context.fillStyle = colour;
    context.fillRect(at.left, at.top, width, height);
    context.fillStyle = ink;
    context.textBaseline = "middle";
    context.fillText(text, at.left + 0.35 * size, at.top + height / 2 + 0.5);
    return;
  }
}

function overlap(a, b) {
  const w = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const h = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  return w > 0 && h > 0 ? w * h : 0;
}
