/** One event in the list: its picture, when it was, where, and what was seen. */
import { h, follow, setAttribute, setText } from '../lib/dom.js';
import { icon } from '../ui/icons.js';
import { lasted, things, time } from './words.js';

/** @typedef {import('../net/types.js').MotionEvent} MotionEvent */

export class Card {
  #picture = h('img', { alt: '', loading: 'lazy', decoding: 'async', width: 320, height: 240 });
  #blank = h('span', { class: 'blank' }, icon('motion'));
  #on = h('span', { class: 'chip on' }, 'now');
  #time = h('time');
  #name = h('b');
  #more = h('span', { class: 'more' });
  #link = h('a', { class: 'event' }, h('span', { class: 'shot' }, this.#blank, this.#picture, this.#on), h('span', { class: 'line' }, this.#time, this.#name), this.#more);
  element = h('li', null, this.#link);

  /** @param {(id: string) => void} onpick */
  constructor(onpick) {
    this.#link.addEventListener('click', (event) => follow(event, () => onpick(this.element.dataset.event ?? '')));
    this.#picture.addEventListener('error', () => (this.#picture.hidden = true));
  }

  /**
   * update shows an event.
   * @param {MotionEvent} event
   * @param {{name: string, address: string, picture: string, now: number}} more  picture: its address, empty if there is none
   */
  update(event, { name, address, picture, now }) {
    this.element.dataset.event = event.id;
    setAttribute(this.#link, 'href', address);
    if (picture !== this.#picture.getAttribute('src')) {
      setAttribute(this.#picture, 'src', picture || null);
      this.#picture.hidden = picture === '';
    }
    this.#on.hidden = event.end !== undefined;
    setText(this.#time, time(event));
    setAttribute(this.#time, 'datetime', event.begin);
    setText(this.#name, name);
    setText(this.#more, [lasted(event, now), ...things(event)].join(' · '));
  }

  focus() {
    this.#link.focus();
  }
}
