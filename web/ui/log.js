/** The drawer with what is wrong now, and what went wrong lately, newest first. */
import { h, fill } from '../lib/dom.js';
import { clock } from '../lib/format.js';
import { icon } from './icons.js';

/** @typedef {import('../net/bridge.js').Bridge} Bridge */

export class Log extends HTMLElement {
  #list = h('ol', { class: 'notices' });
  #dialog = h(
    'dialog',
    { class: 'drawer', 'aria-labelledby': 'log-title' },
    h('header', null, h('h2', { id: 'log-title' }, 'Messages'), h('form', { method: 'dialog' }, h('button', { class: 'quiet round', 'aria-label': 'Close' }, icon('close')))),
    this.#list,
  );
  #count = h('span', { class: 'unread', hidden: true });
  #unread = 0;
  #known = 0;
  /** @type {Set<string>} parts of the bridge whose trouble was seen or counted */ #troubled = new Set();

  /** @param {Bridge} bridge */
  constructor(bridge) {
    super();
    this.bridge = bridge;
    const button = h('button', { type: 'button', class: 'quiet round', 'aria-label': 'Messages', title: 'Messages', on: { click: () => this.#open() } }, icon('bell'), this.#count);
    this.button = button;
    this.append(button, this.#dialog);
    this.#dialog.addEventListener('click', (event) => event.target === this.#dialog && this.#dialog.close());
    bridge.notices.watch(() => this.#update());
    bridge.troubles.watch((troubles) => {
      if (!this.#dialog.open) this.#unread += troubles.filter(({ part }) => !this.#troubled.has(part)).length;
      this.#troubled = new Set(troubles.map(({ part }) => part));
      this.#update();
    });
  }

  #open() {
    this.#unread = 0;
    this.#update();
    this.#dialog.showModal();
  }

  #update() {
    const notices = this.bridge.notices.value;
    const troubles = this.bridge.troubles.value;
    const newest = notices[0]?.time ?? 0;
    if (newest > this.#known && !this.#dialog.open) this.#unread += notices.filter(({ time }) => time > this.#known).length;
    this.#known = Math.max(newest, this.#known);
    this.#count.hidden = this.#unread === 0;
    this.#count.textContent = this.#unread > 9 ? '9+' : String(this.#unread);
    this.button.setAttribute('aria-label', this.#unread > 0 ? `Messages, ${this.#unread} new` : 'Messages');
    this.button.classList.toggle('troubled', troubles.length > 0);
    fill(this.#list, ...troubles.map(standing), ...notices.map((notice) => this.#line(notice)), troubles.length + notices.length === 0 && h('li', { class: 'none' }, 'Nothing went wrong since this page was opened.'));
  }

  /** @param {import('../net/types.js').Notice} notice */
  #line({ time, camera, message }) {
    return h('li', null, h('p', { class: 'when' }, h('time', null, clock(time)), camera && h('strong', null, this.bridge.nameOf(camera))), h('p', null, message));
  }
}

const parts = { mqtt: 'MQTT', events: 'Events', plugins: 'Plugins' };

/** standing is a trouble of the bridge, which lasts. @param {import('../net/types.js').Trouble} trouble */
function standing({ part, message }) {
  return h('li', { class: 'standing' }, h('p', { class: 'when' }, h('span', null, 'now'), h('strong', null, parts[part])), h('p', null, sentence(message)));
}

/** sentence begins a line as a line begins. @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

customElements.define('espcam-log', Log);
