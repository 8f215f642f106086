/** A part of the page whose script and style are loaded when it is first wanted. */
import { h, fill } from '../lib/dom.js';

/** @template {HTMLElement} T */
export class Later extends HTMLElement {
  /** @type {Promise<T | null> | null} */ #wanted = null;
  /** What is loaded; null until it is. @type {T | null} */ content = null;

  /**
   * @param {() => Promise<T>} load
   * @param {string} [style]  its sheet, in css/
   */
  constructor(load, style) {
    super();
    this.load = load;
    this.sheet = style;
  }

  /** want loads it, once. It returns what is loaded, or null if it cannot be had: then this says so, and offers to try again. */
  want() {
    return (this.#wanted ??= this.#open());
  }

  /** @returns {Promise<T | null>} */
  async #open() {
    fill(this, h('p', { class: 'loading', role: 'status' }, 'Opening …'));
    try {
      const [content] = await Promise.all([this.load(), this.sheet && style(this.sheet)]);
      fill(this, content);
      return (this.content = content);
    } catch {
      const again = h('button', { type: 'button', on: { click: () => void (this.#wanted = this.#open()) } }, 'Try again');
      fill(this, h('p', { class: 'loading', role: 'alert' }, 'This part of the page could not be loaded. ', again));
      return null;
    }
  }
}

/** style adds a sheet, once. @param {string} name @returns {Promise<void>} */
function style(name) {
  const url = new URL(`../css/${name}.css`, import.meta.url).href;
  if ([...document.styleSheets].some(({ href }) => href === url)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const link = h('link', { rel: 'stylesheet', href: url, on: { load: () => resolve(), error: () => (link.remove(), reject(new Error('no style'))) } });
    document.head.append(link);
  });
}

customElements.define('espcam-later', Later);
