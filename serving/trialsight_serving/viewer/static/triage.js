// The contact sheet: pick tiles, a row of them with shift, and decide once for all. One event goes out, marked as bulk.

import { useFilter } from "./filter.js";
import { useKeys } from "./keys.js";
import { defectIn, post } from "./outbox.js";
import { newKey } from "./post.js";
import { text } from "./text.js";

/** @typedef {{box: HTMLInputElement, tile: HTMLElement}} Tile */
/** @typedef {{key: string, parts: {part_id: string, frame_id: string}[]}} Made */

const BULK = "/v1/parts/decisions";
const LARGEST = 500;

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").App} app
 */
export function start(main, app) {
  /** @type {Tile[]} */
  const tiles = Array.from(main.querySelectorAll(".sheet li"), (tile) => ({
    tile: /** @type {HTMLElement} */ (tile),
    box: /** @type {HTMLInputElement} */ (tile.querySelector("input")),
  }));
  const said = /** @type {HTMLOutputElement} */ (main.querySelector("#selected"));
  const kind = /** @type {HTMLSelectElement} */ (main.querySelector("#class"));
  /** @type {Made[][]} */
  const made = []; // what one key press made
  let last = -1;

  const picked = () => tiles.filter(({ box }) => box.checked);
  const count = () => (said.textContent = text("triage.selected", { count: picked().length }));
  /** @param {boolean} on */
  const pickAll = (on) => {
    for (const { box } of tiles) box.checked = on;
    count();
  };

  /** @param {string | ((verdict: string) => string)} wanted a decision, or what it is for a verdict */
  function decide(wanted, defectClass = kind.value) {
    /** @type {Map<string, Made>} */
    const bulks = new Map();
    for (const { tile, box } of picked().slice(0, LARGEST)) {
      const decision = typeof wanted === "string" ? wanted : wanted(tile.className);
      const bulk = bulks.get(decision) ?? { key: newKey(), parts: [] };
      bulks.set(decision, bulk);
      bulk.parts.push({ part_id: tile.dataset.part ?? "", frame_id: tile.dataset.frame ?? "" });
      mark(tile, text(`decision.${decision}`));
      box.checked = false;
    }
    for (const [decision, bulk] of bulks) post(BULK, { ...bulk, decision, defect_class: defectClass || null });
    if (bulks.size) made.push([...bulks.values()]);
    count();
  }

  function undo() {
    const back = made.pop() ?? [];
    for (const { key, parts } of back) post(BULK, { key: newKey(), parts, decision: "undo", undoes: key });
    const ids = new Set(back.flatMap((bulk) => bulk.parts.map((part) => part.part_id)));
    for (const { tile } of tiles) if (ids.has(tile.dataset.part ?? "")) mark(tile, "");
  }

  /** @param {number} [number] */
  function byClass(number) {
    const option = kind.querySelector(`[data-number="${number}"]`);
    if (option instanceof HTMLOptionElement) decide(defectIn, option.value);
  }

  main.querySelector(".sheet")?.addEventListener("click", (event) => {
    const index = tiles.findIndex(({ box }) => box === event.target);
    if (index < 0) return;
    if (/** @type {MouseEvent} */ (event).shiftKey && last >= 0) {
      const [from, to] = [Math.min(last, index), Math.max(last, index)];
      for (const { box } of tiles.slice(from, to + 1)) box.checked = tiles[index].box.checked;
    }
    last = index;
    count();
  });
  kind.addEventListener("change", () => kind.blur()); // else the next key would choose another class
  useFilter(main, app.visit);
  useKeys(
    "triage",
    {
      all: () => pickAll(true),
      none: () => pickAll(false),
      confirm: () => decide("confirm"),
      overrule_good: () => decide("overrule_good", ""),
      missed_defect: () => decide("missed_defect"),
      unsure: () => decide("unsure", ""),
      class: byClass,
      undo,
    },
    text,
  );
  count();
}

/** @param {HTMLElement} tile @param {string} decision */
function mark(tile, decision) {
  const label = /** @type {HTMLElement} */ (tile.querySelector(".decided"));
  label.textContent = decision;
  label.hidden = !decision;
}
