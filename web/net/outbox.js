/**
 * Outbox is what the page sends through its socket: in order, at most 40
 * messages a second (the bridge hangs up on pages that send more than 50), and
 * with the credit for painted pictures gathered into one message per 33 ms.
 */
export class Outbox {
  /** @type {object[]} */ #queue = [];
  /** @type {number[]} */ #painted = [];
  #tokens = burst;
  #filled = 0;
  #due = 0;
  #timer = 0;

  /**
   * @param {(text: string) => void} send
   * @param {() => number} [now] milliseconds
   */
  constructor(send, now = () => performance.now()) {
    this.send = send;
    this.now = now;
    this.#filled = now();
  }

  /** @param {object} message */
  post(message) {
    this.#queue.push(message);
    this.#flush();
  }

  /**
   * painted gives back the credit of one picture.
   * @param {number} channel
   */
  painted(channel) {
    if (this.#painted.length === 0) this.#due = this.now() + gather;
    this.#painted.push(channel);
    this.#arm();
  }

  /** close forgets what was not sent. */
  close() {
    clearTimeout(this.#timer);
    this.#queue = [];
    this.#painted = [];
    this.send = () => {};
  }

  #flush() {
    this.#refill();
    while (this.#tokens >= 1 && this.#queue.length > 0) this.#emit(/** @type {object} */ (this.#queue.shift()));
    if (this.#tokens >= 1 && this.#painted.length > 0 && this.now() >= this.#due) {
      this.#emit({ type: 'painted', channels: this.#painted });
      this.#painted = [];
    }
    this.#arm();
  }

  /** @param {object} message */
  #emit(message) {
    this.#tokens--;
    this.send(JSON.stringify(message));
  }

  #refill() {
    const now = this.now();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filled) / 1000) * rate);
    this.#filled = now;
  }

  #arm() {
    clearTimeout(this.#timer);
    if (this.#queue.length === 0 && this.#painted.length === 0) return;
    const token = this.#tokens >= 1 ? 0 : ((1 - this.#tokens) / rate) * 1000;
    const due = this.#queue.length > 0 ? 0 : this.#due - this.now();
    this.#timer = setTimeout(() => this.#flush(), Math.ceil(Math.max(1, token, due)));
  }
}

const rate = 40; // messages a second, in the long run
const burst = 30;
const gather = 33; // ms
