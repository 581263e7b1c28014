// The shell of every page: starts the page's module, and goes from page to page without a reload. The server renders
// each page; here its <main> and its header take the place of those before. A page that was prefetched shows at once.

import { listenForKeys, useKeys } from "./keys.js";
import { drain, watchOutbox } from "./outbox.js";
import { localTimes, readTexts, text } from "./text.js";

/**
 * A page's module: `start` is given its <main>; what it returns is called when the page goes. `prepare` is given the
 * <main> of a page that is likely to come next.
 * @typedef {{visit: (url: string, replace?: boolean) => Promise<boolean>, prefetch: (url: string) => Promise<HTMLElement | null>}} App
 * @typedef {{start: (main: HTMLElement, app: App) => (() => void) | void,
 *            prepare?: (main: HTMLElement) => Promise<unknown>}} PageModule
 */

/** @type {Record<string, () => Promise<PageModule>>} */
const PAGES = {
  queue: () => import("./queue.js"),
  triage: () => import("./triage.js"),
  part: () => import("./part.js"),
  wall: () => import("./wall.js"),
  thresholds: () => import("./thresholds.js"),
  drift: () => import("./drift.js"),
  book: () => import("./book.js"),
  models: () => import("./models.js"),
};
const KEPT = 6;

/** @type {Map<string, Promise<Document | null>>} */
const ahead = new Map();
/** @type {(() => void) | void} */
let stop;
let visits = 0;

/** @type {App} */
const app = { visit, prefetch };

/**
 * Shows the page at `url`. False where the service does not answer: what is shown stays.
 * @param {string} url
 * @param {boolean} replace instead of a new entry in the browser's history
 */
async function visit(url, replace = false) {
  const mine = ++visits;
  const target = new URL(url, location.href);
  const found = await (ahead.get(target.href) ?? load(target.href));
  ahead.delete(target.href);
  if (mine !== visits) return true; // somebody was faster
  if (!found) return false;
  history.replaceState({ ...history.state, scroll: scrollY }, "");
  history[replace ? "replaceState" : "pushState"]({}, "", target.href);
  await swap(found);
  scrollTo(0, 0);
  return true;
}

/**
 * Loads a page and what its module wants for it, so that `visit` shows it at once; its <main>, or null.
 * @param {string} url
 */
async function prefetch(url) {
  const { href } = new URL(url, location.href);
  const known = ahead.get(href);
  const loading = known ?? load(href);
  ahead.set(href, loading);
  for (const old of [...ahead.keys()].slice(0, -KEPT)) ahead.delete(old);
  const found = await loading;
  if (!found) ahead.delete(href); // asked for again when it is wanted
  if (!found) return null;
  await (await module(found))?.prepare?.(main(found));
  return main(found);
}

/** @param {string} href @returns {Promise<Document | null>} null where there is no page to show */
async function load(href) {
  try {
    const response = await fetch(href, { headers: { Accept: "text/html" } });
    if (response.redirected) location.assign(response.url); // the session ended: the log-in page
    if (!response.ok) return null;
    return new DOMParser().parseFromString(await response.text(), "text/html");
  } catch {
    return null;
  }
}

/** @param {Document} found */
async function swap(found) {
  delete document.documentElement.dataset.ready;
  stop?.();
  stop = undefined;
  document.title = found.title;
  document.documentElement.lang = found.documentElement.lang;
  Object.assign(document.body.dataset, found.body.dataset);
  for (const part of ["header", "main", "dialog"]) {
    const [old, fresh] = [document.querySelector(part), found.querySelector(part)];
    if (old && fresh) old.replaceWith(document.importNode(fresh, true));
  }
  await start();
  main(document).focus({ preventScroll: true });
}

async function start() {
  readTexts();
  localTimes();
  useKeys("plain", {}, text);
  watchOutbox(showOutbox);
  stop = (await module(document))?.start(main(document), app);
  document.documentElement.dataset.ready = "true"; // from here on a key press is heard
}

/** @param {Document} page */
async function module(page) {
  return PAGES[main(page).dataset.page ?? ""]?.();
}

/** @param {Document} page */
function main(page) {
  return /** @type {HTMLElement} */ (page.querySelector("main"));
}

/** @param {import("./outbox.js").State} state */
function showOutbox({ waiting, trouble, refused }) {
  const line = document.getElementById("saved");
  if (!line) return;
  const kind = refused ? "failed" : waiting ? (trouble ? "waiting" : "saving") : "saved";
  line.className = kind;
  line.textContent = refused ? text("saved.refused", { why: refused }) : text(`saved.${kind}`, { count: waiting });
  line.title = trouble;
}

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const link = event.target instanceof Element ? event.target.closest("a[data-visit], a[data-language]") : null;
  if (!(link instanceof HTMLAnchorElement)) return;
  event.preventDefault();
  const language = link.dataset.language !== undefined;
  if (language) ahead.clear(); // those are in the other language
  const note = /** @type {HTMLInputElement | null} */ (document.getElementById("note"))?.value ?? "";
  void visit(link.href, language).then((shown) => {
    if (!shown) location.assign(link.href);
    const field = document.getElementById("note");
    if (language && field instanceof HTMLInputElement) field.value = note; // what was being written stays
  });
});
addEventListener("popstate", async (event) => {
  visits++;
  const found = await load(location.href);
  if (!found) return location.reload();
  await swap(found);
  scrollTo(0, event.state?.scroll ?? 0);
});

listenForKeys();
await start();
void drain(); // what an earlier page could not send
