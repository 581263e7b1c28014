// Sound for those who look elsewhere: two falling tones for a reject, three high ones for an alarm. Off until wanted.

const WANTED = "trialsight.sound";

export class Bell {
  /** @type {AudioContext | null} */
  #audio = null;

  /** @param {HTMLButtonElement} button shows whether it is on */
  constructor(button) {
    this.button = button;
    if (localStorage.getItem(WANTED) === "on") this.#on();
  }

  toggle() {
    if (this.#audio) this.close();
    else this.#on();
    localStorage.setItem(WANTED, this.#audio ? "on" : "off");
    if (this.#audio) this.#play([660]); // so that one hears how loud it is
  }

  reject() {
    this.#play([520, 390]);
  }

  alarm() {
    this.#play([880, 880, 880]);
  }

  close() {
    void this.#audio?.close();
    this.#audio = null;
    this.button.ariaPressed = "false";
  }

  #on() {
    this.#audio = new AudioContext();
    this.button.ariaPressed = "true";
    // A browser that wants a touch first starts the sound with it.
    if (this.#audio.state === "suspended") addEventListener("pointerdown", () => void this.#audio?.resume(), { once: true });
  }

  /** @param {number[]} tones in Hz */
  #play(tones) {
    const audio = this.#audio;
    if (!audio) return;
    this.button.dataset.rung = String(Number(this.button.dataset.rung ?? 0) + 1);
    tones.forEach((tone, i) => {
      const [from, to] = [audio.currentTime + 0.22 * i, audio.currentTime + 0.22 * i + 0.18];
      const [wave, volume] = [audio.createOscillator(), audio.createGain()];
      wave.frequency.value = tone;
      volume.gain.setValueAtTime(0, from);
      volume.gain.linearRampToValueAtTime(0.4, from + 0.02);
      volume.gain.linearRampToValueAtTime(0, to);
      wave.connect(volume).connect(audio.destination);
      wave.start(from);
      wave.stop(to);
    });
  }
}
