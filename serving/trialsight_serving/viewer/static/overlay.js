// The defect map over the picture: heat or outlines. The server sends one channel and a scale; colour is made here.

/**
 * @typedef {{contour: [number, number][], peak: number}} Region
 * @typedef {{width_px: number, height_px: number, regions: Region[], map_url: string | null,
 *            thresholds: {t1: number, t2: number, region: number}}} Frame
 * @typedef {{width: number, height: number, codes: Uint8ClampedArray, scale: number}} DefectMap
 */

// Yellow, orange, red, magenta: far from the grays of metal, and rising in strength.
const STOPS = [
  [255, 236, 120],
  [255, 158, 44],
  [238, 52, 36],
  [198, 30, 140],
];

/**
 * @param {string} url
 * @returns {Promise<DefectMap>}
 */
export async function loadMap(url) {
  const response = await fetch(`${url}?bits=8`);
  if (!response.ok) throw new Error(response.statusText);
  const bitmap = await createImageBitmap(await response.blob(), { colorSpaceConversion: "none" });
  const { width, height } = bitmap;
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(width, height).getContext("2d"));
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, width, height).data;
  const codes = new Uint8ClampedArray(width * height);
  for (let i = 0; i < codes.length; i++) codes[i] = pixels[4 * i];
  return { width, height, codes, scale: Number(response.headers.get("X-Map-Scale")) };
}

/**
 * The score at a place of the frame, in frame pixels.
 * @param {DefectMap} map @param {Frame} frame @param {number} x @param {number} y
 */
export function scoreAt(map, frame, x, y) {
  const column = Math.min(map.width - 1, Math.floor((x / frame.width_px) * map.width));
  const row = Math.min(map.height - 1, Math.floor((y / frame.height_px) * map.height));
  return (map.codes[row * map.width + column] / 255) * map.scale;
}

/** @param {HTMLCanvasElement} canvas @param {DefectMap} map @param {Frame} frame */
export function drawHeat(canvas, map, frame) {
  const context = cleared(canvas);
  const picture = new ImageData(map.width, map.height);
  // Colour begins between what is usual in this picture and the region threshold, so that a good surface stays clean.
  const usual = (median(map.codes) / 255) * map.scale;
  const edge = frame.thresholds.region;
  const low = Math.min(edge * 0.95, (usual + 2 * edge) / 3);
  const high = low + Math.max((edge - low) * 3, 1e-6);
  for (let i = 0; i < map.codes.length; i++) {
    const heat = ((map.codes[i] / 255) * map.scale - low) / (high - low);
    if (heat <= 0) continue;
    const [r, g, b] = colour(Math.min(heat, 1));
    picture.data.set([r, g, b, 255 * Math.min(1, 0.15 + 1.5 * heat)], 4 * i);
  }
  const small = new OffscreenCanvas(map.width, map.height);
  /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(picture, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}

/**
 * @param {HTMLCanvasElement} canvas @param {Frame} frame
 * @param {number | null} strong the region to draw stronger
 */
export function drawContours(canvas, frame, strong = null) {
  const context = cleared(canvas);
  const unit = Math.max(1, Math.max(canvas.width, canvas.height) / 500);
  const [sx, sy] = [canvas.width / frame.width_px, canvas.height / frame.height_px];
  frame.regions.forEach((region, index) => {
    const path = new Path2D();
    region.contour.forEach(([x, y], i) => (i ? path.lineTo(x * sx, y * sy) : path.moveTo(x * sx, y * sy)));
    path.closePath();
    const width = unit * (index === strong ? 3 : 1.6);
    context.lineJoin = "round";
    context.lineWidth = width + 2 * unit; // a dark edge keeps the line visible on bright metal
    context.strokeStyle = "rgba(0, 0, 0, 0.75)";
    context.stroke(path);
    context.lineWidth = width;
    context.strokeStyle = index === strong ? "#ffffff" : "#ffcf3f";
    context.stroke(path);
  });
}

/** @param {HTMLCanvasElement} canvas */
export function cleared(canvas) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.clearRect(0, 0, canvas.width, canvas.height);
  return context;
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
