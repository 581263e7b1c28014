// Decisions on their way: written down in the browser before anything is sent, sent in the order in which they were
// made, and forgotten only once the service has stored them. Each carries a key of its own, so that one which is sent
// twice (a lost answer, a second tab) is stored once.

import { Away, postJson } from "./post.js";

const PREFIX = "trialsight.outbox.";
const RETRY_MS = [500, 1000, 2000, 4000];

/** @typedef {{url: string, data: unknown}} Item */
/** @typedef {{waiting: number, trouble: string, refused: string}} State */

/** @type {Map<string, string>} where the browser keeps nothing (private windows, a full disk) */
const unkept = new Map();
/** @type {(state: State) => void} */
let tell = () => {};
/** @type {Promise<void> | null} */
let draining = null;
let trouble = "";
let refused = "";
let count = 0;

/** @param {(state: State) => void} listener is told now and at every change */
export function watchOutbox(listener) {
  tell = listener;
  changed();
}

/** @param {string} url @param {unknown} data */
export function post(url, data) {
  const name = `${mine()}${String(Date.now()).padStart(15, "0")}.${String(count++).padStart(6, "0")}`;
  const item = JSON.stringify({ url, data });
  try {
    localStorage.setItem(name, item);
  } catch {
    unkept.set(name, item);
  }
  refused = "";
  changed();
  void drain();
}

/**
 * What it means that a part has a defect, given what the model said of it.
 * @param {string} verdict
 */
export function defectIn(verdict) {
  return verdict === "reject" || verdict === "review" ? "confirm" : "missed_defect";
}

/** Done when nothing waits any more. */
export function drain() {
  draining ??= run().finally(() => (draining = null));
  return draining;
}

async function run() {
  let tries = 0;
  for (let name = next(); name; name = next()) {
    const item = /** @type {Item} */ (JSON.parse(localStorage.getItem(name) ?? unkept.get(name) ?? "null"));
    try {
      if (item) await postJson(item.url, item.data);
      trouble = "";
      tries = 0;
    } catch (error) {
      const why = /** @type {Error} */ (error).message;
      if (error instanceof Away) {
        trouble = why;
        changed();
        await pause(RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
        continue;
      }
      refused = why;
    }
    localStorage.removeItem(name);
    unkept.delete(name);
    changed();
  }
}

/** Only what this reader decided: another who logs in at the same browser must not sign for it. */
function mine() {
  return `${PREFIX}${encodeURIComponent(document.body.dataset.who ?? "")}/`;
}

function names() {
  return [...Object.keys(localStorage), ...unkept.keys()].filter((name) => name.startsWith(mine())).sort();
}

function next() {
  return names().at(0);
}

function changed() {
  tell({ waiting: names().length, trouble, refused });
}

/** @param {number} ms or until the network is back */
function pause(ms) {
  return new Promise((resolve) => {
    const done = () => {
      removeEventListener("online", done);
      resolve(undefined);
    };
    addEventListener("online", done);
    setTimeout(done, ms);
  });
}
