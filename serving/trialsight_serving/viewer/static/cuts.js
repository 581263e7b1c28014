// What two thresholds do to scores whose truth is known: counted, and priced. Pure; the same formula as in training.

/**
 * @typedef {{good: number[], defective: number[], undecided: number[], whole: boolean}} Scores each ascending
 * @typedef {{t1: number, t2: number}} Cuts below t1 passes, above t2 is rejected
 * @typedef {{escape: number, overkill: number, review: number, defect_rate: number}} Costs
 */

/** How many of these lie below a cut. @param {number[]} scores ascending @param {number} cut */
export function below(scores, cut) {
  return bound(scores, (score) => score < cut);
}

/** How many of these lie at or below a cut. @param {number[]} scores ascending @param {number} cut */
export function upTo(scores, cut) {
  return bound(scores, (score) => score <= cut);
}

/** @param {Scores} scores @param {Cuts} cuts */
export function effect(scores, { t1, t2 }) {
  const all = [scores.good, scores.defective, scores.undecided];
  const load = all.reduce((sum, some) => sum + upTo(some, t2) - below(some, t1), 0);
  return {
    overkill: scores.good.length - upTo(scores.good, t2),
    good: scores.good.length,
    escape: below(scores.defective, t1),
    defective: scores.defective.length,
    load,
    parts: all.reduce((sum, some) => sum + some.length, 0),
  };
}

/** Expected cost a part, or null where good or defective parts are missing. @param {Scores} scores @param {Cuts} cuts @param {Costs} costs */
export function cost(scores, { t1, t2 }, costs) {
  if (!scores.good.length || !scores.defective.length) return null;
  return ofT1(scores, t1, costs) + ofT2(scores, t2, costs);
}

/**
 * The cheapest pair; of equally cheap ones the lowest T1 and the highest T2: what is uncertain goes to a person.
 * @param {Scores} scores @param {Costs} costs @returns {Cuts | null}
 */
export function cheapest(scores, costs) {
  if (!scores.good.length || !scores.defective.length) return null;
  const known = [...new Set([...scores.good, ...scores.defective])].sort((a, b) => a - b);
  const step = Math.max(1e-6, (known[known.length - 1] - known[0]) / 100);
  const cuts = [known[0] - step, ...known.slice(1).map((score, i) => (known[i] + score) / 2), known[known.length - 1] + step];
  let [low, lowCost] = [cuts[0], Infinity]; // the best T1 up to here
  let best = { t1: cuts[0], t2: cuts[0], cost: Infinity };
  for (const cut of cuts) {
    const one = ofT1(scores, cut, costs);
    if (one < lowCost - 1e-12) [low, lowCost] = [cut, one];
    const both = lowCost + ofT2(scores, cut, costs);
    if (both < best.cost - 1e-12 || (low === best.t1 && both <= best.cost + 1e-12)) best = { t1: low, t2: cut, cost: both };
  }
  return { t1: best.t1, t2: best.t2 };
}

/** What depends on T1 alone: defects that pass instead of being looked at, good parts that need no look. */
function ofT1(/** @type {Scores} */ { good, defective }, /** @type {number} */ t1, /** @type {Costs} */ { escape, review, defect_rate: p }) {
  return p * (escape - review) * (below(defective, t1) / defective.length) - (1 - p) * review * (below(good, t1) / good.length);
}

/** What depends on T2 alone: looks up to it, good parts rejected above it. */
function ofT2(/** @type {Scores} */ { good, defective }, /** @type {number} */ t2, /** @type {Costs} */ { overkill, review, defect_rate: p }) {
  const seen = upTo(good, t2) / good.length;
  return p * review * (upTo(defective, t2) / defective.length) + (1 - p) * (review * seen + overkill * (1 - seen));
}

/** @param {number[]} scores @param {(score: number) => boolean} before holds for a first part of them */
function bound(scores, before) {
  let [low, high] = [0, scores.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(scores[middle])) low = middle + 1;
    else high = middle;
  }
  return low;
}
