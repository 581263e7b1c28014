// The drift page: alarms are acknowledged, a retraining is asked for, what is seen now is taken as usual.

import { postJson } from "./post.js";
import { text } from "./text.js";

const REFRESH_MS = 10_000;

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").App} app
 */
export function start(main, app) {
  const said = /** @type {HTMLElement} */ (main.querySelector("#said"));

  /** @param {() => Promise<unknown>} work what the service does not take is said on the page */
  async function ask(work) {
    said.textContent = "";
    try {
      await work();
      await app.visit(location.href, true);
    } catch (error) {
      said.textContent = /** @type {Error} */ (error).message;
    }
  }

  for (const section of main.querySelectorAll("section.drift")) {
    const url = `/v1/lines/${encodeURIComponent(/** @type {HTMLElement} */ (section).dataset.line ?? "")}/drift`;
    for (const form of section.querySelectorAll("form")) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        const given = Object.fromEntries(new FormData(form));
        const { acknowledge, renew } = form.dataset;
        if (acknowledge) void ask(() => postJson(`${url}/alarms/${acknowledge}/acknowledge`, given));
        if (renew) void ask(() => postJson(`${url}/reference`, { ...given, view: renew }));
      });
    }
    for (const button of section.querySelectorAll("[data-retrain]")) {
      button.addEventListener("click", async () => {
        const recipe = /** @type {HTMLElement} */ (button).dataset.retrain;
        await ask(() => postJson(`/v1/models/${recipe}/retrain`, {}));
        if (!said.textContent) said.textContent = text("drift.asked");
      });
    }
  }

  const timer = setInterval(() => {
    const written = Array.from(main.querySelectorAll("input")).some((one) => one.value);
    const open = main.querySelector("details[open]") ?? main.querySelector("form :focus");
    if (!written && !open) void app.visit(location.href, true);
  }, REFRESH_MS);
  return () => clearInterval(timer);
}
