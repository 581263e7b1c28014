// How a part is looked at: the defect map as heat or outlines, above a threshold of the reader's own; beside, over or in
// turn with a good part; and what lies under the pointer.

import { crossings, heatOf, inMm, outlinesOf, paintHeat, paintOutlines, scoreAt } from "./overlay.js";
import { loadMap, loadPicture } from "./pictures.js";
import { text } from "./text.js";

/**
 * @typedef {import("./overlay.js").Frame} Frame
 * @typedef {import("./overlay.js").DefectMap} DefectMap
 * @typedef {import("./stage.js").Compare} Compare
 * @typedef {import("./stage.js").Point} Point
 */

const MODE = "trialsight.overlay";
const OPACITY = "trialsight.opacity";
const BLINK_MS = 600;

/**
 * @param {HTMLElement} main
 * @param {import("./stage.js").Stage} stage
 * @param {Frame} frame
 * @param {(words: string) => unknown} say
 */
export function useLooking(main, stage, frame, say) {
  /** @template {HTMLElement} T @param {string} id @returns {T} */
  const find = (id) => /** @type {T} */ (main.querySelector(`#${id}`));
  const opacity = /** @type {HTMLInputElement} */ (find("opacity"));
  const slider = /** @type {HTMLInputElement} */ (find("threshold"));
  const split = /** @type {HTMLInputElement} */ (find("split"));
  /** @type {DefectMap | null} */
  let map = null;
  /** @type {OffscreenCanvas | null} */
  let heat = null;
  let outlines = outlinesOf(frame.regions);
  let mode = localStorage.getItem(MODE) ?? "heat";
  let threshold = frame.thresholds.region;
  let strong = -1;
  let blinking = 0;
  opacity.value = localStorage.getItem(OPACITY) ?? opacity.value;

  stage.painters.unshift((context, view) => {
    const strength = Number(opacity.value) / 100;
    if (mode === "heat" && heat) paintHeat(context, view, frame, heat, strength);
    if (mode === "contour") paintOutlines(context, view, outlines, strength);
    if (strong >= 0) paintOutlines(context, view, outlinesOf([frame.regions[strong]]), 1, true);
  });

  /** @param {string} wanted */
  function show(wanted) {
    mode = wanted;
    localStorage.setItem(MODE, mode);
    refresh();
  }

  function refresh() {
    for (const name of ["heat", "contour", "off"]) press(main, name, name === mode);
    for (const name of ["side", "swipe", "blink"]) press(main, name, name === stage.compare);
    stage.root.dataset.mode = mode === "heat" && !heat ? "loading" : mode;
    stage.draw();
  }

  function useThreshold() {
    if (!map) return;
    heat = heatOf(map, threshold);
    const crossed = crossings(map, frame, threshold);
    outlines = threshold === frame.thresholds.region ? outlinesOf(frame.regions) : crossed.path;
    const share = (crossed.share * 100).toPrecision(2);
    find("threshold-value").textContent = text("overlay.above", { threshold: threshold.toPrecision(3), share });
    refresh();
  }

  function highest() {
    return Math.max(map?.scale ?? 0, frame.thresholds.region * 2, 1e-9);
  }

  function resetThreshold() {
    threshold = frame.thresholds.region;
    slider.value = String((threshold / highest()) * 1000);
    useThreshold();
  }

  /** @param {Compare} wanted */
  async function compare(wanted) {
    clearInterval(blinking);
    stage.blinked = false;
    stage.compare = stage.compare === wanted ? "none" : wanted;
    find("split-label").hidden = stage.compare !== "swipe";
    if (stage.compare !== "none" && !stage.reference) {
      try {
        stage.reference = await loadPicture(frame.reference_url);
      } catch {
        stage.compare = "none";
        say(text("compare.none"));
      }
    }
    if (stage.compare === "blink") {
      blink();
      // Where less motion is wished for, the picture changes once, and back with the next press.
      if (!matchMedia("(prefers-reduced-motion: reduce)").matches) blinking = window.setInterval(blink, BLINK_MS);
    } else if (stage.compare !== "none") say("");
    if (stage.compare === "none" && stage.reference) say("");
    stage.fit();
    refresh();
  }

  function blink() {
    stage.blinked = !stage.blinked;
    say(text(stage.blinked ? "compare.reference" : "compare.part"));
    stage.draw();
  }

  opacity.addEventListener("input", () => {
    localStorage.setItem(OPACITY, opacity.value);
    stage.draw();
  });
  slider.addEventListener("input", () => {
    threshold = (Number(slider.value) / 1000) * highest();
    useThreshold();
  });
  slider.addEventListener("dblclick", resetThreshold);
  split.addEventListener("input", () => {
    stage.split = Number(split.value) / 100;
    stage.draw();
  });
  for (const row of /** @type {NodeListOf<HTMLElement>} */ (main.querySelectorAll("#regions tbody tr"))) {
    const index = Number(row.dataset.region);
    for (const [event, shown] of /** @type {[string, number][]} */ ([
      ["pointerenter", index],
      ["focusin", index],
      ["pointerleave", -1],
      ["focusout", -1],
    ])) {
      row.addEventListener(event, () => {
        strong = shown;
        stage.draw();
      });
    }
  }

  refresh();
  void loadPicture(frame.image_url).then(
    (picture) => {
      stage.picture = picture;
      stage.draw();
    },
    (error) => say(text("overlay.no_picture", { why: error.message })),
  );
  if (frame.map_url) {
    void loadMap(frame.map_url).then((loaded) => {
      map = loaded;
      resetThreshold();
    }, () => {});
  }

  return {
    /** Of every table in which one looks at the picture. */
    actions: {
      heat: () => show("heat"),
      contour: () => show("contour"),
      off: () => show("off"),
      actual: () => stage.actual(),
      zoom_in: () => stage.zoomIn(),
      zoom_out: () => stage.zoomOut(),
    },
    compare,
    /** Says what lies there. @param {Point | null} at */
    probe(at) {
      const inside = at && at.x >= 0 && at.y >= 0 && at.x < frame.width_px && at.y < frame.height_px;
      find("probe").textContent = inside ? words(frame, map, at).join(" · ") : "";
    },
    /** Frame pixels that lie above the threshold, as the contour shows them. */
    above() {
      if (!map) return () => 0;
      const { width, height, codes, scale } = map;
      const code = (threshold / scale) * 255;
      return (/** @type {number} */ index) => {
        const column = Math.floor((((index % frame.width_px) + 0.5) / frame.width_px) * width);
        const row = Math.floor(((Math.floor(index / frame.width_px) + 0.5) / frame.height_px) * height);
        return codes[row * width + column] >= code ? 1 : 0;
      };
    },
    stop: () => clearInterval(blinking),
  };
}

/** @param {ParentNode} main @param {string} action of a button @param {boolean} on */
export function press(main, action, on) {
  main.querySelector(`[data-action=${action}]`)?.setAttribute("aria-pressed", String(on));
}

/** @param {Frame} frame @param {DefectMap | null} map @param {Point} at */
function words(frame, map, { x, y }) {
  const found = [text("overlay.at", { x: Math.floor(x), y: Math.floor(y) })];
  if (frame.mm) {
    const mm = inMm(frame.mm, x, y);
    found.push(text("overlay.mm", { x: mm.x.toFixed(2), y: mm.y.toFixed(2) }));
  }
  if (map) found.push(text("overlay.score", { score: scoreAt(map, frame, x, y).toPrecision(3) }));
  return found;
}
