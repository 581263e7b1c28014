// The stage: a picture at any zoom, with whatever is painted over it, and beside it a reference under the same zoom.
// Positions on the stage are in device pixels; those in the frame in frame pixels.

/**
 * @typedef {import("./pictures.js").Picture} Picture
 * @typedef {{x: number, y: number, scale: number}} View the frame's place at the pane's top left corner, and the zoom
 * @typedef {"none" | "side" | "swipe" | "blink"} Compare
 * @typedef {{x: number, y: number}} Point
 * @typedef {(context: CanvasRenderingContext2D, view: View, pane: {width: number, height: number}) => void} Painter
 * @typedef {{down: (at: Point) => void, move: (at: Point) => void, up: () => void}} Tool
 */

const LARGEST = 64;
const NEAREST_ABOVE = 2; // from here on a pixel is a square
const STEP = Math.SQRT2; // two presses of a key double

export class Stage {
  /** @type {View} */
  view = { x: 0, y: 0, scale: 1 };
  /** @type {Compare} */
  compare = "none";
  split = 0.5;
  blinked = false;
  /** @type {Picture | null} */
  picture = null;
  /** @type {Picture | null} */
  reference = null;
  /** @type {Painter[]} */
  painters = [];
  /** @type {Tool | null} takes the pointer's first button from dragging */
  tool = null;
  /** @type {(at: Point | null) => void} */
  onpoint = () => {};

  /** @type {Map<number, {x: number, y: number}>} */
  #pointers = new Map();
  #asked = 0;
  #fitted = true;

  /**
   * @param {HTMLElement} root holds the canvases #picture and #overlay
   * @param {{width_px: number, height_px: number}} frame
   */
  constructor(root, frame) {
    this.root = root;
    this.frame = frame;
    this.canvases = /** @type {HTMLCanvasElement[]} */ ([root.querySelector("#picture"), root.querySelector("#overlay")]);
    this.observer = new ResizeObserver(() => this.#resize());
    this.observer.observe(root);
    this.#resize();
    root.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    root.addEventListener("pointerdown", (event) => this.#down(event));
    root.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      root.addEventListener(name, (event) => this.#up(/** @type {PointerEvent} */ (event)));
    }
    root.addEventListener("pointerleave", () => this.onpoint(null));
  }

  stop() {
    this.observer.disconnect();
    cancelAnimationFrame(this.#asked);
  }

  fit() {
    const pane = this.#pane();
    const { width_px: width, height_px: height } = this.frame;
    const scale = Math.min(pane.width / width, pane.height / height);
    this.view = { scale, x: (width - pane.width / scale) / 2, y: (height - pane.height / scale) / 2 };
    this.#fitted = true;
    this.draw();
  }

  /** One frame pixel on one pixel of the screen. */
  actual() {
    this.zoom(1 / this.view.scale);
  }

  /** @param {number} factor @param {Point} [at] what stays where it is, on the stage; else the middle */
  zoom(factor, at) {
    const pane = this.#pane();
    const { x, y } = at ? this.#inPane(at) : { x: pane.width / 2, y: pane.height / 2 };
    const fit = Math.min(pane.width / this.frame.width_px, pane.height / this.frame.height_px);
    const scale = Math.min(LARGEST, Math.max(Math.min(fit, 1) / 2, this.view.scale * factor));
    this.view.x += x / this.view.scale - x / scale;
    this.view.y += y / this.view.scale - y / scale;
    this.view.scale = scale;
    this.#fitted = false;
    this.draw();
  }

  zoomIn() {
    this.zoom(STEP);
  }

  zoomOut() {
    this.zoom(1 / STEP);
  }

  /** @param {[number, number, number, number]} box x, y, width, height in the frame, with some of what is around */
  show([x, y, width, height]) {
    const pane = this.#pane();
    const scale = Math.min(pane.width / width, pane.height / height) / 3;
    this.view.scale = Math.min(LARGEST / 4, Math.max(scale, 0.01));
    this.view.x = x + width / 2 - pane.width / this.view.scale / 2;
    this.view.y = y + height / 2 - pane.height / this.view.scale / 2;
    this.#fitted = false;
    this.draw();
  }

  /** Paints with the next frame of the screen. */
  draw() {
    this.#asked ||= requestAnimationFrame(() => {
      this.#asked = 0;
      this.#paint();
    });
  }

  /** @param {{clientX: number, clientY: number}} event @returns {Point} in the frame */
  pointOf(event) {
    const at = this.#inPane(this.#at(event));
    return { x: this.view.x + at.x / this.view.scale, y: this.view.y + at.y / this.view.scale };
  }

  #paint() {
    const [picture, overlay] = this.canvases.map((canvas) => {
      const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
      context.clearRect(0, 0, canvas.width, canvas.height);
      return context;
    });
    const { width, height } = this.canvases[0];
    const pane = this.#pane();
    const other = this.compare !== "none" && this.reference;
    const only = this.compare === "blink" && this.blinked && other;
    if (!only) clipped(picture, 0, pane.width, height, () => this.#image(picture, this.picture, pane));
    if (only) this.#image(picture, this.reference, pane);
    if (other && this.compare === "side") {
      clipped(picture, width - pane.width, pane.width, height, () => {
        picture.translate(width - pane.width, 0);
        this.#image(picture, this.reference, pane);
      });
    }
    if (other && this.compare === "swipe") {
      const left = Math.round(width * this.split);
      clipped(picture, left, width - left, height, () => {
        picture.clearRect(left, 0, width - left, height);
        this.#image(picture, this.reference, pane);
      });
    }
    if (!only) {
      const shown = other && this.compare === "swipe" ? width * this.split : pane.width;
      clipped(overlay, 0, shown, height, () => {
        for (const painter of this.painters) painter(overlay, this.view, pane);
      });
    }
    if (other && (this.compare === "side" || this.compare === "swipe")) {
      const at = this.compare === "side" ? width / 2 : width * this.split;
      overlay.fillStyle = "#4cc3e0";
      overlay.fillRect(at - devicePixelRatio, 0, 2 * devicePixelRatio, height);
    }
    const compare = other ? this.compare : "none";
    Object.assign(this.root.dataset, { ...this.view, compare, drawn: Boolean(this.picture) });
  }

  /** @param {CanvasRenderingContext2D} context @param {Picture | null} picture @param {{width: number, height: number}} pane */
  #image(context, picture, pane) {
    if (!picture) return;
    const { x, y, scale } = this.view;
    const wanted = Math.floor(Math.log2(Math.max(1, picture.width / (this.frame.width_px * scale))));
    const bitmap = picture.levels[Math.min(wanted, picture.levels.length - 1)];
    // Only what is seen, cut at whole pixels of the bitmap, so that nothing shifts against what is painted over it.
    const [across, down] = [bitmap.width / this.frame.width_px, bitmap.height / this.frame.height_px];
    const left = Math.max(0, Math.floor(x * across));
    const top = Math.max(0, Math.floor(y * down));
    const right = Math.min(bitmap.width, Math.ceil((x + pane.width / scale) * across));
    const bottom = Math.min(bitmap.height, Math.ceil((y + pane.height / scale) * down));
    if (right <= left || bottom <= top) return;
    context.imageSmoothingEnabled = scale <= NEAREST_ABOVE;
    context.drawImage(
      bitmap,
      left,
      top,
      right - left,
      bottom - top,
      (left / across - x) * scale,
      (top / down - y) * scale,
      ((right - left) / across) * scale,
      ((bottom - top) / down) * scale,
    );
  }

  #resize() {
    const ratio = devicePixelRatio;
    for (const canvas of this.canvases) {
      canvas.width = Math.max(1, Math.round(this.root.clientWidth * ratio));
      canvas.height = Math.max(1, Math.round(this.root.clientHeight * ratio));
    }
    if (this.#fitted) this.fit();
    else this.draw();
  }

  #pane() {
    const { width, height } = this.canvases[0];
    return { width: this.compare === "side" ? Math.floor(width / 2) : width, height };
  }

  /** @param {{clientX: number, clientY: number}} event @returns {Point} on the stage */
  #at(event) {
    const box = this.canvases[0].getBoundingClientRect();
    const ratio = this.canvases[0].width / box.width;
    return { x: (event.clientX - box.left) * ratio, y: (event.clientY - box.top) * ratio };
  }

  /** @param {Point} at the same place, whichever pane it is in @returns {Point} */
  #inPane(at) {
    const { width } = this.#pane();
    const second = this.canvases[0].width - width;
    return this.compare === "side" && at.x >= second ? { x: at.x - second, y: at.y } : at;
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    this.zoom(Math.exp(-event.deltaY * lines * 0.0015), this.#at(event));
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.target instanceof Element && event.target.closest("button, input, a")) return;
    this.root.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#at(event));
    if (this.#pointers.size > 1) this.tool?.up(); // a second finger zooms
    else if (this.tool && event.button === 0 && !event.shiftKey) this.tool.down(this.pointOf(event));
    this.root.dataset.tool = String(Boolean(this.tool && event.button === 0 && !event.shiftKey));
  }

  /** @param {PointerEvent} event */
  #move(event) {
    this.onpoint(this.pointOf(event));
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    if (this.#pointers.size === 1 && this.tool && this.root.dataset.tool === "true") {
      for (const one of event.getCoalescedEvents?.() ?? [event]) this.tool.move(this.pointOf(one));
      return;
    }
    const now = this.#at(event);
    const others = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    this.#pointers.set(event.pointerId, now);
    this.view.x -= (now.x - before.x) / this.view.scale / (others.length + 1);
    this.view.y -= (now.y - before.y) / this.view.scale / (others.length + 1);
    this.#fitted = false;
    if (others.length) {
      const [old, fresh] = [distance(before, others[0]), distance(now, others[0])];
      this.zoom(fresh / Math.max(old, 1), { x: (now.x + others[0].x) / 2, y: (now.y + others[0].y) / 2 });
    }
    this.draw();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (!this.#pointers.delete(event.pointerId)) return;
    if (this.tool && this.root.dataset.tool === "true") this.tool.up();
    this.root.dataset.tool = "false";
  }
}

/** @param {CanvasRenderingContext2D} context @param {() => void} paint */
function clipped(context, /** @type {number} */ left, /** @type {number} */ width, /** @type {number} */ height, paint) {
  context.save();
  context.beginPath();
  context.rect(left, 0, width, height);
  context.clip();
  paint();
  context.restore();
}

/** @param {Point} a @param {Point} b */
function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
