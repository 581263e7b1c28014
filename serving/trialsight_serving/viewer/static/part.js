// One part: look at it, decide by one key, and go on to the next, which is here already.

import { addFrame } from "./book.js";
import { useDeciding } from "./deciding.js";
import { useKeys } from "./keys.js";
import { press, useLooking } from "./looking.js";
import { Painting } from "./painting.js";
import { loadMap, loadPicture } from "./pictures.js";
import { Stage } from "./stage.js";
import { text } from "./text.js";

const AHEAD = 2;

/** What the page wants before it can be drawn. @param {HTMLElement} main */
export async function prepare(main) {
  const frame = frameOf(main);
  await Promise.all([loadPicture(frame.image_url), frame.map_url && loadMap(frame.map_url)]);
}

/**
 * @param {HTMLElement} main
 * @param {import("./app.js").App} app
 */
export function start(main, app) {
  const frame = frameOf(main);
  const note = /** @type {HTMLElement} */ (main.querySelector("#stage-note"));
  const say = (/** @type {string} */ words) => (note.textContent = words);
  const stage = new Stage(/** @type {HTMLElement} */ (main.querySelector("#stage")), frame);
  const looking = useLooking(main, stage, frame, say);
  const deciding = useDeciding(main, app, frame, say);
  const painting = new Painting(main, stage, frame, { looking: looking.actions, above: looking.above, say, done: listenAgain });
  let gone = false;
  stage.onpoint = (at) => {
    painting.point(at);
    looking.probe(at);
  };

  function listenAgain() {
    press(main, "paint", false);
    useKeys(
      "part",
      {
        ...looking.actions,
        ...deciding.actions,
        fit: () => stage.fit(),
        side: () => void looking.compare("side"),
        swipe: () => void looking.compare("swipe"),
        blink: () => void looking.compare("blink"),
        paint: () => {
          press(main, "paint", true);
          void painting.start();
        },
        list: () => /** @type {HTMLElement | null} */ (main.querySelector("a[data-action=list]"))?.click(),
        next_view: nextView,
        region: (index) => stage.show(frame.regions[index ?? 0].box_px),
      },
      text,
    );
  }

  function nextView() {
    const views = /** @type {HTMLElement[]} */ ([...main.querySelectorAll(".strip a")]);
    const at = views.findIndex((view) => view.ariaCurrent === "true");
    if (views.length) views[(at + 1) % views.length].click();
  }

  useBook(main, frame.id);
  listenAgain();
  void lookAhead(main, app, AHEAD, () => gone);
  return () => {
    gone = true;
    looking.stop();
    deciding.stop();
    stage.stop();
  };
}

/** Engineers put what they look at into the defect book. @param {HTMLElement} main @param {string} frame its id */
function useBook(main, frame) {
  const form = /** @type {HTMLFormElement | null} */ (main.querySelector(".to-book form"));
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = /** @type {HTMLOutputElement} */ (form.querySelector("output"));
    const value = (/** @type {string} */ name) => String(new FormData(form).get(name));
    try {
      await addFrame(value("class"), frame, value("kind"), value("note"));
      said.textContent = text("book.added");
    } catch (error) {
      said.textContent = /** @type {Error} */ (error).message;
    }
  });
}

/**
 * Fetches the parts that come next, one after the other.
 * @param {HTMLElement} main @param {import("./app.js").App} app @param {number} count @param {() => boolean} gone
 */
async function lookAhead(main, app, count, gone) {
  let link = /** @type {HTMLAnchorElement | null} */ (main.querySelector("a[data-action=older]"));
  for (let i = 0; link && i < count && !gone(); i++) {
    const page = await app.prefetch(link.href).catch(() => null);
    link = page?.querySelector("a[data-action=older]") ?? null;
  }
}

/** @param {HTMLElement} main @returns {import("./overlay.js").Frame} */
function frameOf(main) {
  return JSON.parse(/** @type {HTMLElement} */ (main.querySelector("#stage")).dataset.frame ?? "{}");
}
