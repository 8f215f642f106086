/**
 * A clip in memory: its pictures as JPEGs with their times, growing while it
 * is fetched. Pictures are decoded only when they are shown.
 */
import { Multipart } from './multipart.js';

/** @typedef {import('./multipart.js').Part} Part */

/**
 * @typedef {object} Picture
 * @property {number} at      ms since the first
 * @property {number} time    Unix ms
 * @property {Uint8Array<ArrayBuffer>} jpeg
 */

/** The bridge keeps 30 s at some 5 pictures a second; these bound what a page would take. */
const most = { pictures: 1000, bytes: 128 << 20 };
const usual = 200; // ms between two pictures, where times make no sense
const longestGap = 10_000;

export class Clip {
  /** @type {Picture[]} */
  pictures = [];
  /** @type {'loading' | 'whole' | 'cut' | 'absent' | 'failed'} cut: it ends early, but there are pictures */
  state = 'loading';
  #bytes = 0;
  #abort = new AbortController();

  /** @param {() => void} onchange there are more pictures, or another state */
  constructor(onchange) {
    this.onchange = onchange;
  }

  /** Milliseconds from the first picture to the last one so far. */
  get length() {
    return this.pictures.at(-1)?.at ?? 0;
  }

  /** load fetches it; it never rejects. @param {URL} url */
  async load(url) {
    const parts = new Multipart();
    try {
      const response = await fetch(url, { credentials: 'same-origin', signal: this.#abort.signal });
      if (!response.ok || !response.body) return this.#end(response.status === 404 ? 'absent' : 'failed');
      const reader = response.body.getReader();
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        if (!this.#take(parts.push(piece.value))) return this.#abort.abort(), this.#end('cut');
      }
    } catch {
      return this.#end(this.pictures.length > 0 ? 'cut' : 'failed');
    }
    this.#end(this.pictures.length === 0 ? 'absent' : parts.whole ? 'whole' : 'cut');
  }

  /** index is the picture that is shown at a time, as a position in pictures. @param {number} at ms since the first */
  index(at) {
    let low = 0;
    for (let high = this.pictures.length - 1; low < high; ) {
      const middle = (low + high + 1) >> 1;
      if (/** @type {Picture} */ (this.pictures[middle]).at <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** close stops fetching and lets go of the pictures. */
  close() {
    this.onchange = () => {};
    this.#abort.abort();
    this.pictures = [];
  }

  /** @param {Part[]} parts @returns {boolean} whether there is room for more */
  #take(parts) {
    for (const { time, jpeg } of parts) {
      const last = this.pictures.at(-1);
      const step = last ? time - last.time : 0;
      const sane = step > 0 && step < longestGap;
      this.pictures.push({ at: last ? last.at + (sane ? step : usual) : 0, time: Number.isNaN(time) ? (last?.time ?? 0) + usual : time, jpeg });
      this.#bytes += jpeg.length;
    }
    if (parts.length > 0) this.onchange();
    return this.pictures.length < most.pictures && this.#bytes < most.bytes;
  }

  /** @param {Clip['state']} state */
  #end(state) {
    this.state = state;
    this.onchange();
  }
}
