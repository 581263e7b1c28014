// The defect map over the picture, as heat or as outlines. The server sends one channel and a scale; colour, threshold
// and opacity are made here.

/**
 * @typedef {import("./pictures.js").DefectMap} DefectMap
 * @typedef {import("./stage.js").View} View
 * @typedef {{contour: [number, number][], box_px: [number, number, number, number]}} Region
 * @typedef {{id: string, part: string, state: string, verdict: string, width_px: number, height_px: number,
 *            regions: Region[], thresholds: {t1: number, t2: number, region: number}, image_url: string,
 *            map_url: string | null, mask_url: string, has_mask: boolean, reference_url: string,
 *            mm: number[][] | null}} Frame
 */

// Yellow, orange, red, magenta: far from the grays of metal, and rising in strength.
const STOPS = [
  [255, 236, 120],
  [255, 158, 44],
  [238, 52, 36],
  [198, 30, 140],
];

/**
 * The score at a place of the frame, in frame pixels.
 * @param {DefectMap} map @param {Frame} frame @param {number} x @param {number} y
 */
export function scoreAt(map, frame, x, y) {
  const column = Math.min(map.width - 1, Math.floor((x / frame.width_px) * map.width));
  const row = Math.min(map.height - 1, Math.floor((y / frame.height_px) * map.height));
  return (map.codes[row * map.width + column] / 255) * map.scale;
}

/** A place of the frame in mm. @param {number[][]} matrix @param {number} x @param {number} y */
export function inMm([a, b, c], x, y) {
  const w = c[0] * x + c[1] * y + c[2];
  return { x: (a[0] * x + a[1] * y + a[2]) / w, y: (b[0] * x + b[1] * y + b[2]) / w };
}

/**
 * The map in colours, one pixel for one of the map.
 * @param {DefectMap} map @param {number} threshold
 */
export function heatOf(map, threshold) {
  const picture = new ImageData(map.width, map.height);
  // Colour begins between what is usual in this picture and the threshold, so that a good surface stays clean.
  const usual = (median(map.codes) / 255) * map.scale;
  const low = Math.min(threshold * 0.95, (usual + 2 * threshold) / 3);
  const high = low + Math.max((threshold - low) * 3, 1e-6);
  for (let i = 0; i < map.codes.length; i++) {
    const heat = ((map.codes[i] / 255) * map.scale - low) / (high - low);
    if (heat <= 0) continue;
    const [r, g, b] = colour(Math.min(heat, 1));
    picture.data.set([r, g, b, 255 * Math.min(1, 0.15 + 1.5 * heat)], 4 * i);
  }
  const canvas = new OffscreenCanvas(map.width, map.height);
  /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(picture, 0, 0);
  return canvas;
}

/** @param {Region[]} regions as the service measured them @returns {Path2D} in frame pixels */
export function outlinesOf(regions) {
  const path = new Path2D();
  for (const { contour } of regions) {
    contour.forEach(([x, y], i) => (i ? path.lineTo(x, y) : path.moveTo(x, y)));
    path.closePath();
  }
  return path;
}

/**
 * Where the map crosses a threshold, along its own pixels.
 * @param {DefectMap} map @param {Frame} frame @param {number} threshold
 * @returns {{path: Path2D, share: number}} in frame pixels, and how much of the frame lies above
 */
export function crossings(map, frame, threshold) {
  const path = new Path2D();
  const code = (threshold / map.scale) * 255;
  const [w, h] = [frame.width_px / map.width, frame.height_px / map.height];
  let cells = 0;
  /** @param {number} column @param {number} row */
  const above = (column, row) =>
    column >= 0 && row >= 0 && column < map.width && row < map.height && map.codes[row * map.width + column] >= code;
  for (let row = 0; row <= map.height; row++) {
    for (let column = 0; column <= map.width; column++) {
      const here = above(column, row);
      if (here) cells++;
      if (here !== above(column - 1, row)) line(path, column * w, row * h, column * w, (row + 1) * h);
      if (here !== above(column, row - 1)) line(path, column * w, row * h, (column + 1) * w, row * h);
    }
  }
  return { path, share: cells / (map.width * map.height) };
}

/**
 * @param {CanvasRenderingContext2D} context @param {View} view
 * @param {Frame} frame @param {OffscreenCanvas} heat @param {number} opacity
 */
export function paintHeat(context, view, frame, heat, opacity) {
  context.globalAlpha = opacity;
  context.imageSmoothingEnabled = true;
  const { x, y, scale } = view;
  context.drawImage(heat, -x * scale, -y * scale, frame.width_px * scale, frame.height_px * scale);
  context.globalAlpha = 1;
}

/** @param {CanvasRenderingContext2D} context @param {View} view @param {Path2D} path @param {boolean} strong */
export function paintOutlines(context, view, path, opacity = 1, strong = false) {
  const { x, y, scale } = view;
  const unit = devicePixelRatio / scale;
  context.save();
  context.globalAlpha = opacity;
  context.setTransform(scale, 0, 0, scale, -x * scale, -y * scale);
  context.lineJoin = "round";
  context.lineWidth = (strong ? 5 : 4) * unit; // a dark edge keeps the line visible on bright metal
  context.strokeStyle = "rgba(0, 0, 0, 0.75)";
  context.stroke(path);
  context.lineWidth = (strong ? 3 : 2) * unit;
  context.strokeStyle = strong ? "#ffffff" : "#ffcf3f";
  context.stroke(path);
  context.restore();
}

/** @param {Path2D} path @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 */
function line(path, x1, y1, x2, y2) {
  path.moveTo(x1, y1);
  path.lineTo(x2, y2);
}

/** @param {Uint8ClampedArray} codes */
function median(codes) {
  return codes.slice().sort()[codes.length >> 1]; // typed arrays sort by number
}

/** @param {number} heat 0..1 */
function colour(heat) {
  const place = heat * (STOPS.length - 1);
  const index = Math.min(Math.floor(place), STOPS.length - 2);
  const part = place - index;
  return STOPS[index].map((from, channel) => from + (STOPS[index + 1][channel] - from) * part);
}
