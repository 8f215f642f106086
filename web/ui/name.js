/** A camera's name that an admin may change in place. */
import { h, setText } from '../lib/dom.js';
import { icon } from './icons.js';

const longest = 64;

export class NameField extends HTMLElement {
  #name = h('h2');
  #edit = h('button', { type: 'button', class: 'quiet round', 'aria-label': 'Rename' }, icon('pencil'));
  #input = h('input', { type: 'text', maxlength: longest, 'aria-label': 'New name', autocomplete: 'off', spellcheck: 'false' });
  #form = h(
    'form',
    { hidden: true },
    this.#input,
    h('button', { type: 'submit', class: 'round', 'aria-label': 'Save the name' }, icon('check')),
    h('button', { type: 'button', class: 'quiet round', 'aria-label': 'Keep the old name', on: { click: () => this.#open(false) } }, icon('close')),
  );

  /** @param {(name: string) => Promise<boolean>} rename */
  constructor(rename) {
    super();
    this.#edit.addEventListener('click', () => this.#open(true));
    this.#form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const name = this.#input.value.trim();
      if (name && (name === this.#name.textContent || (await rename(name)))) this.#open(false);
    });
    this.#form.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      this.#open(false);
    });
    this.append(this.#name, this.#edit, this.#form);
  }

  /** @param {string} name @param {boolean} may be changed */
  update(name, may) {
    setText(this.#name, name);
    if (this.#form.hidden) this.#edit.hidden = !may;
  }

  /** @param {boolean} open */
  #open(open) {
    this.#form.hidden = !open;
    this.#name.hidden = this.#edit.hidden = open;
    this.#input.value = this.#name.textContent ?? '';
    if (open) this.#input.select();
    else this.#edit.focus();
  }
}

customElements.define('espcam-name', NameField);
