// One part: look at it, decide by one key, and go on to the next, which is here already.

import { useKeys } from "./keys.js";
import { crossings, heatOf, inMm, outlinesOf, paintHeat, paintOutlines, scoreAt } from "./overlay.js";
import { defectIn, drain, post } from "./outbox.js";
import { Painting } from "./painting.js";
import { loadMap, loadPicture } from "./pictures.js";
import { newKey } from "./post.js";
import { Stage } from "./stage.js";
import { text } from "./text.js";

/**
 * @typedef {import("./overlay.js").Frame} Frame
 * @typedef {import("./overlay.js").DefectMap} DefectMap
 * @typedef {import("./stage.js").Compare} Compare
 * @typedef {{key: string, part: string, url: string}} Made
 */

const MODE = "trialsight.overlay";
const OPACITY = "trialsight.opacity";
const MADE = "trialsight.made"; // decisions of this tab, so that undo finds them after a reload
const AHEAD = 2;
const BLINK_MS = 600;

/** What the page wants before it can be drawn. @param {HTMLElement} main */
export async function prepare(main) {
  const frame = frameOf(main);
  await Promise.all([loadPicture(frame.image_url), frame.map_url && loadMap(frame.map_url)]);
}

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").App} app
 */
export function start(main, app) {
  /** @template {HTMLElement} T @param {string} id @returns {T} */
  const find = (id) => /** @type {T} */ (main.querySelector(`#${id}`));
  const frame = frameOf(main);
  const root = find("stage");
  const opacity = /** @type {HTMLInputElement} */ (find("opacity"));
  const slider = /** @type {HTMLInputElement} */ (find("threshold"));
  const split = /** @type {HTMLInputElement} */ (find("split"));
  const note = /** @type {HTMLInputElement} */ (find("note"));
  const stage = new Stage(root, frame);
  const say = (/** @type {string} */ words) => (find("stage-note").textContent = words);

  /** @type {DefectMap | null} */
  let map = null;
  /** @type {OffscreenCanvas | null} */
  let heat = null;
  let outlines = outlinesOf(frame.regions);
  let mode = localStorage.getItem(MODE) ?? "heat";
  let threshold = frame.thresholds.region;
  let strong = -1;
  let leaving = "";
  let gone = false;
  let blinking = 0;
  opacity.value = localStorage.getItem(OPACITY) ?? opacity.value;

  // Looking

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
    for (const name of ["heat", "contour", "off"]) press(name, name === mode);
    for (const name of ["side", "swipe", "blink"]) press(name, name === stage.compare);
    root.dataset.mode = mode === "heat" && !heat ? "loading" : mode;
    stage.draw();
  }

  /** @param {string} action @param {boolean} on */
  function press(action, on) {
    main.querySelector(`[data-action=${action}]`)?.setAttribute("aria-pressed", String(on));
  }

  function useThreshold() {
    if (!map) return;
    heat = heatOf(map, threshold);
    const usual = threshold === frame.thresholds.region;
    const crossed = crossings(map, frame, threshold);
    outlines = usual ? outlinesOf(frame.regions) : crossed.path;
    const share = (crossed.share * 100).toPrecision(2);
    find("threshold-value").textContent = text("overlay.above", { threshold: threshold.toPrecision(3), share });
    refresh();
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

  stage.onpoint = (at) => {
    painting.point(at);
    const probe = find("probe");
    if (!at || at.x < 0 || at.y < 0 || at.x >= frame.width_px || at.y >= frame.height_px) {
      probe.textContent = "";
      return;
    }
    const words = [text("overlay.at", { x: Math.floor(at.x), y: Math.floor(at.y) })];
    if (frame.mm) {
      const mm = inMm(frame.mm, at.x, at.y);
      words.push(text("overlay.mm", { x: mm.x.toFixed(2), y: mm.y.toFixed(2) }));
    }
    if (map) words.push(text("overlay.score", { score: scoreAt(map, frame, at.x, at.y).toPrecision(3) }));
    probe.textContent = words.join(" · ");
  };

  // Deciding

  /** @param {string} decision @param {string | null} defectClass */
  function decide(decision, defectClass = null) {
    const same = `${decision} ${defectClass} ${note.value}`;
    if (leaving === same) return; // pressed again while the next part is on its way
    leaving = same;
    const key = newKey();
    const data = { key, decision, defect_class: defectClass, note: note.value, frame_id: frame.state };
    post(`/v1/parts/${frame.part}/decisions`, data);
    remember([...made(), { key, part: frame.part, url: location.href }]);
    for (const name of ["confirm", "overrule_good", "missed_defect", "unsure"]) press(name, name === decision);
    void leave("older");
  }

  /** @param {number} [number] */
  function byClass(number) {
    const button = /** @type {HTMLElement | null} */ (main.querySelector(`.classes [data-number="${number}"]`));
    if (button) decide(defectIn(frame.verdict), button.dataset.class);
  }

  async function undo() {
    const all = made();
    const back = all.pop();
    if (!back) return say(text("decide.nothing_to_undo"));
    remember(all);
    post(`/v1/parts/${back.part}/decisions`, { key: newKey(), decision: "undo", undoes: back.key });
    await Promise.race([drain(), new Promise((resolve) => setTimeout(resolve, 1000))]);
    if (!gone) await arrive(back.url);
  }

  /** @param {"older" | "newer"} way */
  async function leave(way) {
    const link = /** @type {HTMLAnchorElement | null} */ (main.querySelector(`a[data-action=${way}]`));
    if (link) return arrive(link.href);
    if (!leaving) return;
    say(text("decide.end"));
    await drain();
    if (!gone) await arrive(location.href, true); // shows what is stored now
  }

  /** Goes on trying until the service is back. @param {string} url @param {boolean} replace */
  async function arrive(url, replace = false) {
    while (!gone && !(await app.visit(url, replace))) {
      say(text("decide.waiting"));
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  // The rest

  const looking = {
    heat: () => show("heat"),
    contour: () => show("contour"),
    off: () => show("off"),
    actual: () => stage.actual(),
    zoom_in: () => stage.zoomIn(),
    zoom_out: () => stage.zoomOut(),
  };
  const follow = (/** @type {string} */ action) => /** @type {HTMLElement | null} */ (main.querySelector(`a[data-action=${action}]`))?.click();
  const painting = new Painting(main, stage, frame, { looking, above, say, done: listenAgain });

  function listenAgain() {
    press("paint", false);
    useKeys(
      "part",
      {
        ...looking,
        fit: () => stage.fit(),
        side: () => void compare("side"),
        swipe: () => void compare("swipe"),
        blink: () => void compare("blink"),
        paint: () => {
          press("paint", true);
          void painting.start();
        },
        newer: () => void leave("newer"),
        older: () => void leave("older"),
        list: () => follow("list"),
        next_view: nextView,
        note: () => note.focus(),
        confirm: () => decide("confirm"),
        overrule_good: () => decide("overrule_good"),
        missed_defect: () => decide("missed_defect"),
        unsure: () => decide("unsure"),
        class: byClass,
        undo: () => void undo(),
        region: (index) => stage.show(frame.regions[index ?? 0].box_px),
      },
      text,
    );
  }

  function nextView() {
    const views = /** @type {HTMLElement[]} */ ([...main.querySelectorAll(".strip a")]);
    const at = views.findIndex((view) => view.ariaCurrent === "true");
    if (views.length) views[(at + 1) % views.length].click();
  }

  /** Frame pixels that lie above the threshold, as the contour shows them. */
  function above() {
    if (!map) return () => 0;
    const { width, height, codes, scale } = map;
    const code = (threshold / scale) * 255;
    return (/** @type {number} */ index) => {
      const column = Math.floor((((index % frame.width_px) + 0.5) / frame.width_px) * width);
      const row = Math.floor(((Math.floor(index / frame.width_px) + 0.5) / frame.height_px) * height);
      return codes[row * width + column] >= code ? 1 : 0;
    };
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
    for (const [event, index] of /** @type {[string, number][]} */ ([
      ["pointerenter", Number(row.dataset.region)],
      ["focusin", Number(row.dataset.region)],
      ["pointerleave", -1],
      ["focusout", -1],
    ])) {
      row.addEventListener(event, () => {
        strong = index;
        stage.draw();
      });
    }
  }

  function highest() {
    return Math.max(map?.scale ?? 0, frame.thresholds.region * 2, 1e-9);
  }

  function resetThreshold() {
    threshold = frame.thresholds.region;
    slider.value = String((threshold / highest()) * 1000);
    useThreshold();
  }

  listenAgain();
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
  void lookAhead(main, app, AHEAD, () => gone);

  return () => {
    gone = true;
    clearInterval(blinking);
    stage.stop();
  };
}

/**
 * Fetches the parts that come next, one after the other.
 * @param {HTMLElement} main @param {import("./app.js").App} app @param {number} count @param {() => boolean} gone
 */
async function lookAhead(main, app, count, gone) {
  let link = /** @type {HTMLAnchorElement | null} */ (main.querySelector("a[data-action=older]"));
  for (let i = 0; link && i < count && !gone(); i++) {
    const page = await app.prefetch(link.href).catch(() => null);
    link = page?.querySelector("a[data-action=older]") ?? null;
  }
}

/** @param {HTMLElement} main @returns {Frame} */
function frameOf(main) {
  return JSON.parse(/** @type {HTMLElement} */ (main.querySelector("#stage")).dataset.frame ?? "{}");
}

/** @returns {Made[]} */
function made() {
  return JSON.parse(sessionStorage.getItem(MADE) ?? "[]");
}

/** @param {Made[]} all */
function remember(all) {
  sessionStorage.setItem(MADE, JSON.stringify(all.slice(-100)));
}
