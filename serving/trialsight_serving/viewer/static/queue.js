// The queue: a pill says how many new parts match the filter, instead of a list that jumps.

import { useFilter } from "./filter.js";
import { useKeys } from "./keys.js";
import { listen } from "./stream.js";
import { text } from "./text.js";

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").App} app
 */
export function start(main, app) {
  const pill = /** @type {HTMLButtonElement} */ (main.querySelector("#new"));
  const live = /** @type {HTMLElement} */ (document.getElementById("live"));
  const asked = new URLSearchParams(location.search);
  const seen = new Set();

  const refresh = () => {
    asked.delete("after");
    void app.visit(asked.size ? `/?${asked}` : "/", true);
  };
  const first = () => /** @type {HTMLAnchorElement | null} */ (main.querySelector(".card"))?.click();
  useKeys("queue", { first, refresh }, text);
  useFilter(main, app.visit);
  const card = /** @type {HTMLAnchorElement | null} */ (main.querySelector(".card"));
  if (card) void app.prefetch(card.href);

  return listen(
    live.dataset.stream ?? "/v1/stream",
    (frame) => {
      if (!matches(frame, asked) || seen.has(frame.part_id)) return;
      seen.add(frame.part_id);
      pill.textContent = text("list.new", { count: seen.size });
      pill.hidden = false;
    },
    (up) => {
      live.classList.toggle("up", up);
      /** @type {HTMLElement} */ (live.querySelector("span")).textContent = text(up ? "list.live" : "list.offline");
    },
  );
}

/**
 * Whether a part that was just inspected is in the list: nobody has reviewed it yet.
 * @param {any} frame @param {URLSearchParams} asked
 */
function matches(frame, asked) {
  /** @param {string} name @param {unknown} value */
  const is = (name, value) => !asked.get(name) || asked.get(name) === value;
  const verdicts = asked.getAll("verdict");
  const classes = frame.regions.map((/** @type {{defect_class: string | null}} */ region) => region.defect_class);
  return (
    (verdicts.length === 0 || verdicts.includes(frame.part_verdict)) &&
    is("review", "unreviewed") &&
    is("trial", frame.trial) &&
    is("line", frame.line) &&
    is("part", frame.part) &&
    is("variant", frame.variant) &&
    (!asked.get("defect_class") || classes.includes(asked.get("defect_class"))) &&
    (!asked.get("score_min") || frame.score >= Number(asked.get("score_min"))) &&
    (!asked.get("score_max") || frame.score <= Number(asked.get("score_max"))) &&
    (!asked.get("since") || frame.received_at >= new Date(asked.get("since") ?? "").toISOString()) &&
    (!asked.get("until") || frame.received_at < new Date(asked.get("until") ?? "").toISOString())
  );
}
