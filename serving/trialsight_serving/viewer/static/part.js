// One part: the overlay on its picture, and a decision by one key.

import { PART_KEYS, bind } from "./keys.js";
import { cleared, drawContours, drawHeat, loadMap, scoreAt } from "./overlay.js";
import { localTimes, text } from "./page.js";

/** @typedef {import("./overlay.js").Frame} Frame */
/** @typedef {import("./overlay.js").DefectMap} DefectMap */

const MODE = "trialsight.overlay";
const OPACITY = "trialsight.opacity";
const LARGEST_PX = 2048; // of the overlay's own pixels: the map is far coarser than a large frame

const picture = /** @type {HTMLElement} */ (document.querySelector(".picture"));
const canvas = /** @type {HTMLCanvasElement} */ (document.getElementById("overlay"));
const opacity = /** @type {HTMLInputElement} */ (document.getElementById("opacity"));
const probe = /** @type {HTMLOutputElement} */ (document.getElementById("probe"));
const saved = /** @type {HTMLElement} */ (document.getElementById("saved"));
const note = /** @type {HTMLInputElement} */ (document.getElementById("note"));
const frame = /** @type {Frame} */ (JSON.parse(picture.dataset.frame ?? "{}"));
/** @type {DefectMap | null} */
let map = null;
let mode = localStorage.getItem(MODE) ?? "heat";

const shrink = Math.min(1, LARGEST_PX / Math.max(frame.width_px, frame.height_px));
canvas.width = Math.round(frame.width_px * shrink);
canvas.height = Math.round(frame.height_px * shrink);
opacity.value = localStorage.getItem(OPACITY) ?? opacity.value;

/** @param {number | null} strong */
function draw(strong = null) {
  canvas.style.opacity = String(Number(opacity.value) / 100);
  if (strong !== null || mode === "contour") drawContours(canvas, frame, strong);
  else if (mode === "heat" && map) drawHeat(canvas, map, frame);
  else cleared(canvas);
  canvas.dataset.mode = mode === "heat" && !map ? "loading" : mode;
  for (const button of document.querySelectorAll(".modes button")) {
    button.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (button).dataset.action === mode));
  }
}

/** @param {string} wanted */
function show(wanted) {
  mode = wanted;
  localStorage.setItem(MODE, mode);
  draw();
}

/** @param {string} action */
function follow(action) {
  /** @type {HTMLAnchorElement | null} */ (document.querySelector(`a[data-action=${action}]`))?.click();
}

/** @param {string} decision */
async function decide(decision) {
  saved.className = "saving";
  saved.textContent = text("decide.saving");
  const part = /** @type {HTMLElement} */ (document.querySelector(".decide")).dataset.part;
  try {
    const response = await fetch(`/v1/parts/${part}/decisions`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ decision, note: note.value }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.detail);
    remember(answer);
  } catch (error) {
    saved.className = "failed";
    saved.textContent = text("decide.failed", { why: /** @type {Error} */ (error).message });
  }
}

/** @param {{decision: string, decided_by: string, decided_at: string, note: string}} made */
function remember(made) {
  saved.className = "saved";
  saved.textContent = `✓ ${text("decide.saved")}: ${text(`decision.${made.decision}`)}`;
  note.value = "";
  for (const button of document.querySelectorAll(".decide button")) {
    button.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (button).dataset.action === made.decision));
  }
  const row = document.createElement("li");
  const who = Object.assign(document.createElement("span"), { className: "faint" });
  who.append(`${made.decided_by} · `, Object.assign(document.createElement("time"), { dateTime: made.decided_at }));
  row.append(Object.assign(document.createElement("strong"), { textContent: text(`decision.${made.decision}`) }), " ", who);
  if (made.note) row.append(Object.assign(document.createElement("p"), { textContent: made.note }));
  localTimes(row);
  const history = /** @type {HTMLElement} */ (document.getElementById("history"));
  history.querySelector(".none")?.remove();
  history.prepend(row);
}

bind(
  PART_KEYS,
  {
    heat: () => show("heat"),
    contour: () => show("contour"),
    off: () => show("off"),
    newer: () => follow("newer"),
    older: () => follow("older"),
    list: () => follow("list"),
    confirm: () => decide("confirm"),
    overrule_good: () => decide("overrule_good"),
    missed_defect: () => decide("missed_defect"),
    unsure: () => decide("unsure"),
  },
  text,
);
opacity.addEventListener("input", () => {
  localStorage.setItem(OPACITY, opacity.value);
  draw();
});
picture.addEventListener("pointermove", (event) => {
  const box = picture.getBoundingClientRect();
  // The picture is fitted into its box, with bars beside it or above.
  const fit = Math.min(box.width / frame.width_px, box.height / frame.height_px);
  const x = (event.clientX - box.left - box.width / 2) / fit + frame.width_px / 2;
  const y = (event.clientY - box.top - box.height / 2) / fit + frame.height_px / 2;
  probe.textContent = "";
  if (!map || x < 0 || y < 0 || x >= frame.width_px || y >= frame.height_px) return;
  const score = scoreAt(map, frame, x, y).toPrecision(3);
  probe.textContent = text("overlay.at", { score, x: Math.floor(x), y: Math.floor(y) });
});
picture.addEventListener("pointerleave", () => (probe.textContent = ""));
for (const row of document.querySelectorAll("#regions tbody tr")) {
  const index = Number(/** @type {HTMLElement} */ (row).dataset.region);
  row.addEventListener("pointerenter", () => draw(index));
  row.addEventListener("pointerleave", () => draw());
}

localTimes();
draw();
if (frame.map_url) {
  map = await loadMap(frame.map_url);
  draw();
}
