// The defect book: read by all; engineers change a class, add pictures and take them out. Every change is audited.

import { useKeys } from "./keys.js";
import { postJson, send } from "./post.js";
import { text } from "./text.js";

const CLASSES = "/v1/defect-classes";

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").App} app
 */
export function start(main, app) {
  const said = /** @type {HTMLElement} */ (main.querySelector("#said"));

  /** @param {() => Promise<unknown>} work then the page shows what is stored */
  async function change(work) {
    said.textContent = "";
    const at = scrollY;
    try {
      await work();
      await app.visit("/book", true);
      scrollTo(0, at);
    } catch (error) {
      said.textContent = /** @type {Error} */ (error).message;
      said.scrollIntoView({ block: "center" });
    }
  }

  main.addEventListener("submit", (event) => {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    const data = new FormData(form);
    const words = Object.fromEntries([...data].filter(([, value]) => typeof value === "string"));
    const name = /** @type {HTMLElement | null} */ (form.closest("[data-class]"))?.dataset.class ?? words.name;
    if ("upload" in form.dataset) {
      const file = /** @type {File} */ (data.get("file"));
      const query = new URLSearchParams({ kind: String(words.kind), note: String(words.note) });
      void change(() => send("POST", `${CLASSES}/${name}/uploads?${query}`, file, file.type));
    } else {
      const { name: _, number, ...rest } = words;
      const body = JSON.stringify({ ...rest, number: number ? Number(number) : null });
      void change(() => send("PUT", `${CLASSES}/${name}`, body, "application/json"));
    }
  });
  main.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (button?.dataset.removeImage) {
      void change(() => remove(`${CLASSES}/images/${button.dataset.removeImage}`));
    } else if (button && "removeClass" in button.dataset) {
      if (button.dataset.sure) {
        const section = /** @type {HTMLElement} */ (button.closest("[data-class]"));
        void change(() => remove(`${CLASSES}/${section.dataset.class}`));
      }
      button.dataset.sure = "true"; // the second press does it
      button.textContent = text("book.sure");
    }
  });
  /** @param {number} [number] */
  const open = (number) => {
    const links = /** @type {NodeListOf<HTMLElement>} */ (main.querySelectorAll(".contents .key"));
    const link = Array.from(links).find((key) => key.textContent === String(number))?.closest("a");
    const section = link && /** @type {HTMLElement | null} */ (main.querySelector(link.getAttribute("href") ?? ""));
    section?.scrollIntoView();
    section?.focus({ preventScroll: true });
  };
  useKeys("book", { class: open }, text);
}

/** A frame's picture, from the part page. @param {string} name @param {string} frame @param {string} kind @param {string} note */
export function addFrame(name, frame, kind, note) {
  return postJson(`${CLASSES}/${name}/images`, { frame_id: frame, kind, note });
}

/** @param {string} url */
function remove(url) {
  return send("DELETE", url, "", "application/json");
}
