/** The form for people whom the bridge does not know yet. */
import { h, setText } from '../lib/dom.js';
import { mark } from './icons.js';

/** @typedef {import('../net/api.js').Api} Api */

export class Login extends HTMLElement {
  #input = h('input', { type: 'password', id: 'token', name: 'token', autocomplete: 'current-password', required: true, spellcheck: 'false', 'aria-describedby': 'token-note token-fault' });
  #fault = h('p', { class: 'note fault', id: 'token-fault', role: 'alert' });
  #button = h('button', { type: 'submit', class: 'strong' }, 'Open');

  /** @param {Api} api @param {() => void} onlogin */
  constructor(api, onlogin) {
    super();
    this.hidden = true;
    this.api = api;
    this.onlogin = onlogin;
    const form = h(
      'form',
      null,
      mark(),
      h('input', { type: 'text', name: 'username', autocomplete: 'username', value: 'espcam-bridge', hidden: true }),
      h('h1', null, 'espcam-bridge'),
      h('label', { for: 'token' }, 'Token'),
      this.#input,
      this.#fault,
      this.#button,
      h('p', { class: 'note', id: 'token-note' }, 'The bridge printed one when it was started for the first time; others are in its configuration under http.tokens.'),
    );
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#try();
    });
    this.append(form);
  }

  /** ask shows the form. */
  ask() {
    if (!this.hidden) return;
    this.hidden = false;
    this.#input.focus();
  }

  async #try() {
    setText(this.#fault, '');
    this.#button.disabled = true;
    const answer = await this.api.login(this.#input.value.trim());
    this.#button.disabled = false;
    if (answer.kind !== 'ok') {
      setText(this.#fault, `${answer.fault.message}.`.replace(/\.\.$/, '.'));
      this.#input.select();
      return;
    }
    this.#input.value = '';
    this.hidden = true;
    this.onlogin();
  }
}

customElements.define('espcam-login', Login);
