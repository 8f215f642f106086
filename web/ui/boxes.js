/**
 * Boxes around what moves, over a picture. They fade within two seconds unless
 * newer ones come. The drawing is a layer of its own and only its opacity
 * changes between two messages, so the pictures below are not painted again.
 */
import { s, setAttribute } from '../lib/dom.js';

/** @typedef {import('../net/types.js').Box} Box */

const lasts = 2000; // ms
const calm = window.matchMedia('(prefers-reduced-motion: reduce)');
const fade = [{ opacity: 1 }, { opacity: 1, offset: 0.3 }, { opacity: 0 }];

export class Boxes {
  #shadow = s('path', { class: 'shadow' });
  #line = s('path', {});
  #timer = 0;
  /** @type {Animation | null} */ #fading = null;
  element = s('svg', { class: 'boxes', viewBox: '0 0 1 1', preserveAspectRatio: 'none', 'aria-hidden': 'true', hidden: true }, this.#shadow, this.#line);

  /** show takes what moves now; nothing lets the boxes before fade on. @param {Box[]} boxes */
  show(boxes) {
    if (boxes.length === 0) return;
    this.draw(boxes);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.clear(), lasts);
    if (calm.matches) return;
    if (this.#fading) this.#fading.currentTime = 0;
    else this.#fading = this.element.animate(fade, { duration: lasts, fill: 'forwards' });
  }

  /** draw shows boxes that stay. @param {Box[]} boxes */
  draw(boxes) {
    for (const path of [this.#shadow, this.#line]) setAttribute(path, 'd', boxes.map(outline).join(''));
    setAttribute(this.element, 'hidden', boxes.length === 0);
  }

  clear() {
    clearTimeout(this.#timer);
    this.#fading?.cancel();
    this.#fading = null;
    this.draw([]);
  }
}

/** @param {Box} box */
function outline({ x, y, w, h }) {
  return `M${x} ${y}h${w}v${h}h${-w}z`;
}
