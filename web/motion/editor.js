/**
 * The layer over the picture on which areas are drawn. Everything works without
 * dragging: a point is chosen, then its new place is tapped or reached with the
 * arrow keys.
 *
 *     Tab: next point   arrows: 1 %   Shift+arrows: 5 %   Enter: a point after this one
 *     Delete: remove the point   Escape: let go
 */
import { h, setAttribute } from '../lib/dom.js';
import { Drawing } from './drawing.js';
import { inside, most, fewest } from './polygon.js';

/** @typedef {import('../net/types.js').Point} Point */
/** @typedef {import('./draft.js').Draft} Draft */

const arrows = /** @type {Record<string, Point>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });
const slack = 4; // px that a tap may wander
const reach = 14; // px around the first point within which a tap closes the polygon

export class Editor {
  #drawing = new Drawing();
  #points = h('div', { class: 'points', role: 'group', 'aria-label': 'Points' });
  element = h('div', { class: 'editor' }, this.#drawing.element, this.#points);
  /** @type {{index: number, from: [number, number], moved: boolean, chosen: boolean} | null} */ #drag = null;

  /**
   * @param {Draft} draft
   * @param {() => number} aspect of the picture
   * @param {(said?: string) => void} onchange of the draft; said: why something was not done
   */
  constructor(draft, aspect, onchange) {
    this.draft = draft;
    this.aspect = aspect;
    this.onchange = onchange;
    this.element.addEventListener('keydown', (event) => this.#key(event));
    this.element.addEventListener('pointerdown', (event) => this.#down(event));
    this.element.addEventListener('pointermove', (event) => this.#move(event));
    this.element.addEventListener('pointerup', (event) => this.#up(event));
    this.element.addEventListener('pointercancel', () => (this.#drag = null));
  }

  /** update shows the draft as it is now. */
  update() {
    const { draft } = this;
    this.#drawing.show(draft.areas, this.aspect(), draft.selected, draft.drawing);
    this.element.classList.toggle('drawing-now', draft.drawing || draft.point >= 0);
    const points = draft.area?.points ?? [];
    const edges = draft.drawing || points.length >= most ? 0 : points.length;
    this.#sync('point', points.length);
    this.#sync('between', edges);
    points.forEach((point, i) => this.#place(i, point, points.length));
    for (let i = 0; i < edges; i++) this.#placeBetween(i, /** @type {Point} */ (points[i]), /** @type {Point} */ (points[(i + 1) % points.length]));
  }

  /** focus puts the keyboard on the chosen point, or the first one. */
  focus() {
    this.#handle(Math.max(0, this.draft.point))?.focus();
  }

  /** @param {'point' | 'between'} kind @param {number} count */
  #sync(kind, count) {
    const all = this.#points.querySelectorAll(`.${kind}`);
    for (let i = count; i < all.length; i++) all[i]?.remove();
    for (let i = all.length; i < count; i++) {
      const button = h('button', { type: 'button', class: kind, 'data-index': i }, h('i'));
      if (kind === 'between') Object.assign(button, { tabIndex: -1, ariaHidden: 'true' }); // Enter does it, too
      this.#points.append(button);
    }
  }

  /** @param {number} i @param {Point} point @param {number} count */
  #place(i, [x, y], count) {
    const handle = this.#handle(i);
    if (!handle) return;
    put(handle, x, y);
    const words = `Point ${i + 1} of ${count} of ${this.draft.titleOf(this.draft.selected)}: ${percent(x)} from the left, ${percent(y)} from the top`;
    setAttribute(handle, 'aria-label', words);
    setAttribute(handle, 'aria-pressed', String(i === this.draft.point));
  }

  /** @param {number} i @param {Point} a @param {Point} b */
  #placeBetween(i, a, b) {
    const button = this.#points.querySelectorAll('.between')[i];
    if (button instanceof HTMLElement) put(button, (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
  }

  /** @param {number} i */
  #handle(i) {
    const handle = this.#points.querySelectorAll('.point')[i];
    return handle instanceof HTMLElement ? handle : null;
  }

  /** at is where in the picture a pointer is. @param {PointerEvent} event @returns {Point} */
  #at({ clientX, clientY }) {
    const box = this.element.getBoundingClientRect();
    return [(clientX - box.left) / box.width, (clientY - box.top) / box.height];
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0) return;
    const button = event.target instanceof Element ? event.target.closest('button') : null;
    let index = button ? Number(button.dataset.index) : -1;
    const { draft } = this;
    if (button?.classList.contains('between')) {
      if (!draft.insert(index)) return;
      index++;
    }
    this.#drag = { index, from: [event.clientX, event.clientY], moved: false, chosen: draft.point === index && button?.classList.contains('point') === true };
    if (index >= 0 && !this.#closes(index)) draft.point = index;
    this.element.setPointerCapture(event.pointerId);
    this.#changed();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const drag = this.#drag;
    if (!drag) return;
    if (Math.hypot(event.clientX - drag.from[0], event.clientY - drag.from[1]) > slack) drag.moved = true;
    if (!drag.moved || drag.index < 0) return;
    this.draft.move(drag.index, this.#at(event));
    this.#changed();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    const drag = this.#drag;
    this.#drag = null;
    if (!drag) return;
    if (!drag.moved) this.#tap(event, drag);
    this.#changed();
    if (this.draft.point >= 0) this.focus();
  }

  /** @param {PointerEvent} event @param {{index: number, chosen: boolean}} drag */
  #tap(event, { index, chosen }) {
    const { draft } = this;
    const at = this.#at(event);
    if (index >= 0) {
      if (this.#closes(index)) draft.finish();
      else if (chosen) draft.point = -1;
      return;
    }
    if (draft.drawing) return this.#draw(event, at);
    if (draft.point >= 0) return draft.move(draft.point, at);
    const hit = draft.areas.findLastIndex(({ points }) => inside(points, at));
    draft.select(hit);
  }

  /** draw adds a corner, or closes the polygon at its first one. @param {PointerEvent} event @param {Point} at */
  #draw(event, at) {
    const { draft } = this;
    const first = this.#handle(0)?.getBoundingClientRect();
    const near = first && Math.hypot(event.clientX - first.x - first.width / 2, event.clientY - first.y - first.height / 2) < reach;
    const points = draft.area?.points.length ?? 0;
    if (near && points >= fewest) return draft.finish();
    if (!draft.insert(points - 1, at)) this.onchange(`${most} points are the most.`);
    draft.point = -1;
  }

  /** closes says whether touching a point ends the drawing. @param {number} index */
  #closes(index) {
    return this.draft.drawing && index === 0 && (this.draft.area?.points.length ?? 0) >= fewest;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const button = event.target instanceof HTMLElement ? event.target.closest('.point') : null;
    const index = button instanceof HTMLElement ? Number(button.dataset.index) : -1;
    const done = (event.ctrlKey || event.metaKey) && event.key === 'z' ? this.#undo() : index >= 0 ? this.#keyOn(event, index) : event.key === 'Escape' && this.#letGo();
    if (done || arrows[event.key]) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  /** @param {KeyboardEvent} event @param {number} index @returns {boolean} whether the key meant something */
  #keyOn(event, index) {
    const { draft } = this;
    const by = arrows[event.key];
    const [x, y] = draft.area?.points[index] ?? [0, 0];
    const step = event.shiftKey ? 0.05 : 0.01;
    let said = '';
    if (by) draft.move(index, [x + by[0] * step, y + by[1] * step]);
    else if (event.key === 'Enter' && this.#closes(index)) draft.finish();
    else if (event.key === 'Enter') said = draft.insert(index) ? '' : `${most} points are the most.`;
    else if (event.key === 'Delete' || event.key === 'Backspace') said = draft.removePoint(index) ? '' : `${fewest} points are the fewest: delete the whole area instead.`;
    else if (event.key === ' ') draft.point = draft.point === index ? -1 : index;
    else if (event.key === 'Escape') return this.#letGo();
    else return false;
    this.#changed(said);
    if (event.key !== ' ') this.focus();
    return true;
  }

  /** letGo steps out of what is being done, one step at a time. */
  #letGo() {
    const { draft } = this;
    if (draft.drawing) draft.finish();
    else if (draft.point >= 0) draft.point = -1;
    else return false;
    this.#changed();
    return true;
  }

  #undo() {
    this.draft.undo();
    this.#changed();
    this.focus();
    return true;
  }

  /** @param {string} [said] */
  #changed(said) {
    this.update();
    this.onchange(said);
  }
}

/** @param {HTMLElement} element @param {number} x @param {number} y */
function put(element, x, y) {
  element.style.setProperty('left', `${x * 100}%`);
  element.style.setProperty('top', `${y * 100}%`);
}

/** @param {number} share */
function percent(share) {
  return `${Math.round(share * 100)} %`;
}
