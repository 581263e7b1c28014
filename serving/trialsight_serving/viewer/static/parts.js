// The list: keys, and a pill that says how many new parts match the filter, instead of a list that jumps.

import { LIST_KEYS, bind } from "./keys.js";
import { localTimes, text } from "./page.js";

localTimes();

const pill = /** @type {HTMLButtonElement} */ (document.getElementById("new"));
const live = /** @type {HTMLElement} */ (document.getElementById("live"));
const liveText = /** @type {HTMLElement} */ (live.querySelector("span"));
const filter = new URLSearchParams(location.search);
const seen = new Set();

bind(
  LIST_KEYS,
  {
    first: () => /** @type {HTMLAnchorElement | null} */ (document.querySelector(".card"))?.click(),
    refresh: () => {
      filter.delete("after");
      location.search = filter.toString();
    },
  },
  text,
);

for (const input of document.querySelectorAll(".filter input[type=checkbox], .filter select")) {
  input.addEventListener("change", () => /** @type {HTMLFormElement} */ (input.closest("form")).requestSubmit());
}
// Empty fields stay out of the URL, so that the URL is the filter and nothing else.
document.querySelector(".filter")?.addEventListener("formdata", (event) => {
  const data = /** @type {FormDataEvent} */ (event).formData;
  for (const [name, value] of [...data]) if (value === "") data.delete(name);
});

const stream = new EventSource(live.dataset.stream ?? "/v1/stream");
stream.addEventListener("open", () => state(true));
stream.addEventListener("error", () => state(false));
stream.addEventListener("frame", (event) => {
  const frame = JSON.parse(event.data);
  if (!matches(frame) || seen.has(frame.part_id)) return;
  seen.add(frame.part_id);
  pill.textContent = text("list.new", { count: seen.size });
  pill.hidden = false;
});
addEventListener("pagehide", () => stream.close());

/** @param {boolean} up */
function state(up) {
  live.classList.toggle("up", up);
  liveText.textContent = text(up ? "list.live" : "list.offline");
}

/** @param {{verdict: string, trial: string | null, part: string}} frame */
function matches(frame) {
  const verdicts = filter.getAll("verdict");
  return (
    (verdicts.length === 0 || verdicts.includes(frame.verdict)) &&
    (!filter.get("trial") || filter.get("trial") === frame.trial) &&
    (!filter.get("part") || filter.get("part") === frame.part)
  );
}
