// The filter form of the queue and of the contact sheet: it writes the URL, and nothing but what was asked.

/**
 * @param {HTMLElement} main
 * @param {(url: string) => unknown} visit
 */
export function useFilter(main, visit) {
  const form = /** @type {HTMLFormElement} */ (main.querySelector(".filter"));
  const moments = /** @type {NodeListOf<HTMLInputElement>} */ (form.querySelectorAll("[data-utc]"));
  for (const input of moments) if (input.dataset.utc) input.value = localValue(new Date(input.dataset.utc));
  for (const input of form.querySelectorAll("input[type=checkbox], select")) {
    input.addEventListener("change", () => form.requestSubmit());
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const asked = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (typeof value !== "string" || value === "") continue;
      if (name === "sort" && value === usual(form)) continue;
      const moment = name === "since" || name === "until";
      asked.append(name, moment ? new Date(value).toISOString() : value); // the fields are in the reader's zone
    }
    visit(asked.size ? `${form.action}?${asked}` : form.action);
  });
}

/** @param {HTMLFormElement} form the order that needs no mention */
function usual(form) {
  return new URL(form.action).pathname === "/triage" ? "score" : "newest";
}

/** @param {Date} at as a datetime-local field wants it */
function localValue(at) {
  return new Date(at.valueOf() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
