// Texts in the reader's language, and times in the reader's zone. The catalogue comes with each page.

/** @type {Record<string, string>} */
let texts = {};
/** @type {Intl.DateTimeFormat} */
let format;
/** @type {string} */
let habits;

/** Takes the catalogue of the page that is shown now. */
export function readTexts() {
  texts = JSON.parse(document.body.dataset.texts ?? "{}");
  const { lang } = document.documentElement;
  // The reader's own habits where their language is the page's: en-GB writes days first, and hours up to 24.
  habits = navigator.languages.find((one) => one.split("-")[0] === lang.split("-")[0]) ?? lang;
  format = new Intl.DateTimeFormat(habits, { dateStyle: "short", timeStyle: "medium" });
}

/** Hours and minutes, as the reader writes them. @param {Date} at */
export function timeOfDay(at) {
  return at.toLocaleTimeString(habits, { hour: "2-digit", minute: "2-digit" });
}

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function text(key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** @param {ParentNode} root */
export function localTimes(root = document) {
  for (const time of root.querySelectorAll("time")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.valueOf())) {
      time.title = time.dateTime;
      time.textContent = format.format(at);
    }
  }
}
