/** A text, mostly an address, with a button that copies it. */
import { h, fill } from '../lib/dom.js';
import { icon } from './icons.js';

export class CopyLine extends HTMLElement {
  /** @type {HTMLInputElement | HTMLTextAreaElement} */ #field;

  /**
   * @param {string} title
   * @param {string} use  what it is for
   * @param {string} text
   * @param {string} [label]  its name for screen readers
   */
  constructor(title, use, text, label = `${title} address`) {
    super();
    const attributes = { readonly: true, 'aria-label': label, spellcheck: 'false', on: { focus: () => this.#field.select() } };
    const lines = text.split('\n').length;
    this.#field = lines > 1 ? h('textarea', { rows: lines, wrap: 'off', ...attributes }) : h('input', { type: 'text', ...attributes });
    this.#field.value = text;
    const button = h('button', { type: 'button', class: 'quiet round', 'aria-label': `Copy the ${label}` }, icon('copy'));
    button.addEventListener('click', async () => {
      const done = await copy(this.#field);
      fill(button, icon(done ? 'check' : 'warn'));
      setTimeout(() => fill(button, icon('copy')), 2000);
    });
    this.append(h('p', { class: 'label' }, h('strong', null, title), ' ', use), h('div', { class: 'line' }, this.#field, button));
  }

  /** set shows another text. @param {string} text */
  set(text) {
    if (this.#field.value !== text) this.#field.value = text;
  }
}

/**
 * copy puts an input's text on the clipboard. The modern way exists only on
 * HTTPS; on a plain LAN address the old one still does it.
 * @param {HTMLInputElement | HTMLTextAreaElement} input
 */
async function copy(input) {
  try {
    await navigator.clipboard.writeText(input.value);
    return true;
  } catch {
    const focused = document.activeElement;
    input.select();
    const done = document.execCommand('copy');
    if (focused instanceof HTMLElement) focused.focus();
    return done;
  }
}

customElements.define('espcam-copy', CopyLine);
