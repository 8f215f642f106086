/**
 * Draws zones and masks over a picture: zones outlined with their names, masks
 * hatched, the selected one stronger, edges that cross in another colour and
 * dashes.
 */
import { fill, h, s, setAttribute } from '../lib/dom.js';
import { crossings } from './polygon.js';

/** @typedef {import('../net/types.js').Point} Point */
/** @typedef {import('./draft.js').Area} Area */

const tall = 100; // height of the drawing in its own units; its width follows the picture's shape

export class Drawing {
  #hatch = s('pattern', { id: 'hatch', width: 3, height: 3, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' }, s('path', { d: 'M0 0V3', class: 'hatch-dark' }), s('path', { d: 'M1.5 0V3', class: 'hatch-light' }));
  #areas = s('g', {});
  #svg = s('svg', { preserveAspectRatio: 'none', 'aria-hidden': 'true' }, s('defs', {}, this.#hatch), this.#areas);
  #names = h('div', { class: 'names', 'aria-hidden': 'true' });
  element = h('div', { class: 'drawing' }, this.#svg, this.#names);

  /**
   * show draws areas.
   * @param {Area[]} areas
   * @param {number} aspect of the picture
   * @param {number} [selected]
   * @param {boolean} [open] the selected one is still being drawn
   */
  show(areas, aspect, selected = -1, open = false) {
    const wide = tall * aspect;
    setAttribute(this.#svg, 'viewBox', `0 0 ${wide} ${tall}`);
    const place = ([x, y] = /** @type {Point} */ ([0, 0])) => `${(x * wide).toFixed(2)} ${(y * tall).toFixed(2)}`;
    fill(this.#areas, ...areas.flatMap(({ kind, points }, i) => shape(points.map(place), `${kind}${i === selected ? ' selected' : ''}`, points, i === selected && open)));
    fill(this.#names, ...areas.map(({ kind, name, points }, i) => kind === 'zone' && points.length > 0 && label(name, points, i === selected)));
  }
}

/** @param {string[]} places @param {string} kind @param {Point[]} points @param {boolean} open */
function shape(places, kind, points, open) {
  if (places.length === 0) return [];
  const d = `M${places.join('L')}${open ? '' : 'Z'}`;
  const bad = [...crossings(points)].filter((i) => !open || i < points.length - 1);
  return [
    s('path', { d: `M${places.join('L')}Z`, class: `inside ${kind}`, fill: kind.startsWith('ignore') ? 'url(#hatch)' : null }),
    s('path', { d, class: `shadow ${kind}` }),
    s('path', { d, class: `edge ${kind}` }),
    open && s('path', { d: `M${places.at(-1)}L${places[0]}`, class: 'closing' }),
    bad.length > 0 && s('path', { d: bad.map((i) => `M${places[i]}L${places[(i + 1) % places.length]}`).join(''), class: 'crossing' }),
  ];
}

/** @param {string} name @param {Point[]} points @param {boolean} selected */
function label(name, points, selected) {
  const [x, y] = points.reduce((top, point) => (point[1] < top[1] ? point : top));
  const element = h('span', { class: selected ? 'selected' : '' }, name);
  element.style.setProperty('left', `${x * 100}%`);
  element.style.setProperty('top', `${y * 100}%`);
  element.classList.toggle('low', y < 0.08);
  element.classList.toggle('left', x > 0.75);
  return element;
}
