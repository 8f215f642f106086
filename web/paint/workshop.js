/**
 * Workshop makes the page's painters. It starts with ones that paint on the
 * page's own thread; called upon for many tiles it opens one worker and from
 * then on its painters work there, where the browser can do that.
 */
import { h } from '../lib/dom.js';
import { BitmapPainter, ImagePainter } from './painter.js';

/** @typedef {import('./painter.js').Painter} Painter */
/** @typedef {import('./painter.js').Size} Size */

/** More tiles than this are painted by the worker. */
export const manyTiles = 8;

export class Workshop {
  /** @type {Worker | null} */ #worker = null;
  /** @type {Map<number, {resolve: (size: Size) => void, reject: (error: Error) => void}>} */ #pending = new Map();
  #next = 1;
  #broken = !('OffscreenCanvas' in globalThis && 'transferControlToOffscreen' in HTMLCanvasElement.prototype);

  /** Where a new painter would paint: 'page' or 'worker'. Screens ask before each picture. */
  get place() {
    return this.#worker ? 'worker' : 'page';
  }

  /** painter makes a strict and cheap painter. @returns {Painter} */
  painter() {
    return this.#worker ? this.#workerPainter(this.#worker) : new BitmapPainter();
  }

  /** tolerantPainter makes one that also shows damaged pictures. @returns {Painter} */
  tolerantPainter() {
    return new ImagePainter();
  }

  /** expect tells how many tiles are visible. @param {number} tiles */
  expect(tiles) {
    if (tiles > manyTiles && !this.#worker && !this.#broken) this.#open();
  }

  #open() {
    try {
      const url = new URL('./worker.js', import.meta.url);
      const worker = new Worker(/** @type {string} */ (/** @type {unknown} */ (trusted(url))), { type: 'module' });
      worker.onmessage = ({ data }) => this.#done(data);
      worker.onerror = () => this.#fail();
      this.#worker = worker;
    } catch {
      this.#broken = true;
    }
  }

  /** fail goes back to the page's thread for good. */
  #fail() {
    this.#worker?.terminate();
    this.#worker = null;
    this.#broken = true;
    for (const { reject } of this.#pending.values()) reject(new Error('the painting thread failed'));
    this.#pending.clear();
  }

  /** @param {{id: number, width: number, height: number, error?: string}} reply */
  #done({ id, width, height, error }) {
    const job = this.#pending.get(id);
    this.#pending.delete(id);
    if (error) job?.reject(new Error(error));
    else job?.resolve({ width, height });
  }

  /** @param {Worker} worker @returns {Painter} */
  #workerPainter(worker) {
    const id = this.#next++;
    const element = h('canvas');
    const canvas = element.transferControlToOffscreen();
    worker.postMessage({ id, canvas }, [canvas]);
    return {
      element,
      paint: (jpeg) =>
        new Promise((resolve, reject) => {
          this.#pending.set(id, { resolve, reject });
          worker.postMessage({ id, jpeg }, [jpeg.buffer]);
        }),
      close: () => {
        worker.postMessage({ id });
        this.#pending.get(id)?.reject(new Error('closed'));
        this.#pending.delete(id);
      },
    };
  }
}

/**
 * trusted marks our own worker's address for browsers that enforce Trusted
 * Types; the policy lets nothing else pass.
 * @param {URL} url
 */
function trusted(url) {
  /** @type {any} */
  const types = /** @type {any} */ (globalThis).trustedTypes;
  if (!types) return url;
  const policy = types.createPolicy('espcam-worker', {
    createScriptURL: (/** @type {string} */ text) => {
      if (text !== new URL('./worker.js', import.meta.url).href) throw new TypeError('not the painting worker');
      return text;
    },
  });
  return policy.createScriptURL(url.href);
}
