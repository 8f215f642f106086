/** Dark, light, or as the system says. The choice is kept in this browser. */
import { h, fill } from '../lib/dom.js';
import { icon } from './icons.js';

/** @typedef {'system' | 'light' | 'dark'} Theme */

const order = /** @type {const} */ (['system', 'dark', 'light']);
const icons = /** @type {const} */ ({ system: 'system', dark: 'moon', light: 'sun' });

export class ThemeButton extends HTMLElement {
  #button = h('button', { type: 'button', class: 'quiet round', on: { click: () => this.#turn() } });

  constructor() {
    super();
    this.append(this.#button);
    this.#show();
  }

  /** @returns {Theme} */
  get theme() {
    const set = document.documentElement.dataset.theme;
    return set === 'dark' || set === 'light' ? set : 'system';
  }

  #turn() {
    const next = order[(order.indexOf(this.theme) + 1) % order.length] ?? 'system';
    if (next === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem('espcam-theme', next);
    } catch {
      // A browser that keeps nothing for us: the choice holds until the page is closed.
    }
    this.#show();
  }

  #show() {
    const label = `Colours: ${this.theme}`;
    this.#button.setAttribute('aria-label', label);
    this.#button.title = label;
    fill(this.#button, icon(icons[this.theme]));
  }
}

customElements.define('espcam-theme', ThemeButton);
