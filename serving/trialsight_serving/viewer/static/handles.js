// T1 and T2 on the score axis: dragged by pointer or finger, moved by the arrow keys; one pushes the other.

/** @typedef {import("./cuts.js").Cuts} Cuts */
/** @typedef {{low: number, high: number}} Axis */

const NEAR = 0.2;
const STEPS = 500; // of an arrow key across the axis; ten of them with shift or by page keys

/**
 * @param {HTMLElement} plot holds #t1 and #t2
 * @param {() => Axis} axis @param {() => Cuts} now
 * @param {(cuts: Cuts) => void} moved
 */
export function useHandles(plot, axis, now, moved) {
  const handles = { t1: find(plot, "t1"), t2: find(plot, "t2") };

  /** @param {"t1" | "t2"} name @param {number} value */
  function put(name, value) {
    const { low, high } = axis();
    const cut = Math.min(high, Math.max(low, value));
    const { t1, t2 } = now();
    moved(name === "t1" ? { t1: cut, t2: Math.max(cut, t2) } : { t1: Math.min(cut, t1), t2: cut });
  }

  for (const name of /** @type {const} */ (["t1", "t2"])) {
    const handle = handles[name];
    let grip = 0; // from the pointer to the line, so that the handle does not jump
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      handle.focus();
      grip = at(event) - now()[name];
      event.preventDefault();
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) put(name, at(event) - grip);
    });
    handle.addEventListener("keydown", (event) => {
      const { low, high } = axis();
      const step = ((high - low) / STEPS) * (event.shiftKey || event.code.startsWith("Page") ? 10 : 1);
      const value = now()[name];
      /** @type {Record<string, number>} */
      const wanted = {
        ArrowLeft: value - step, ArrowDown: value - step, PageDown: value - step, Home: low,
        ArrowRight: value + step, ArrowUp: value + step, PageUp: value + step, End: high,
      };
      if (!(event.code in wanted) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      put(name, wanted[event.code]);
    });
  }

  /** @param {PointerEvent} event the score under it */
  function at(event) {
    const box = plot.getBoundingClientRect();
    const { low, high } = axis();
    return low + ((event.clientX - box.left) / box.width) * (high - low);
  }

  return {
    draw() {
      const { low, high } = axis();
      for (const name of /** @type {const} */ (["t1", "t2"])) {
        const [handle, value] = [handles[name], now()[name]];
        const share = Math.min(1, Math.max(0, (value - low) / (high - low)));
        handle.style.left = `${100 * share}%`;
        handle.classList.toggle("flip", name === "t1" ? share < NEAR : share > 1 - NEAR); // the flag stays inside
        handle.ariaValueMin = String(low);
        handle.ariaValueMax = String(high);
        handle.ariaValueNow = String(value);
        handle.ariaValueText = value.toPrecision(4);
        /** @type {HTMLElement} */ (handle.querySelector("output")).textContent = value.toPrecision(4);
      }
    },
    /** @param {"t1" | "t2"} name */
    focus: (name) => handles[name].focus(),
  };
}

/** @param {HTMLElement} plot @param {string} id */
function find(plot, id) {
  return /** @type {HTMLElement} */ (plot.querySelector(`#${id}`));
}
