// The line wall. It asks the service once a second, and at once when a part comes; what it has not heard of for five
// seconds it does not show: a screen that hangs must never say that all is well.

import { Bell } from "./bell.js";
import { useKeys } from "./keys.js";
import { listen } from "./stream.js";
import { text, timeOfDay } from "./text.js";

/**
 * @typedef {{part_id: string, frame_id: string, serial: string, verdict: string, age_s: number}} Part
 * @typedef {{line: string, parts: Part[], counts: Record<string, number>, in_a_row: number, alarm: string | null, cameras: string[], drift: string[]}} Line
 * @typedef {{at: string, shift_since: string, lines: Line[]}} Wall
 */

const ASK_MS = 1000;
const SOON_MS = 150; // after a part: parts that come together are asked for together
const LOST_MS = 5000;
const WAITING_S = 120; // a verdict older than that says nothing of the line

/** @param {HTMLElement} main */
export function start(main) {
  /** @param {string} id */
  const find = (id) => /** @type {HTMLElement} */ (main.querySelector(`#${id}`));
  const wall = find("wall");
  const bell = new Bell(/** @type {HTMLButtonElement} */ (main.querySelector("[data-action=sound]")));
  const only = new URLSearchParams(location.search).getAll("line");
  const url = `/v1/wall${only.length ? `?${only.map((line) => `line=${encodeURIComponent(line)}`).join("&")}` : ""}`;
  /** @type {Wall | null} */
  let heard = null;
  let heardAt = performance.now();
  let asking = false;
  let askedAt = -Infinity;
  let loggedOut = false;
  /** @type {Map<string, string>} the newest part and alarm of each line, for which the bell has rung */
  const rung = new Map();
  /** @type {number | undefined} */
  let soon;

  async function ask() {
    if (asking) return;
    asking = true;
    askedAt = performance.now();
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(LOST_MS - ASK_MS), headers: { Accept: "application/json" } });
      loggedOut = response.status === 401 || response.status === 403;
      if (response.ok) {
        heard = await response.json();
        heardAt = askedAt; // what the service said was so when it was asked, not when the answer came
        ring();
      }
    } catch {
      // the clock below says how long it has been
    }
    asking = false;
    show();
  }

  function ring() {
    for (const line of heard?.lines ?? []) {
      const [newest] = line.parts;
      const now = `${newest?.frame_id} ${line.alarm}`;
      const first = !rung.has(line.line);
      if (rung.get(line.line) !== now && !first) {
        if (line.alarm) bell.alarm();
        else if (newest?.verdict === "reject") bell.reject();
      }
      rung.set(line.line, now);
    }
  }

  function show() {
    const silent_ms = performance.now() - heardAt;
    const lost = !heard || silent_ms > LOST_MS;
    if (lost && wall.dataset.link === "up") bell.alarm();
    wall.dataset.link = lost ? "lost" : "up";
    const link = find("link");
    link.className = lost ? "wrong" : "faint";
    const away = loggedOut ? text("wall.logged_out") : text("wall.away", { age: age(silent_ms / 1000) });
    say(link, lost ? away : text("wall.connected"));
    if (!heard) return;
    const since = new Date(heard.shift_since);
    say(find("shift"), text("wall.shift", { since: timeOfDay(since) }));
    const lines = heard.lines;
    wall.dataset.count = String(Math.min(lines.length, 9));
    const known = wall.querySelectorAll("[data-line]");
    if (Array.from(known, (tile) => /** @type {HTMLElement} */ (tile).dataset.line).join("\n") !== lines.map((line) => line.line).join("\n")) {
      wall.replaceChildren(...lines.map(tileOf));
      if (!lines.length) wall.append(text("wall.none"));
    }
    lines.forEach((line, i) => fill(/** @type {HTMLElement} */ (wall.children[i]), line, lost, silent_ms / 1000));
    say(find("alarms"), lost ? text("wall.lost") : lines.filter((line) => line.alarm).map((line) => `${line.line}: ${alarmOf(line)}`).join(". "));
  }

  /** @param {Line} line */
  function tileOf(line) {
    const tile = /** @type {HTMLElement} */ (copy("tile"));
    tile.dataset.line = line.line;
    const name = /** @type {HTMLElement} */ (tile.querySelector("h2"));
    name.id = `line-${line.line}`;
    name.textContent = line.line;
    tile.setAttribute("aria-labelledby", name.id);
    return tile;
  }

  /** @param {HTMLElement} tile @param {Line} line @param {boolean} lost @param {number} silent_s */
  function fill(tile, line, lost, silent_s) {
    /** @param {string} selector */
    const part = (selector) => /** @type {HTMLElement} */ (tile.querySelector(selector));
    const [newest] = line.parts;
    const age_s = newest ? newest.age_s + silent_s : Infinity;
    const state = lost ? "lost" : line.alarm === "no_model" ? "no_verdict" : age_s > WAITING_S ? "waiting" : newest.verdict;
    tile.className = `tile ${state}${line.alarm && !lost ? " alarmed" : ""}`;
    if (tile.dataset.state !== state) part(".shape-box").replaceChildren(copy(`shape-${state}`));
    tile.dataset.state = state;
    say(part(".word"), ["lost", "waiting"].includes(state) ? text(`wall.${state}`) : text(`verdict.${state}`));
    say(part(".age"), newest ? text("wall.age", { age: age(age_s) }) : "");
    const last = newest && (state === "waiting" || lost) ? text("wall.last", { verdict: text(`verdict.${newest.verdict}`), serial: newest.serial }) : newest?.serial;
    say(part(".serial"), last ?? "");
    const alarm = part(".alarm");
    say(alarm, lost ? "" : alarmOf(line));
    alarm.hidden = !alarm.textContent;
    const shown = line.parts.map((one) => `${one.frame_id}${one.verdict}`).join();
    const recent = part(".recent");
    if (recent.dataset.shown !== shown) recent.replaceChildren(...line.parts.map(pictureOf));
    recent.dataset.shown = shown;
    for (const [verdict, count] of Object.entries(line.counts)) say(part(`[data-count=${verdict}]`), String(count));
  }

  /** @param {string} id */
  function copy(id) {
    const template = /** @type {HTMLTemplateElement} */ (find(id));
    return /** @type {Element} */ (document.importNode(template.content, true).firstElementChild);
  }

  /** @param {Part} part */
  function pictureOf(part) {
    const item = document.createElement("li");
    item.className = part.verdict;
    const image = document.createElement("img");
    image.src = `/v1/frames/${part.frame_id}/thumbnail?size=160`;
    image.alt = `${part.serial}: ${text(`verdict.${part.verdict}`)}`;
    item.append(image, copy(`shape-${part.verdict}`));
    return item;
  }

  useKeys("wall", { sound: () => bell.toggle(), full: () => void full(main) }, text);
  const hang_up = listen(
    "/v1/stream",
    () => {
      clearTimeout(soon);
      soon = window.setTimeout(ask, SOON_MS);
    },
    () => {},
  );
  const clock = window.setInterval(() => {
    if (performance.now() - askedAt >= ASK_MS) void ask();
    show();
  }, ASK_MS / 2);
  void ask();
  return () => {
    clearInterval(clock);
    clearTimeout(soon);
    hang_up();
    bell.close();
  };
}

/** @param {Line} line */
function alarmOf(line) {
  const words = line.cameras.map((fault) => text("wall.camera", { fault: text(`cameras.${fault}`) }));
  words.push(...line.drift.map((cause) => text("wall.drift", { cause: text(`drift.cause.${cause}`) })));
  if (line.alarm) words.unshift(text(`wall.${line.alarm}`, { count: line.in_a_row }));
  return words.join(" · ");
}

/** @param {number} seconds */
function age(seconds) {
  if (seconds < 90) return text("wall.seconds", { count: Math.floor(seconds) });
  if (seconds < 5400) return text("wall.minutes", { count: Math.round(seconds / 60) });
  return text("wall.hours", { count: Math.round(seconds / 3600) });
}

/** Only what has changed: a screen reader says it again otherwise. @param {HTMLElement} where @param {string} words */
function say(where, words) {
  if (where.textContent !== words) where.textContent = words;
}

/** @param {HTMLElement} main */
async function full(main) {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await main.requestFullscreen?.().catch(() => {});
}
