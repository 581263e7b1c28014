// Texts in the reader's language, and times in the reader's zone. The catalogue comes with each page.

/** @type {Record<string, string>} */
let texts = {};
/** @type {Intl.DateTimeFormat} */
let format;

/** Takes the catalogue of the page that is shown now. */
export function readTexts() {
  texts = JSON.parse(document.body.dataset.texts ?? "{}");
  format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "short", timeStyle: "medium" });
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
