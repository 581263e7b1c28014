// A mask in frame pixels, one byte a pixel, and what a brush does to it. Nothing here knows of zoom or screen.

/** @typedef {{left: number, top: number, right: number, bottom: number}} Box right and bottom not included */
/** @typedef {{box: Box, before: Uint8Array, after: Uint8Array}} Step */

const STEPS = 100;

export class Mask {
  /** @type {Step[]} */
  #done = [];
  /** @type {Step[]} */
  #undone = [];
  /** @type {{bits: Uint8Array, box: Box} | null} as it was when the step began */
  #begun = null;
  /** @type {{x: number, y: number} | null} */
  #last = null;

  /** @param {number} width @param {number} height @param {Uint8Array} [bits] */
  constructor(width, height, bits = new Uint8Array(width * height)) {
    this.width = width;
    this.height = height;
    this.bits = bits;
  }

  area() {
    let sum = 0;
    for (let i = 0; i < this.bits.length; i++) sum += this.bits[i];
    return sum;
  }

  /** Everything until `end` is one step to undo. */
  begin() {
    this.#begun = { bits: this.bits.slice(), box: { left: this.width, top: this.height, right: 0, bottom: 0 } };
    this.#last = null;
  }

  end() {
    const begun = this.#begun;
    this.#begun = null;
    if (!begun || begun.box.left >= begun.box.right) return;
    this.#done.push({ box: begun.box, before: this.#cut(begun.bits, begun.box), after: this.#cut(this.bits, begun.box) });
    this.#done.splice(0, this.#done.length - STEPS);
    this.#undone = [];
  }

  /**
   * A disc of `size` pixels across, drawn from where the last one of this step was. One of odd size is centred on the
   * pixel that holds the point, one of even size on the nearest corner of pixels.
   * @param {{x: number, y: number}} point @param {number} size @param {0 | 1} value
   */
  stroke(point, size, value) {
    const snap = size % 2 ? Math.floor : Math.round;
    const to = { x: snap(point.x), y: snap(point.y) };
    const from = this.#last ?? to;
    this.#last = to;
    const steps = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y), 1);
    for (let step = 0; step <= steps; step++) {
      const along = step / steps;
      this.#disc(Math.round(from.x + (to.x - from.x) * along), Math.round(from.y + (to.y - from.y) * along), size, value);
    }
  }

  /**
   * Fills what an outline encloses around a point. False where nothing closed is around it.
   * @param {{x: number, y: number}} point
   */
  fill(point) {
    const { width, height, bits } = this;
    const [x, y] = [Math.floor(point.x), Math.floor(point.y)];
    if (x < 0 || y < 0 || x >= width || y >= height || bits[y * width + x]) return false;
    const found = new Uint8Array(bits.length);
    const stack = [y * width + x];
    found[stack[0]] = 1;
    while (stack.length) {
      const at = /** @type {number} */ (stack.pop());
      const column = at % width;
      if (column === 0 || column === width - 1 || at < width || at >= bits.length - width) return false;
      for (const next of [at - 1, at + 1, at - width, at + width]) {
        if (bits[next] || found[next]) continue;
        found[next] = 1;
        stack.push(next);
      }
    }
    this.replace((at) => bits[at] | found[at]);
    return true;
  }

  /** One step that changes any pixel. @param {(index: number) => number} value 0 or 1 */
  replace(value) {
    this.begin();
    for (let y = 0, at = 0; y < this.height; y++) {
      for (let x = 0; x < this.width; x++, at++) {
        const bit = value(at);
        if (bit !== this.bits[at]) {
          this.bits[at] = bit;
          this.#touch(x, y, x + 1, y + 1);
        }
      }
    }
    this.end();
  }

  undo() {
    this.#go(this.#done, this.#undone, "before");
  }

  redo() {
    this.#go(this.#undone, this.#done, "after");
  }

  /** @param {Step[]} from @param {Step[]} to @param {"before" | "after"} side */
  #go(from, to, side) {
    const step = from.pop();
    if (!step) return;
    to.push(step);
    const { left, top, right, bottom } = step.box;
    for (let y = top; y < bottom; y++) {
      const start = (y - top) * (right - left);
      this.bits.set(step[side].subarray(start, start + right - left), y * this.width + left);
    }
  }

  /** @param {number} x @param {number} y @param {number} size @param {0 | 1} value */
  #disc(x, y, size, value) {
    const shift = size % 2 ? 0.5 : 0; // from the centre's whole number to where it lies in the pixel grid
    const radius = size / 2;
    for (let row = Math.floor(y + shift - radius); row < y + shift + radius; row++) {
      if (row < 0 || row >= this.height) continue;
      const half = Math.sqrt(Math.max(0, radius * radius - (row + 0.5 - y - shift) ** 2));
      const left = Math.max(0, Math.ceil(x + shift - half - 0.5));
      const right = Math.min(this.width, Math.floor(x + shift + half - 0.5) + 1);
      if (left >= right) continue;
      this.bits.fill(value, row * this.width + left, row * this.width + right);
      this.#touch(left, row, right, row + 1);
    }
  }

  /** @param {number} left @param {number} top @param {number} right @param {number} bottom */
  #touch(left, top, right, bottom) {
    const box = this.#begun?.box;
    if (!box) return;
    box.left = Math.min(box.left, left);
    box.top = Math.min(box.top, top);
    box.right = Math.max(box.right, right);
    box.bottom = Math.max(box.bottom, bottom);
  }

  /** @param {Uint8Array} bits @param {Box} box */
  #cut(bits, { left, top, right, bottom }) {
    const out = new Uint8Array((right - left) * (bottom - top));
    for (let y = top; y < bottom; y++) {
      out.set(bits.subarray(y * this.width + left, y * this.width + right), (y - top) * (right - left));
    }
    return out;
  }
}
