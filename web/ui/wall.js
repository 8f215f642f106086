/**
 * The wall of cameras: which tiles there are, how large they are, which of them
 * are looked at (only those get pictures), and how the arrow keys move. One
 * tile may be enlarged; the others then become a strip below it.
 */
import { h, setAttribute } from '../lib/dom.js';
import { aspectOf, fit, step } from '../lib/layout.js';
import { Tile } from './tile.js';
import { glide } from './glide.js';

/** @typedef {import('../net/types.js').Camera} Camera */
/** @typedef {import('../lib/state.js').Kind} Kind */

const stripFPS = 5;

/** Where the panel is below the picture (css/panel.css), and where both are to be seen at once. */
const stacked = window.matchMedia('(max-width: 60rem)');
const tall = window.matchMedia('(min-height: 34rem)');

export class Wall extends HTMLElement {
  /** @type {Map<string, Tile>} */ #tiles = new Map();
  #list = h('ul', { class: 'tiles', role: 'list' });
  /** @type {Set<Tile>} */ #visible = new Set();
  #columns = 1;
  /** @type {string | null} id of the enlarged camera */ #enlarged = null;
  #current = '';
  #resize = new ResizeObserver(() => this.arrange());
  #sight = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: '120px' });

  /**
   * @param {object} page
   * @param {import('../net/feeds.js').Feeds} page.feeds
   * @param {import('../paint/workshop.js').Workshop} page.workshop
   * @param {import('../net/clock.js').BridgeClock} page.clock
   * @param {(camera: string) => void} page.onpick a picture was clicked
   */
  constructor(page) {
    super();
    this.page = page;
    this.setAttribute('aria-label', 'Cameras');
    this.setAttribute('role', 'region');
    this.append(this.#list);
    this.addEventListener('keydown', (event) => this.#key(event));
    this.addEventListener('reshape', () => this.arrange());
    window.addEventListener('resize', () => this.arrange());
    this.#resize.observe(this);
  }

  /** tile is the tile of a camera. @param {string} id */
  tile(id) {
    return this.#tiles.get(id);
  }

  /**
   * update shows these cameras.
   * @param {Map<string, Camera>} cameras
   * @param {{now: number, paused: boolean, away: boolean}} view
   * @returns {Kind[]} how each of them is
   */
  update(cameras, view) {
    if (this.#sync(cameras)) this.arrange();
    return [...cameras.values()].map((camera) => {
      const tile = /** @type {Tile} */ (this.#tiles.get(camera.id));
      return tile.update(camera, { ...view, looked: this.#visible.has(tile), enlarged: camera.id === this.#enlarged }).kind;
    });
  }

  /** enlarge makes one tile large, or with null none. @param {string | null} id */
  enlarge(id) {
    const before = this.#enlarged;
    if (id === before) return;
    const tile = this.#tiles.get(id ?? before ?? '');
    const from = tile?.button.getBoundingClientRect();
    this.#enlarged = id;
    if (id ?? before) this.#setCurrent(String(id ?? before));
    this.dataset.view = id === null ? 'all' : 'one';
    for (const [camera, one] of this.#tiles) {
      one.classList.toggle('enlarged', camera === id);
      one.parentElement?.classList.toggle('one', camera === id);
    }
    this.arrange();
    this.#feedAll();
    if (tile && from) for (const part of [tile.button, tile.over]) glide(part, from);
    if (id === null && document.activeElement?.closest('espcam-panel')) tile?.button.focus({ preventScroll: true });
    if (id === null) tile?.scrollIntoView({ block: 'nearest' });
    else window.scrollTo({ top: 0 });
  }

  /** arrange fits the tiles into the window. */
  arrange() {
    const tiles = [...this.#tiles.values()];
    if (tiles.length === 0 || this.clientWidth === 0) return;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const frame = /** @type {HTMLElement} */ (this.parentElement);
    const { paddingTop, paddingBottom } = getComputedStyle(frame);
    const room = window.innerHeight - frame.offsetTop - parseFloat(paddingTop) - parseFloat(paddingBottom);
    const one = tiles.find((tile) => tile.camera.id === this.#enlarged);
    this.#cover(0);
    if (one) this.#arrangeOne(one, tiles.length, room, rem);
    else this.#arrangeAll(tiles, room, rem);
  }

  /** @param {Tile[]} tiles @param {number} height @param {number} rem */
  #arrangeAll(tiles, height, rem) {
    const aspect = aspectOf(tiles.map((tile) => tile.aspect));
    const gap = parseFloat(getComputedStyle(this.#list).columnGap) || 12;
    const sizes = { below: 3.6 * rem, beside: 8.75 * rem, column: 13.5 * rem, smallest: 15 * rem };
    const found = fit({ width: this.clientWidth, height, count: tiles.length, aspect, gap, ...sizes });
    this.#columns = found.columns;
    this.#list.dataset.facts = found.place;
    this.#list.classList.toggle('narrow', found.width < 14.5 * rem);
    this.#vars({ '--columns': found.columns, '--tile': `${found.width}px`, '--picture': `${found.picture}px`, '--aspect': aspect });
  }

  /** @param {Tile} tile @param {number} count @param {number} height @param {number} rem */
  #arrangeOne(tile, count, height, rem) {
    const strip = !stacked.matches && count > 1 ? 8 * rem + 14 : 0;
    const room = stacked.matches && tall.matches ? window.innerHeight / 2 : Math.max(height - strip, 12 * rem);
    const picture = Math.floor(Math.min(this.clientWidth, room * tile.aspect));
    this.#columns = Math.max(1, count);
    this.#list.dataset.facts = 'below';
    this.#vars({ '--picture': `${picture}px`, '--aspect': tile.aspect });
    if (stacked.matches && tall.matches) this.#cover(picture / tile.aspect + rem);
  }

  /** cover says how much of the window's top is covered, so that what gets the focus is scrolled below it. @param {number} height */
  #cover(height) {
    document.documentElement.style.setProperty('--covered', `${height}px`);
  }

  /** @param {Record<string, string | number>} vars */
  #vars(vars) {
    for (const [name, value] of Object.entries(vars)) this.#list.style.setProperty(name, String(value));
  }

  /** sync makes tiles for new cameras and takes those of old ones away. @param {Map<string, Camera>} cameras */
  #sync(cameras) {
    let changed = false;
    for (const [id, tile] of this.#tiles) {
      if (cameras.has(id)) continue;
      this.#remove(id, tile);
      changed = true;
    }
    let position = 0;
    for (const [id, camera] of cameras) {
      if (!this.#tiles.has(id)) {
        this.#add(camera, position);
        changed = true;
      }
      position++;
    }
    if (changed && !this.#tiles.has(this.#current)) this.#setCurrent(this.#tiles.keys().next().value ?? '');
    return changed;
  }

  /** @param {Camera} camera @param {number} position */
  #add(camera, position) {
    const tile = new Tile(camera, this.page.workshop, this.page.clock);
    tile.button.tabIndex = -1;
    tile.button.addEventListener('click', () => this.page.onpick(camera.id));
    tile.button.addEventListener('focus', () => this.#setCurrent(camera.id));
    this.#tiles.set(camera.id, tile);
    this.#list.insertBefore(h('li', null, tile), this.#list.children[position] ?? null);
    this.#sight.observe(tile);
  }

  /** @param {string} id @param {Tile} tile */
  #remove(id, tile) {
    this.#sight.unobserve(tile);
    this.#visible.delete(tile);
    this.page.feeds.drop(id);
    tile.close();
    tile.parentElement?.remove();
    this.#tiles.delete(id);
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const tile = /** @type {Tile} */ (target);
      if (isIntersecting) this.#visible.add(tile);
      else this.#visible.delete(tile);
    }
    this.page.workshop.expect(this.#visible.size);
    this.#feedAll();
  }

  #feedAll() {
    const limit = this.#enlarged === null ? 0 : stripFPS;
    for (const [id, tile] of this.#tiles) {
      if (!this.#visible.has(tile)) this.page.feeds.drop(id);
      else this.page.feeds.want(id, id === this.#enlarged ? 0 : limit, tile);
    }
  }

  /** @param {string} id the tile that the Tab key leads to */
  #setCurrent(id) {
    this.#tiles.get(this.#current)?.button.setAttribute('tabindex', '-1');
    this.#current = id;
    const tile = this.#tiles.get(id);
    if (tile) setAttribute(tile.button, 'tabindex', '0');
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const tiles = [...this.#list.querySelectorAll('espcam-tile')];
    const at = tiles.findIndex((tile) => tile.contains(/** @type {Node} */ (event.target)));
    const to = at < 0 ? at : step(event.key, at, tiles.length, this.#columns);
    if (to === at) return;
    event.preventDefault();
    /** @type {Tile} */ (tiles[to]).button.focus();
  }
}

customElements.define('espcam-wall', Wall);
