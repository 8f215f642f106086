/**
 * Pace hands on the newest of a stream of values: at most one per interval, and
 * never a second one before the first was answered. What comes meanwhile
 * replaces what was waiting, and the last value is always handed on. A dragged
 * slider so never floods a slow camera, yet ends where the finger did.
 * @template T
 */
export class Pace {
  /** @type {{value: T} | null} */ #waiting = null;
  #busy = false;

  /**
   * @param {number} interval milliseconds between two values
   * @param {(value: T) => Promise<void>} send must not reject
   * @param {(ms: number) => Promise<void>} [rest] waits
   */
  constructor(interval, send, rest = (ms) => new Promise((done) => setTimeout(done, ms))) {
    this.interval = interval;
    this.send = send;
    this.rest = rest;
  }

  /** True while there is a newer value than the one on its way. */
  get waiting() {
    return this.#waiting !== null;
  }

  /** @param {T} value */
  push(value) {
    this.#waiting = { value };
    if (!this.#busy) void this.#run();
  }

  async #run() {
    this.#busy = true;
    while (this.#waiting) {
      const { value } = this.#waiting;
      this.#waiting = null;
      await Promise.all([this.send(value), this.rest(this.interval)]);
    }
    this.#busy = false;
  }
}
