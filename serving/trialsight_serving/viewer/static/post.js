// Every change that the browser asks of the service goes through here.

import { text } from "./text.js";

/** The service can't be reached, or can't take it now: to be tried again. */
export class Away extends Error {}

/** The service took it as wrong; `message` says what. To send it again would change nothing. */
export class Refused extends Error {
  /** @param {string} message @param {any} [problem] the whole answer */
  constructor(message, problem = {}) {
    super(message);
    this.problem = problem;
  }
}

/**
 * @param {string} method
 * @param {string} url
 * @param {BodyInit} body
 * @param {string} type of the body
 * @returns {Promise<any>} the answer's JSON. Throws Away or Refused.
 */
export async function send(method, url, body, type) {
  /** @type {Record<string, string>} */
  const headers = { "Content-Type": type, Accept: "application/json" };
  if (document.body.dataset.csrf) headers["X-CSRF-Token"] = document.body.dataset.csrf;
  return answerOf(() => fetch(url, { method, headers, body }));
}

/** @param {string} url */
export function fetchJson(url) {
  return answerOf(() => fetch(url, { headers: { Accept: "application/json" } }));
}

/** @param {() => Promise<Response>} ask @returns {Promise<any>} */
async function answerOf(ask) {
  let response;
  try {
    response = await ask();
  } catch (error) {
    throw new Away(/** @type {Error} */ (error).message);
  }
  const answer = await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const why = said(answer) ?? `${response.status} ${response.statusText}`;
  // 401: the session ended; once somebody is logged in again it goes through.
  const later = response.status >= 500 || [401, 408, 429].includes(response.status);
  throw later ? new Away(why) : new Refused(why, answer);
}

/** A problem in the reader's language, and what it is about as the service says it. @param {any} problem */
function said({ type, detail }) {
  const key = `problem.${String(type).split(":").pop()}`;
  const known = text(key);
  return known === key ? detail : `${known}${detail ? ` (${detail})` : ""}`;
}

/** @param {string} url @param {unknown} data */
export function postJson(url, data) {
  return send("POST", url, JSON.stringify(data), "application/json");
}

/** An id that nobody else makes. `crypto.randomUUID` is missing on plain http, which factory networks use. */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
