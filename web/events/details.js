/** One event, over the list: its player, what is known of it, and its files. */
import { h, fill, follow, setAttribute, setText } from '../lib/dom.js';
import { stamp } from '../lib/format.js';
import { icon } from '../ui/icons.js';
import { Player } from './player.js';
import { day, ending, facts, lasted, time } from './words.js';

/** @typedef {import('../net/types.js').MotionEvent} MotionEvent */

export class Details {
  #title = h('h2', { id: 'event-title' });
  #when = h('p', { class: 'when' });
  #newer = stepButton('Newer event', 'back', () => this.page.onstep(-1));
  #older = stepButton('Older event', 'next', () => this.page.onstep(1));
  #facts = h('dl', { class: 'facts-of-event' });
  #why = h('p', { class: 'note' });
  #picture = h('a', { class: 'button' }, icon('save'), 'Picture');
  #clip = h('a', { class: 'button' }, icon('save'), 'Clip');
  #live = h('a', { class: 'button' }, icon('play'), 'Live');
  #fault = h('p', { class: 'none', role: 'alert', hidden: true });
  #known = h('div', { class: 'known' });
  #camera = '';

  /**
   * @param {object} page
   * @param {import('./source.js').Source} page.source
   * @param {() => void} page.onclose
   * @param {(by: number) => void} page.onstep  1 is older
   * @param {(camera: string) => void} page.onlive
   */
  constructor(page) {
    this.page = page;
    this.player = new Player(page.source);
    this.#live.addEventListener('click', (event) => follow(event, () => page.onlive(this.#camera)));
    this.#known.append(this.player, h('div', { class: 'about-event' }, this.#facts, this.#why, h('div', { class: 'actions' }, this.#picture, this.#clip, this.#live)));
    const close = h('button', { type: 'button', class: 'quiet round', 'aria-label': 'Close', on: { click: () => page.onclose() } }, icon('close'));
    this.element = h('dialog', { class: 'one-event', 'aria-labelledby': 'event-title' }, h('header', null, h('div', null, this.#title, this.#when), h('span', { class: 'steps' }, this.#newer, this.#older, close)), this.#fault, this.#known);
    this.element.addEventListener('cancel', (event) => {
      event.preventDefault();
      page.onclose();
    });
    this.element.addEventListener('click', (event) => event.target === this.element && page.onclose());
  }

  /**
   * show shows an event.
   * @param {MotionEvent} event
   * @param {{name: string, live: string, newer: boolean, older: boolean, now: number}} more
   */
  show(event, { name, live, newer, older, now }) {
    this.#open(name, '');
    this.#camera = event.camera;
    const begin = Date.parse(event.begin);
    setText(this.#when, `${day(begin, now)}, ${time(event)} · ${lasted(event, now)}${event.end ? '' : ' so far'}`);
    this.#newer.disabled = !newer;
    this.#older.disabled = !older;
    const known = facts(event);
    if (this.#facts.dataset.known !== known.join()) fill(this.#facts, ...known.map(([title, text]) => h('div', null, h('dt', null, title), h('dd', null, text))));
    this.#facts.dataset.known = known.join();
    setText(this.#why, ending(event));
    const file = `${event.camera}-${stamp(begin)}`;
    link(this.#picture, event.picture === true, this.page.source.picture(event).href, `${file}.jpg`);
    link(this.#clip, event.clip === true && event.end !== undefined, this.page.source.clip(event).href, `${file}.mjpeg`);
    setAttribute(this.#live, 'href', live);
    this.player.show(event);
  }

  /** fail says why there is nothing to show. @param {string} why */
  fail(why) {
    this.#open('Event', why);
    setText(this.#when, '');
    this.#newer.disabled = this.#older.disabled = true;
    this.player.show(null);
  }

  close() {
    if (this.element.open) this.element.close();
    this.player.show(null);
  }

  /** @param {string} title @param {string} fault */
  #open(title, fault) {
    setText(this.#title, title);
    this.#fault.hidden = fault === '';
    this.#known.hidden = fault !== '';
    setText(this.#fault, fault);
    if (!this.element.open) this.element.showModal();
  }
}

/** @param {HTMLAnchorElement} element @param {boolean} there @param {string} href @param {string} name */
function link(element, there, href, name) {
  element.hidden = !there;
  setAttribute(element, 'href', href);
  setAttribute(element, 'download', name);
}

/** @param {string} label @param {import('../ui/icons.js').IconName} sign @param {() => void} click */
function stepButton(label, sign, click) {
  return h('button', { type: 'button', class: 'quiet round', 'aria-label': label, title: label, on: { click } }, icon(sign));
}
