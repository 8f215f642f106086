/** An address with a button that copies it. */
import { h, fill } from '../lib/dom.js';
import { icon } from './icons.js';

export class CopyLine extends HTMLElement {
  /**
   * @param {string} title
   * @param {string} use  what it is for
   * @param {string} text
   */
  constructor(title, use, text) {
    super();
    const input = h('input', { type: 'text', readonly: true, value: text, 'aria-label': `${title} address`, on: { focus: () => input.select() } });
    const button = h('button', { type: 'button', class: 'quiet round', 'aria-label': `Copy the ${title} address` }, icon('copy'));
    button.addEventListener('click', async () => {
      const done = await copy(input);
      fill(button, icon(done ? 'check' : 'warn'));
      setTimeout(() => fill(button, icon('copy')), 2000);
    });
    this.append(h('p', { class: 'label' }, h('strong', null, title), ' ', use), h('div', { class: 'line' }, input, button));
  }
}

/**
 * copy puts an input's text on the clipboard. The modern way exists only on
 * HTTPS; on a plain LAN address the old one still does it.
 * @param {HTMLInputElement} input
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
