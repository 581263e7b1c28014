// The gate's lines: what a promotion needs, what was seen of it, and what to do where it fails.

import { text } from "./text.js";

/** @typedef {{name: string, case: string, holds: boolean, figures: Record<string, any>}} Condition */

/**
 * @param {Element} place whose content they become
 * @param {string} title
 * @param {Condition[]} conditions
 */
export function showGate(place, title, conditions) {
  const heading = document.createElement("h3");
  heading.textContent = title;
  const list = document.createElement("ul");
  list.className = "gate-lines";
  for (const one of conditions) {
    const item = document.createElement("li");
    item.dataset.holds = String(one.holds);
    const key = `gate.${one.name}.${one.case}`;
    item.textContent = `${one.holds ? "✓" : "✕"} ${text(key, one.figures)}`;
    if (!one.holds) item.append(document.createElement("br"), `→ ${text(`${key}_remedy`, one.figures)}`);
    list.append(item);
  }
  place.replaceChildren(heading, list);
}
