/** Short messages in a corner, also read out by screen readers. */
import { h } from '../lib/dom.js';
import { icon } from './icons.js';

const sayFor = 4000;
const faultFor = 10_000;

export class Toasts extends HTMLElement {
  #whisper = h('p', { class: 'unseen', role: 'status' });
  #polite = h('div', { role: 'status' });
  #urgent = h('div', { role: 'alert' });

  constructor() {
    super();
    this.append(this.#urgent, this.#polite, this.#whisper);
  }

  /** say tells that something went well. @param {string} text */
  say(text) {
    this.#add(this.#polite, text, sayFor);
  }

  /** fault tells that something did not. @param {string} text */
  fault(text) {
    this.#add(this.#urgent, text, faultFor);
  }

  /** whisper is for screen readers only, about what others see. @param {string} text */
  whisper(text) {
    this.#whisper.textContent = text;
  }

  /** @param {HTMLElement} region @param {string} text @param {number} time */
  #add(region, text, time) {
    const close = h('button', { type: 'button', class: 'quiet round', 'aria-label': 'Dismiss' }, icon('close'));
    const toast = h('div', { class: 'toast' }, h('p', null, text), close);
    close.addEventListener('click', () => toast.remove());
    setTimeout(() => toast.remove(), time);
    region.append(toast);
    if (region.children.length > 3) region.firstElementChild?.remove();
  }
}

customElements.define('espcam-toasts', Toasts);
