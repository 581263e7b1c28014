// Decisions about a part: written down before they are sent, taken back by an event of its own, and on to the next part.

import { press } from "./looking.js";
import { defectIn, drain, post } from "./outbox.js";
import { newKey } from "./post.js";
import { text } from "./text.js";

/** @typedef {{key: string, part: string, url: string}} Made */

const MADE = "trialsight.made"; // decisions of this tab, so that undo finds them after a reload
const KINDS = ["confirm", "overrule_good", "missed_defect", "unsure"];

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").App} app
 * @param {import("./overlay.js").Frame} frame
 * @param {(words: string) => unknown} say
 */
export function useDeciding(main, app, frame, say) {
  const note = /** @type {HTMLInputElement} */ (main.querySelector("#note"));
  let leaving = "";
  let gone = false;

  /** @param {string} decision @param {string | null} defectClass */
  function decide(decision, defectClass = null) {
    const same = `${decision} ${defectClass} ${note.value}`;
    if (leaving === same) return; // pressed again while the next part is on its way
    leaving = same;
    const key = newKey();
    const data = { key, decision, defect_class: defectClass, note: note.value, frame_id: frame.state };
    post(`/v1/parts/${frame.part}/decisions`, data);
    remember([...made(), { key, part: frame.part, url: location.href }]);
    for (const name of KINDS) press(main, name, name === decision);
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

  return {
    actions: {
      ...Object.fromEntries(KINDS.map((kind) => [kind, () => decide(kind)])),
      class: byClass,
      undo: () => void undo(),
      note: () => note.focus(),
      newer: () => void leave("newer"),
      older: () => void leave("older"),
    },
    stop() {
      gone = true;
    },
  };
}

/** @returns {Made[]} */
function made() {
  return JSON.parse(sessionStorage.getItem(MADE) ?? "[]");
}

/** @param {Made[]} all */
function remember(all) {
  sessionStorage.setItem(MADE, JSON.stringify(all.slice(-100)));
}
