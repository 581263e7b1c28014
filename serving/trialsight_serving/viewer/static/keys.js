// One table of keys drives the handler, the help sheet and the hints. Keys are matched by their place on the
// keyboard (event.code), so that an input method that is composing Pinyin does not swallow them.

/** @typedef {{code: string, shown: string, action: string}} Key */

/** @type {Key[]} */
export const PART_KEYS = [
  { code: "KeyC", shown: "C", action: "confirm" },
  { code: "KeyG", shown: "G", action: "overrule_good" },
  { code: "KeyM", shown: "M", action: "missed_defect" },
  { code: "KeyU", shown: "U", action: "unsure" },
  { code: "KeyH", shown: "H", action: "heat" },
  { code: "KeyR", shown: "R", action: "contour" },
  { code: "KeyO", shown: "O", action: "off" },
  { code: "KeyJ", shown: "J", action: "older" },
  { code: "KeyK", shown: "K", action: "newer" },
  { code: "KeyL", shown: "L", action: "list" },
  { code: "?", shown: "?", action: "help" },
];

/** @type {Key[]} */
export const LIST_KEYS = [
  { code: "Enter", shown: "↵", action: "first" },
  { code: "KeyN", shown: "N", action: "refresh" },
  { code: "?", shown: "?", action: "help" },
];

/**
 * Calls `actions[name]` for keys of the table and for clicks on elements with that data-action.
 * @param {Key[]} table
 * @param {Record<string, () => void>} actions
 * @param {(key: string) => string} text
 */
export function bind(table, actions, text) {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("help"));
  const all = { help: () => (dialog.open ? dialog.close() : dialog.showModal()), ...actions };
  const list = /** @type {HTMLElement} */ (dialog.querySelector(".keys"));
  for (const key of table) {
    const name = document.createElement("dt");
    name.append(Object.assign(document.createElement("kbd"), { textContent: key.shown }));
    list.append(name, Object.assign(document.createElement("dd"), { textContent: text(`key.${key.action}`) }));
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
    // "?" lies elsewhere on every layout, so it alone goes by its sign.
    const code = event.key === "?" ? "?" : event.shiftKey ? "" : event.code;
    const key = table.find((one) => one.code === code);
    if (!key || (dialog.open && key.action !== "help")) return;
    if (key.code === "Enter" && event.target !== document.body) return; // a focused link or button has it
    event.preventDefault();
    all[key.action]?.();
  });
  for (const element of document.querySelectorAll("button[data-action]")) {
    const action = /** @type {HTMLElement} */ (element).dataset.action ?? "";
    element.addEventListener("click", () => all[action]?.());
  }
  document.documentElement.dataset.keys = "on"; // from here on a key press is heard
}

/** @param {EventTarget | null} target */
function typing(target) {
  if (target instanceof HTMLInputElement) return !["checkbox", "radio", "range", "button"].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
