/** Which camera is enlarged, as the part of the address after the # says, so that Back and bookmarks work. */
import { Signal } from '../lib/signal.js';

export class Route {
  #camera = new Signal(/** @type {string | null} */ (null));

  constructor() {
    this.#read();
    window.addEventListener('popstate', () => this.#read());
    window.addEventListener('hashchange', () => this.#read());
  }

  get camera() {
    return this.#camera.value;
  }

  /** @param {() => void} watcher */
  watch(watcher) {
    return this.#camera.watch(watcher);
  }

  /** go enlarges a camera; from one to another is not a step back. @param {string} camera */
  go(camera) {
    const address = `#/${camera}`;
    if (this.camera === null) history.pushState({ from: 'all' }, '', address);
    else history.replaceState(history.state, '', address);
    this.#camera.value = camera;
  }

  /** back shows all cameras. */
  back() {
    if (this.camera === null) return;
    if (history.state?.from === 'all') return history.back();
    history.replaceState(null, '', location.pathname + location.search);
    this.#camera.value = null;
  }

  #read() {
    const camera = /^#\/([a-z0-9][a-z0-9_-]*)$/.exec(location.hash)?.[1] ?? null;
    if (camera !== this.camera) this.#camera.value = camera;
  }
}
