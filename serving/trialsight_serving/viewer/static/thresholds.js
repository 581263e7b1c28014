// The threshold page: scores by what people decided, T1 and T2 to be moved, and at once what that would do and cost.

import { below, cheapest, cost, effect } from "./cuts.js";
import { useHandles } from "./handles.js";
import { useKeys } from "./keys.js";
import { send } from "./post.js";
import { text } from "./text.js";

/**
 * @typedef {import("./cuts.js").Cuts} Cuts
 * @typedef {import("./cuts.js").Costs} Costs
 * @typedef {import("./cuts.js").Scores} Scores
 * @typedef {{recipe: string, model_version: string, thresholds: Cuts, calibrated: Cuts, costs: Costs | null, based_on: string | null}} Now
 */

const BINS = 100;
const POINTS = 160; // of a cost curve
const KINDS = /** @type {const} */ (["good", "defective", "undecided"]);

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").App} app
 */
export function start(main, app) {
  const recipes = /** @type {HTMLSelectElement | null} */ (main.querySelector(".recipes select"));
  recipes?.addEventListener("change", () => void app.visit(`/thresholds?recipe=${recipes.value}`));
  const root = /** @type {HTMLElement | null} */ (main.querySelector("#cuts"));
  if (!root) return;
  /** @template {HTMLElement} T @param {string} id @returns {T} */
  const find = (id) => /** @type {T} */ (main.querySelector(`#${id}`));
  /** @type {Now} */
  const now = JSON.parse(root.dataset.now ?? "{}");
  const form = /** @type {HTMLFormElement} */ (find("save"));
  const reason = /** @type {HTMLInputElement | null} */ (find("reason"));
  const typed = { t1: /** @type {HTMLInputElement} */ (find("type-t1")), t2: /** @type {HTMLInputElement} */ (find("type-t2")) };
  const said = find("said");
  /** @type {Scores} */
  let scores = { good: [], defective: [], undecided: [], whole: true };
  let cuts = { ...now.thresholds };
  let axis = { low: 0, high: 1 };
  let calibrated = false; // asked for as such: then it stays so when the calibration's change
  let gone = false;
  const handles = useHandles(find("plot"), () => axis, () => cuts, move);

  /** @param {Cuts} wanted */
  function move(wanted) {
    cuts = wanted;
    calibrated = false;
    said.textContent = "";
    draw();
  }

  /** @param {Cuts} wanted a pair that may lie beyond the axis */
  function jump(wanted) {
    move(wanted);
    lanes();
    draw();
  }

  /** The axis, and how many parts have which score; what lies above the axis is in its last bin. */
  function lanes() {
    axis = axisOf(scores, [cuts, now.thresholds, now.calibrated]);
    find("low").textContent = axis.low.toPrecision(3);
    const highest = Math.max(...KINDS.map((kind) => scores[kind].at(-1) ?? 0));
    find("high").textContent = `${highest > axis.high ? "≥ " : ""}${axis.high.toPrecision(3)}`;
    for (const kind of KINDS) {
      const lane = /** @type {HTMLElement} */ (main.querySelector(`.lane.${kind}`));
      /** @type {HTMLElement} */ (lane.querySelector(".number")).textContent = String(scores[kind].length);
      lane.querySelector("path")?.setAttribute("d", bars(scores[kind], axis));
    }
  }

  function draw() {
    handles.draw();
    const places = [0, share(cuts.t1), share(cuts.t2), 1];
    main.querySelectorAll(".zones li").forEach((zone, i) => {
      /** @type {HTMLElement} */ (zone).style.width = `${100 * (places[i + 1] - places[i])}%`;
    });
    for (const name of /** @type {const} */ (["t1", "t2"])) {
      if (document.activeElement !== typed[name]) typed[name].value = String(Number(cuts[name].toPrecision(6)));
      find(`mark-${name}`).style.left = `${100 * share(cuts[name])}%`;
    }
    column(1, now.thresholds, now.costs ?? costs());
    column(2, cuts, costs());
    curves();
  }

  /** @param {number} value */
  function share(value) {
    return Math.min(1, Math.max(0, (value - axis.low) / (axis.high - axis.low)));
  }

  /** @param {1 | 2} index @param {Cuts} at @param {Costs} prices */
  function column(index, at, prices) {
    const found = effect(scores, at);
    const price = cost(scores, at, prices);
    /** @type {Record<string, string>} */
    const words = {
      t1: at.t1.toPrecision(4),
      t2: at.t2.toPrecision(4),
      overkill: counted(found.overkill, found.good),
      escape: counted(found.escape, found.defective),
      load: counted(found.load, found.parts),
      cost: price === null ? "–" : (100 * price).toPrecision(4),
    };
    for (const row of /** @type {NodeListOf<HTMLTableRowElement>} */ (main.querySelectorAll(".effect tbody tr"))) {
      row.cells[index].textContent = words[row.dataset.row ?? ""];
    }
  }

  function curves() {
    const prices = costs();
    const at = Array.from({ length: POINTS }, (_, i) => axis.low + (i / (POINTS - 1)) * (axis.high - axis.low));
    const lines = {
      t1: at.map((t1) => (t1 <= cuts.t2 ? cost(scores, { t1, t2: cuts.t2 }, prices) : null)),
      t2: at.map((t2) => (t2 >= cuts.t1 ? cost(scores, { t1: cuts.t1, t2 }, prices) : null)),
    };
    const known = [...lines.t1, ...lines.t2].filter((one) => one !== null);
    const [low, high] = [Math.min(...known), Math.max(...known)];
    for (const name of /** @type {const} */ (["t1", "t2"])) {
      const points = lines[name].map((one, i) => (one === null ? "" : `${(1000 * i) / (POINTS - 1)} ${95 - (90 * (one - low)) / (high - low || 1)}`));
      const shown = points.filter(Boolean);
      main.querySelector(`.costs .by-${name}`)?.setAttribute("d", shown.length ? `M${shown.join("L")}` : "");
    }
    const passed = [scores.good, scores.defective].reduce((sum, some) => sum + below(some, now.thresholds.t1), 0);
    const all = passed + below(scores.undecided, now.thresholds.t1);
    const words = [text("thresholds.caution", { reviewed: passed, passed: all })];
    if (!known.length) words.unshift(text("thresholds.no_cost"));
    if (!scores.whole) words.push(text("thresholds.not_whole"));
    find("caution").textContent = words.join(" ");
  }

  /** @returns {Costs} */
  function costs() {
    const value = (/** @type {string} */ id) => Number(/** @type {HTMLInputElement} */ (find(id)).value);
    return {
      escape: value("cost-escape"),
      overkill: value("cost-overkill"),
      review: value("cost-review"),
      defect_rate: value("defect-rate") / 100,
    };
  }

  function best() {
    const found = cheapest(scores, costs());
    if (found) jump(found);
    else said.textContent = text("thresholds.no_cost");
  }

  function asCalibrated() {
    jump({ ...now.calibrated });
    calibrated = true;
  }

  async function save() {
    const pair = calibrated ? {} : { t1: cuts.t1, t2: cuts.t2 };
    const data = { model_version: now.model_version, based_on: now.based_on, reason: reason?.value, costs: costs(), ...pair };
    const button = /** @type {HTMLButtonElement} */ (find("save-button"));
    button.disabled = true;
    said.className = "";
    said.textContent = text("saved.saving");
    try {
      await send("PUT", `/v1/recipes/${now.recipe}/thresholds`, JSON.stringify(data), "application/json");
      if (!gone) await app.visit(location.href, true);
      const line = document.getElementById("said");
      if (line) line.textContent = text("thresholds.saved");
    } catch (error) {
      said.className = "wrong";
      said.textContent = /** @type {Error} */ (error).message;
      button.disabled = false;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (reason) void save();
  });
  form.addEventListener("input", (event) => {
    const { t1, t2 } = { t1: typed.t1.valueAsNumber, t2: typed.t2.valueAsNumber };
    if (event.target === typed.t1 && Number.isFinite(t1)) jump({ t1, t2: Math.max(t1, cuts.t2) });
    else if (event.target === typed.t2 && Number.isFinite(t2)) jump({ t1: Math.min(t2, cuts.t1), t2 });
    else if (event.target !== reason) draw();
  });
  for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (main.querySelectorAll(".take"))) {
    button.addEventListener("click", () => {
      const { t1, t2 } = button.dataset;
      if (t1 && t2) jump({ t1: Number(t1), t2: Number(t2) });
      else asCalibrated();
      reason?.focus();
    });
  }
  useKeys(
    "thresholds",
    { t1: () => handles.focus("t1"), t2: () => handles.focus("t2"), cheapest: best, calibrated: asCalibrated, reset: () => jump({ ...now.thresholds }) },
    text,
  );
  lanes();
  draw();
  void fetch(`/v1/recipes/${now.recipe}/scores`).then(async (response) => {
    if (!response.ok || gone) return;
    scores = await response.json();
    lanes();
    draw();
    root.dataset.drawn = "true";
  });
  return () => {
    gone = true;
  };
}

/** From the lowest score to well above T2, where defects are all alike. @param {Scores} scores @param {Cuts[]} pairs */
function axisOf(scores, pairs) {
  const cuts = pairs.flatMap(({ t1, t2 }) => [t1, t2]);
  const lowest = KINDS.map((kind) => scores[kind][0]).filter((one) => one !== undefined);
  const highest = KINDS.map((kind) => scores[kind].at(-1)).filter((one) => one !== undefined);
  const [low, top] = [Math.min(...lowest, ...cuts), Math.max(...cuts)];
  const high = Math.max(Math.min(Math.max(...highest, top), top + 8 * (top - low)), top + 0.2 * (top - low || 1));
  const margin = 0.04 * (high - low);
  return { low: low - margin, high: high + margin };
}

/** SVG path data of the bars. @param {number[]} scores ascending @param {{low: number, high: number}} axis */
function bars(scores, { low, high }) {
  const counts = new Array(BINS).fill(0);
  for (const score of scores) counts[Math.min(BINS - 1, Math.max(0, Math.floor(((score - low) / (high - low)) * BINS)))]++;
  const most = Math.max(...counts, 1);
  const wide = 1000 / BINS;
  // A single part must be seen beside thousands, so heights go by the square root.
  return counts.map((count, i) => (count ? `M${i * wide} 100v${-Math.round(96 * Math.sqrt(count / most))}h${wide - 1}V100Z` : "")).join("");
}

/** @param {number} count @param {number} of */
function counted(count, of) {
  return of ? `${((100 * count) / of).toFixed(count && count * 200 < of ? 2 : 1)} %\n${count} / ${of}` : "–";
}
