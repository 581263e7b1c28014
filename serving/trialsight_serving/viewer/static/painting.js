// Painting a mask on the stage: the tools, their keys, and the mask's way to the service.

import { useKeys } from "./keys.js";
import { Mask } from "./mask.js";
import { loadMask } from "./pictures.js";
import { encodePng } from "./png.js";
import { send } from "./post.js";
import { text } from "./text.js";

/**
 * @typedef {import("./stage.js").Stage} Stage
 * @typedef {import("./overlay.js").Frame} Frame
 * @typedef {"brush" | "eraser" | "fill"} ToolName
 */

const COLOUR = 0x98ffd23c; // ABGR: a blue that neither heat nor metal has
const LARGEST = 64;

/** @type {Map<string, Mask>} what was painted and not yet saved, by frame: going away and coming back loses nothing */
const drafts = new Map();

export class Painting {
  /** @type {Mask | null} */
  mask = null;
  /** @type {ToolName} */
  #tool = "brush";
  #size = 8;
  /** @type {import("./stage.js").Point | null} */
  #pointer = null;
  #sheet = new OffscreenCanvas(1, 1);

  /**
   * @param {HTMLElement} main
   * @param {Stage} stage
   * @param {Frame} frame
   * @param {{looking: Record<string, () => void>, above: () => ((index: number) => number),
   *          say: (text: string) => void, done: () => void}} page
   *   `above`: for each frame pixel 1 where the map lies above the threshold that is set
   */
  constructor(main, stage, frame, page) {
    this.main = main;
    this.stage = stage;
    this.frame = frame;
    this.page = page;
    this.bar = /** @type {HTMLElement} */ (main.querySelector("#painting"));
    this.slider = /** @type {HTMLInputElement} */ (main.querySelector("#brush-size"));
    this.slider.addEventListener("input", () => this.#resize(Number(this.slider.value)));
    stage.painters.push((context, view, pane) => this.#paint(context, view, pane));
  }

  async start() {
    this.mask = drafts.get(this.frame.id) ?? (await this.#begin());
    drafts.set(this.frame.id, this.mask);
    this.bar.hidden = false;
    this.stage.tool = {
      down: (at) => this.#down(at),
      move: (at) => this.#move(at),
      up: () => this.mask?.end(),
    };
    this.use(this.#tool);
    this.#resize(this.#size);
    useKeys("painting", this.#actions(), text);
    this.stage.draw();
  }

  stop() {
    this.mask = null;
    this.bar.hidden = true;
    this.stage.tool = null;
    this.page.say("");
    this.page.done();
    this.stage.draw();
  }

  /** @param {import("./stage.js").Point | null} at */
  point(at) {
    this.#pointer = at;
    if (this.mask) this.stage.draw();
  }

  /** @param {ToolName} tool */
  use(tool) {
    this.#tool = tool;
    for (const name of ["brush", "eraser", "fill"]) {
      this.bar.querySelector(`[data-action=${name}]`)?.setAttribute("aria-pressed", String(name === tool));
    }
  }

  /** The mask that was stored, else what the map shows: correcting is quicker than painting. */
  async #begin() {
    const { width_px: width, height_px: height } = this.frame;
    if (this.frame.has_mask) return new Mask(width, height, await loadMask(this.frame.mask_url));
    const mask = new Mask(width, height);
    mask.replace(this.page.above());
    return mask;
  }

  #actions() {
    return {
      ...this.page.looking,
      brush: () => this.use("brush"),
      eraser: () => this.use("eraser"),
      fill: () => this.use("fill"),
      smaller: () => this.#resize(this.#size - 1),
      larger: () => this.#resize(this.#size + 1),
      stroke_undo: () => this.#change((mask) => mask.undo()),
      stroke_redo: () => this.#change((mask) => mask.redo()),
      from_map: () => this.#change((mask) => mask.replace(this.page.above())),
      clear: () => this.#change((mask) => mask.replace(() => 0)),
      save_mask: () => void this.#save(),
      stop_painting: () => this.stop(),
      paint: () => this.stop(),
    };
  }

  /** @param {import("./stage.js").Point} at */
  #down(at) {
    this.#change((mask) => {
      if (this.#tool === "fill") {
        if (!mask.fill(at)) this.page.say(text("mask.open"));
      } else {
        mask.begin();
        this.#move(at);
      }
    });
  }

  /** @param {import("./stage.js").Point} at */
  #move(at) {
    if (this.#tool === "fill") return;
    this.mask?.stroke(at, this.#size, this.#tool === "brush" ? 1 : 0);
    this.stage.draw();
  }

  /** @param {(mask: Mask) => void} change */
  #change(change) {
    this.page.say("");
    if (this.mask) change(this.mask);
    this.stage.draw();
  }

  /** @param {number} size */
  #resize(size) {
    this.#size = Math.min(LARGEST, Math.max(1, size));
    this.slider.value = String(this.#size);
    /** @type {HTMLElement} */ (this.main.querySelector("#brush-value")).textContent = `${this.#size} px`;
    this.stage.draw();
  }

  async #save() {
    const mask = this.mask;
    if (!mask) return;
    this.page.say(text("mask.saving"));
    try {
      const png = await encodePng(mask.bits, mask.width, mask.height);
      const stored = await send("PUT", this.frame.mask_url, png, "image/png");
      this.frame.has_mask = true;
      drafts.delete(this.frame.id);
      this.stop();
      this.page.say(text("mask.saved", { area: stored.area_px }));
    } catch (error) {
      this.page.say(text("mask.failed", { why: /** @type {Error} */ (error).message }));
    }
  }

  /**
   * Each pixel of the screen takes the frame pixel under its middle: exact at every zoom, however large the frame.
   * @type {import("./stage.js").Painter}
   */
  #paint(context, { x, y, scale }, pane) {
    const mask = this.mask;
    if (!mask) return;
    const left = Math.max(0, Math.round(-x * scale));
    const top = Math.max(0, Math.round(-y * scale));
    const right = Math.min(pane.width, Math.round((mask.width - x) * scale));
    const bottom = Math.min(pane.height, Math.round((mask.height - y) * scale));
    if (right > left && bottom > top) {
      const image = new ImageData(right - left, bottom - top);
      const out = new Uint32Array(image.data.buffer);
      const columns = Int32Array.from({ length: right - left }, (_, i) => Math.floor(x + (left + i + 0.5) / scale));
      for (let row = top, at = 0; row < bottom; row++) {
        const start = Math.floor(y + (row + 0.5) / scale) * mask.width;
        for (let i = 0; i < columns.length; i++, at++) if (mask.bits[start + columns[i]]) out[at] = COLOUR;
      }
      this.#sheet.width = image.width;
      this.#sheet.height = image.height;
      /** @type {OffscreenCanvasRenderingContext2D} */ (this.#sheet.getContext("2d")).putImageData(image, 0, 0);
      context.drawImage(this.#sheet, left, top);
    }
    if (this.#pointer && this.#tool !== "fill") this.#cursor(context, { x, y, scale });
  }

  /** @param {CanvasRenderingContext2D} context @param {import("./stage.js").View} view */
  #cursor(context, { x, y, scale }) {
    const at = /** @type {import("./stage.js").Point} */ (this.#pointer);
    for (const [width, style] of /** @type {[number, string][]} */ ([[3, "#000a"], [1.2, "#fff"]])) {
      context.beginPath();
      context.arc((at.x - x) * scale, (at.y - y) * scale, (this.#size / 2) * scale, 0, 2 * Math.PI);
      context.lineWidth = width * devicePixelRatio;
      context.strokeStyle = style;
      context.stroke();
    }
  }
}
