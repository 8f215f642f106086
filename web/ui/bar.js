/** The top of the page: whose it is, how all cameras are at one glance, and what concerns the whole page. */
import { h, fill, follow, setAttribute, setText } from '../lib/dom.js';
import { counted } from '../lib/state.js';
import { icon, mark } from './icons.js';
import { ThemeButton } from './theme.js';

/** @typedef {import('../lib/state.js').Kind} Kind */

export class Bar extends HTMLElement {
  #home = h('span', { class: 'home' });
  #dots = h('span', { class: 'dots', 'aria-hidden': 'true' });
  #count = h('span', { class: 'counted' });
  #pause = h('button', { type: 'button', class: 'quiet round' });
  #events = h('a', { class: 'button quiet', href: '#/events', title: 'What moved, and when' }, icon('events'), h('span', { class: 'word' }, 'Events'));
  #plugins = h('a', { class: 'button quiet', href: '#/plugins', title: 'Plugins', hidden: true }, icon('plug'), h('span', { class: 'word' }, 'Plugins'));
  #exit = h('button', { type: 'button', class: 'quiet round', 'aria-label': 'Log out', title: 'Log out', hidden: true }, icon('exit'));

  /**
   * @param {object} page
   * @param {HTMLElement} page.log   the messages' button
   * @param {() => void} page.onpause
   * @param {() => void} page.onevents
   * @param {() => void} page.onplugins
   * @param {() => void} page.onexit
   */
  constructor({ log, onpause, onevents, onplugins, onexit }) {
    super();
    this.#pause.addEventListener('click', onpause);
    this.#exit.addEventListener('click', onexit);
    this.#events.addEventListener('click', (event) => follow(event, onevents));
    this.#plugins.addEventListener('click', (event) => follow(event, onplugins));
    this.append(
      h('h1', { class: 'wordmark' }, mark(), h('span', { class: 'word' }, 'espcam-', h('b', null, 'bridge')), this.#home),
      h('div', { class: 'health' }, this.#dots, this.#count),
      h('div', { class: 'tools', role: 'toolbar', 'aria-label': 'Page' }, this.#events, this.#plugins, this.#pause, log, new ThemeButton(), this.#exit),
    );
    this.pause(false);
  }

  /** pause shows whether the pictures stand still. @param {boolean} paused */
  pause(paused) {
    const label = paused ? 'Let the pictures move again' : 'Stop all pictures on this page';
    setAttribute(this.#pause, 'aria-label', label);
    setAttribute(this.#pause, 'title', label);
    setAttribute(this.#pause, 'aria-pressed', String(paused));
    fill(this.#pause, icon(paused ? 'play' : 'pause'));
  }

  /** @param {{name: string, known: boolean, auth: boolean, role: string}} session @param {Kind[]} kinds */
  update({ name, known, auth, role }, kinds) {
    setText(this.#home, name);
    this.#exit.hidden = !auth;
    this.#plugins.hidden = !known || role !== 'admin';
    setText(this.#count, known ? counted(kinds) : '');
    const key = kinds.join();
    if (this.#dots.dataset.kinds === key) return;
    this.#dots.dataset.kinds = key;
    fill(this.#dots, ...kinds.map((kind) => h('i', { 'data-kind': kind })));
  }
}

customElements.define('espcam-bar', Bar);
