// Pictures and defect maps, decoded aside and kept for the page that comes next.

/**
 * `levels`: the picture, then at half the size, a quarter…: so that a large frame zooms as fast as a small one.
 * @typedef {{width: number, height: number, levels: ImageBitmap[]}} Picture
 * @typedef {{width: number, height: number, codes: Uint8ClampedArray, scale: number}} DefectMap
 */

const SMALLEST_PX = 1024;
const KEPT = 8; // addresses: pictures and maps of the parts around this one

/** @type {Map<string, Promise<any>>} */
const kept = new Map();

/** @param {string} url @returns {Promise<Picture>} */
export function loadPicture(url) {
  return keep(url, async () => {
    const blob = await (await fetched(url)).blob();
    const levels = [await createImageBitmap(blob)];
    const { width, height } = levels[0];
    for (let side = Math.max(width, height); side > SMALLEST_PX; side /= 2) {
      const above = levels[levels.length - 1];
      const size = { resizeWidth: Math.ceil(above.width / 2), resizeHeight: Math.ceil(above.height / 2) };
      levels.push(await createImageBitmap(above, { ...size, resizeQuality: "medium" }));
    }
    return { width, height, levels };
  });
}

/** @param {string} url @returns {Promise<DefectMap>} */
export function loadMap(url) {
  return keep(url, async () => {
    const response = await fetched(url);
    const { width, height, data } = pixels(await createImageBitmap(await response.blob(), RAW));
    const codes = new Uint8ClampedArray(width * height);
    for (let i = 0; i < codes.length; i++) codes[i] = data[4 * i];
    return { width, height, codes, scale: Number(response.headers.get("X-Map-Scale")) };
  });
}

/** @param {string} url @returns {Promise<Uint8Array>} one byte a pixel, 1 where the mask is white */
export async function loadMask(url) {
  const { data } = pixels(await createImageBitmap(await (await fetched(url)).blob(), RAW));
  const bits = new Uint8Array(data.length / 4);
  for (let i = 0; i < bits.length; i++) bits[i] = data[4 * i] >> 7;
  return bits;
}

/** @type {ImageBitmapOptions} */
const RAW = { colorSpaceConversion: "none", premultiplyAlpha: "none" };

/** @param {string} url */
async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response;
}

/** @param {ImageBitmap} bitmap */
function pixels(bitmap) {
  const { width, height } = bitmap;
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(width, height).getContext("2d"));
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

/**
 * @template T
 * @param {string} url
 * @param {() => Promise<T>} make
 * @returns {Promise<T>}
 */
function keep(url, make) {
  const found = kept.get(url) ?? make();
  kept.delete(url);
  kept.set(url, found); // the newest last
  found.catch(() => kept.delete(url));
  for (const old of [...kept.keys()].slice(0, -KEPT)) kept.delete(old); // its bitmaps go with the last who draws them
  return found;
}
