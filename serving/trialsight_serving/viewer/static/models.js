// The models page: changes that engineers make, each with a reason, and the jobs of each recipe as they go on.

import { showGate } from "./gate.js";
import { fetchJson, postJson, Refused, send } from "./post.js";
import { localTimes, text } from "./text.js";

/**
 * @typedef {{id: string, state: string, step: string | null, progress: number | null, cancel_asked: boolean,
 *            asked_by: string, created_at: string, problem: string | null, results: Record<string, any>}} Job
 */

const POLL_MS = 1500;
const SHOWN = 5;

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").App} app
 */
export function start(main, app) {
  const said = /** @type {HTMLElement} */ (main.querySelector("#said"));
  const sections = Array.from(main.querySelectorAll("section.model"), (one) => /** @type {HTMLElement} */ (one));
  let gone = false;
  /** @type {number | undefined} */
  let timer;

  /** @param {() => Promise<unknown>} work what the service does not take is said on the page, and given back */
  async function ask(work) {
    said.textContent = "";
    try {
      await work();
      return null;
    } catch (error) {
      said.textContent = /** @type {Error} */ (error).message;
      return /** @type {Error} */ (error);
    }
  }

  /** Shows what has changed, unless somebody is about to change something. */
  function refresh() {
    const written = main.querySelectorAll("input[name=reason]");
    if (Array.from(written).some((one) => /** @type {HTMLInputElement} */ (one).value)) return;
    void app.visit(location.href, true);
  }

  /** @param {HTMLElement} section */
  function useSection(section) {
    const recipe = section.dataset.recipe ?? "";
    const form = section.querySelector("form");
    const gate = /** @type {HTMLElement} */ (section.querySelector(".gate"));
    section.querySelector("tbody")?.addEventListener("click", async (event) => {
      const version = event.target instanceof HTMLElement ? event.target.dataset.check : undefined;
      if (!version) return;
      await ask(async () => {
        const found = await fetchJson(`/v1/models/${recipe}/gate?version=${version}`);
        const title = text(found.holds ? "gate.would_hold" : "gate.would_fail", { version });
        if (!gone) showGate(gate, title, found.conditions);
      });
    });
    form?.addEventListener("submit", async (event) => {
      event.preventDefault();
      const button = /** @type {HTMLButtonElement} */ (event.submitter);
      const given = new FormData(form);
      const version = button.dataset.version ?? "";
      const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (section.querySelectorAll("button"));
      for (const one of buttons) one.disabled = true;
      const fault = await ask(() => change(recipe, button.value, version, given));
      for (const one of buttons) one.disabled = false;
      if (gone) return;
      if (fault instanceof Refused && fault.problem.conditions?.length) {
        said.textContent = text("gate.refused", { version });
        showGate(gate, said.textContent, fault.problem.conditions);
      }
      if (fault) return;
      form.reset();
      refresh();
    });
    section.querySelector("[data-retrain]")?.addEventListener("click", async () => {
      await ask(() => postJson(`/v1/models/${recipe}/retrain`, {}));
      await look(section);
    });
    section.querySelector(".jobs")?.addEventListener("click", async (event) => {
      const button = event.target instanceof Element ? event.target.closest("[data-cancel]") : null;
      if (!(button instanceof HTMLButtonElement)) return;
      button.disabled = true;
      await ask(() => postJson(`/v1/jobs/${button.dataset.cancel}/cancel`, {}));
      await look(section);
    });
  }

  /** @param {HTMLElement} section its jobs are drawn again where something about them has changed */
  async function look(section) {
    const list = /** @type {HTMLElement | null} */ (section.querySelector(".jobs"));
    if (!list) return;
    const response = await fetch(`/v1/jobs?recipe=${section.dataset.recipe}&limit=${SHOWN}`).catch(() => null);
    if (!response?.ok || gone) return;
    const found = await response.text();
    if (gone || found === list.dataset.shown) return;
    /** @type {Job[]} */
    const jobs = JSON.parse(found);
    /** @type {Job[]} */
    const before = JSON.parse(list.dataset.shown ?? "[]");
    list.dataset.shown = found;
    list.replaceChildren(...jobs.map((job) => row(job, list.dataset.mayCancel === "true")));
    localTimes(list);
    const running = new Set(before.filter((job) => job.state === "running").map((job) => job.id));
    // A new version is there, also where the gate refused it.
    if (jobs.some((job) => running.has(job.id) && job.state !== "running")) refresh();
  }

  /** What is live by now, and what challenges it: the service hears of it a moment after the job has ended. */
  async function compare() {
    const response = await fetch("/v1/models").catch(() => null);
    if (!response?.ok || gone) return;
    /** @type {{models: Record<string, string | null>[]}} */
    const { models } = await response.json();
    const shown = new Map(sections.map((section) => [section.dataset.recipe, section.dataset.standing]));
    const changed = models.some((one) => {
      const standing = ["version", "previous", "challenger", "fault", "challenger_fault"].map((name) => one[name] ?? "").join("|");
      return shown.get(one.recipe ?? "") !== standing;
    });
    if (changed && !gone) refresh();
  }

  async function poll() {
    await Promise.all([...sections.map(look), compare()]);
    if (!gone) timer = window.setTimeout(poll, POLL_MS);
  }

  for (const section of sections) useSection(section);
  void poll();
  return () => {
    gone = true;
    clearTimeout(timer);
  };
}

/** @param {string} recipe @param {string} what @param {string} version @param {FormData} given */
function change(recipe, what, version, given) {
  const url = `/v1/models/${recipe}`;
  const reason = String(given.get("reason"));
  const approver = String(given.get("approver") ?? "").trim() || null;
  if (what === "promote") return postJson(`${url}/promote`, { version, reason, approver });
  if (what === "rollback") return postJson(`${url}/rollback`, { reason });
  return send("PUT", `${url}/challenger`, JSON.stringify({ version: null, reason }), "application/json");
}

/** @param {Job} job @param {boolean} mayCancel */
function row(job, mayCancel) {
  const item = document.createElement("li");
  item.dataset.state = job.state;
  const open = ["queued", "running"].includes(job.state);
  const stopping = open && job.cancel_asked;
  item.append(element("strong", stopping ? text("job.cancelling") : text(`job.${job.state}`)));
  const time = document.createElement("time");
  time.dateTime = job.created_at;
  item.append(time, element("span", job.asked_by));
  if (job.state === "running") item.append(...progress(job));
  if (job.problem) item.append(element("span", job.problem));
  const doubtful = job.results.train?.doubtful ?? [];
  if (doubtful.length) item.append(element("span", text("job.doubtful")), ...doubtful.map((/** @type {{part: string}} */ { part }) => linkTo(`/?part=${encodeURIComponent(part)}`, part)));
  const outcome = job.results.challenger;
  if (outcome?.version) item.append(element("span", text("job.challenger", { version: outcome.version })));
  const promoted = job.results.promote;
  if (promoted?.version) item.append(element("span", text("job.promoted", { version: promoted.version })));
  if (promoted?.why) item.append(element("span", text("job.not_promoted", { why: promoted.why })));
  if (outcome?.why) item.append(element("span", text("job.no_challenger", { why: outcome.why })));
  if (job.results.compare) {
    item.append(linkTo(`/v1/jobs/${job.id}/report`, text("job.report")));
  }
  if (open && mayCancel) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.cancel = job.id;
    button.disabled = stopping;
    button.textContent = text("job.cancel");
    item.append(button);
  }
  return item;
}

/** @param {Job} job the step, and how far it is where that can be counted */
function progress(job) {
  const step = job.step ?? "";
  const key = `step.${step}`;
  const name = text(key) === key ? step : text(key);
  const bar = document.createElement("progress");
  bar.setAttribute("aria-label", name || text("job.running"));
  if (job.progress !== null) bar.value = job.progress;
  return [element("span", job.progress === null ? name : `${name} ${Math.round(100 * job.progress)} %`), bar];
}

/** @param {string} href @param {string} content */
function linkTo(href, content) {
  const link = document.createElement("a");
  link.className = "step";
  link.href = href;
  link.textContent = content;
  return link;
}

/** @param {string} name @param {string} content */
function element(name, content) {
  const made = document.createElement(name);
  made.textContent = content;
  return made;
}
