// Live results. The browser reconnects by itself and reads on from the last id, so nothing is missed.

/**
 * @param {string} url
 * @param {(frame: any) => void} onFrame
 * @param {(up: boolean) => void} onState
 * @returns {() => void} ends it
 */
export function listen(url, onFrame, onState) {
  const stream = new EventSource(url);
  stream.addEventListener("open", () => onState(true));
  stream.addEventListener("error", () => onState(false));
  stream.addEventListener("frame", (event) => onFrame(JSON.parse(event.data)));
  const close = () => stream.close();
  addEventListener("pagehide", close);
  return () => {
    removeEventListener("pagehide", close);
    close();
  };
}
