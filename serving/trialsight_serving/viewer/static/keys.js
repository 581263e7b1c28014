// One table of keys for each page drives the handler, the help sheet and the tests. Keys are matched by their place
// on the keyboard (event.code), so that an input method that is composing Pinyin does not swallow them.

/** @typedef {{code: string, shown: string, action: string, value?: number}} Key */
/** @typedef {(value?: number) => void} Action */

const HELP = { code: "?", shown: "?", action: "help" };
const CLASSES = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((value) => ({
  code: `Digit${value}`,
  shown: value === 1 ? "1–9" : "", // one line of the help sheet for all nine
  action: "class",
  value,
}));
const DECISIONS = [
  { code: "KeyC", shown: "C", action: "confirm" },
  { code: "KeyG", shown: "G", action: "overrule_good" },
  { code: "KeyM", shown: "M", action: "missed_defect" },
  { code: "KeyU", shown: "U", action: "unsure" },
  ...CLASSES,
  { code: "KeyZ", shown: "Z", action: "undo" },
];
const LOOKING = [
  { code: "KeyH", shown: "H", action: "heat" },
  { code: "KeyR", shown: "R", action: "contour" },
  { code: "KeyO", shown: "O", action: "off" },
  { code: "Digit0", shown: "0", action: "actual" },
  { code: "Equal", shown: "+", action: "zoom_in" },
  { code: "Minus", shown: "−", action: "zoom_out" },
];

/** @type {Record<string, Key[]>} */
export const KEYS = {
  plain: [HELP],
  queue: [
    { code: "Enter", shown: "↵", action: "first" },
    { code: "KeyN", shown: "N", action: "refresh" },
    HELP,
  ],
  triage: [
    ...DECISIONS,
    { code: "KeyA", shown: "A", action: "all" },
    { code: "Escape", shown: "Esc", action: "none" },
    HELP,
  ],
  part: [
    ...DECISIONS,
    { code: "KeyN", shown: "N", action: "note" },
    { code: "KeyJ", shown: "J", action: "older" },
    { code: "KeyK", shown: "K", action: "newer" },
    { code: "KeyL", shown: "L", action: "list" },
    { code: "KeyV", shown: "V", action: "next_view" },
    ...LOOKING,
    { code: "KeyF", shown: "F", action: "fit" },
    { code: "KeyS", shown: "S", action: "side" },
    { code: "KeyW", shown: "W", action: "swipe" },
    { code: "KeyB", shown: "B", action: "blink" },
    { code: "KeyP", shown: "P", action: "paint" },
    HELP,
  ],
  book: [...CLASSES, HELP],
  wall: [
    { code: "KeyS", shown: "S", action: "sound" },
    { code: "KeyF", shown: "F", action: "full" },
    HELP,
  ],
  thresholds: [
    { code: "Digit1", shown: "1", action: "t1" },
    { code: "Digit2", shown: "2", action: "t2" },
    { code: "KeyC", shown: "C", action: "cheapest" },
    { code: "KeyK", shown: "K", action: "calibrated" },
    { code: "KeyR", shown: "R", action: "reset" },
    HELP,
  ],
  painting: [
    { code: "KeyB", shown: "B", action: "brush" },
    { code: "KeyE", shown: "E", action: "eraser" },
    { code: "KeyF", shown: "F", action: "fill" },
    { code: "BracketLeft", shown: "[", action: "smaller" },
    { code: "BracketRight", shown: "]", action: "larger" },
    { code: "KeyZ", shown: "Z", action: "stroke_undo" },
    { code: "KeyY", shown: "Y", action: "stroke_redo" },
    { code: "KeyD", shown: "D", action: "from_map" },
    { code: "KeyX", shown: "X", action: "clear" },
    { code: "KeyS", shown: "S", action: "save_mask" },
    { code: "Escape", shown: "Esc", action: "stop_painting" },
    ...LOOKING,
    HELP,
  ],
};

/** @type {{table: Key[], actions: Record<string, Action>}} */
let now = { table: KEYS.plain, actions: {} };

/**
 * From here on these keys, and buttons with these names as data-action, do these things.
 * @param {string} name of a table in KEYS
 * @param {Record<string, Action>} actions
 * @param {(key: string) => string} text
 */
export function useKeys(name, actions, text) {
  now = { table: KEYS[name], actions: { help: toggleHelp, ...actions } };
  const rows = now.table.filter((key) => key.shown).map((key) => {
    const row = document.createElement("div");
    row.append(element("dt", element("kbd", key.shown)), element("dd", text(`key.${key.action}`)));
    return row;
  });
  sheet().querySelector(".keys")?.replaceChildren(...rows);
}

/** Once, for all pages. */
export function listenForKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event)) return;
    const key = find(event);
    if (!key || (sheet().open && key.action !== "help")) return;
    if (key.code === "Enter" && !neutral(event.target)) return; // a focused link or button has it
    event.preventDefault();
    now.actions[key.action]?.(key.value);
  });
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button[data-action]") : null;
    const { action, number, region } = /** @type {HTMLElement | null} */ (button)?.dataset ?? {};
    if (action) now.actions[action]?.(number || region ? Number(number ?? region) : undefined);
  });
}

/** @param {KeyboardEvent} event */
function find(event) {
  // "?" lies elsewhere on every layout, so it alone goes by its sign.
  const code = event.key === "?" ? "?" : event.shiftKey ? "" : event.code.replace("Numpad", "Digit");
  return now.table.find((key) => key.code === code);
}

/**
 * Whether a key belongs to a field. Escape leaves it, and so does Enter in a line of text, unless that ends a
 * composition of the input method.
 * @param {KeyboardEvent} event
 */
function typing(event) {
  const target = event.target;
  const line = target instanceof HTMLInputElement && !["checkbox", "radio", "range", "button"].includes(target.type);
  if (!line && !(target instanceof HTMLTextAreaElement) && !(target instanceof HTMLSelectElement)) return false;
  const composing = event.isComposing || event.keyCode === 229;
  const done = event.code === "Escape" || (event.code === "Enter" && line && !target.form);
  if (done && !composing) target.blur();
  return true;
}

/** @param {EventTarget | null} target */
function neutral(target) {
  return target === document.body || target instanceof HTMLElement && target.tagName === "MAIN";
}

function sheet() {
  return /** @type {HTMLDialogElement} */ (document.getElementById("help"));
}

function toggleHelp() {
  if (sheet().open) sheet().close();
  else sheet().showModal();
}

/** @param {string} name @param {Node | string} content */
function element(name, content) {
  const made = document.createElement(name);
  made.append(content);
  return made;
}
