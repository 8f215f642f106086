/**
 * BridgeClock tells the bridge's time. Phones and cheap tablets are often wrong
 * by seconds, and an age computed from two clocks would be too. Of the last few
 * pings the one that travelled fastest knows best.
 */
export class BridgeClock {
  /** @type {{offset: number, trip: number}[]} */ #samples = [];

  /** @param {() => number} [local] Unix ms */
  constructor(local = () => Date.now()) {
    this.local = local;
  }

  /**
   * sample learns from one exchange.
   * @param {number} sent local time of the question
   * @param {number} bridge the bridge's time when it answered
   */
  sample(sent, bridge) {
    const back = this.local();
    const trip = Math.max(0, back - sent);
    this.#samples.push({ offset: bridge - (sent + back) / 2, trip });
    if (this.#samples.length > 8) this.#samples.shift();
  }

  /** reset forgets all samples, as another bridge (or its machine after a correction) may have another clock. */
  reset() {
    this.#samples = [];
  }

  /** now is the bridge's time, Unix ms. */
  now() {
    let best = { offset: 0, trip: Infinity };
    for (const sample of this.#samples) if (sample.trip <= best.trip) best = sample;
    return this.local() + best.offset;
  }
}
