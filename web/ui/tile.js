/**
 * One camera in the wall: its picture, which is a button that enlarges it, and
 * the few facts that matter at a glance.
 */
import { h, setAttribute, setText } from '../lib/dom.js';
import { fps, signal } from '../lib/format.js';
import { truth } from '../lib/state.js';
import { Screen } from '../paint/screen.js';
import { Boxes } from './boxes.js';
import { icon } from './icons.js';

/** @typedef {import('../net/types.js').Camera} Camera */
/** @typedef {import('../net/frame.js').Frame} Frame */
/** @typedef {import('../lib/state.js').Truth} Truth */
/** @typedef {import('../lib/state.js').Kind} Kind */

/** @type {Partial<Record<Kind, import('./icons.js').IconName>>} what the veil over a missing picture shows */
const signs = { offline: 'plug', lost: 'plug', disabled: 'off', pending: 'clock', waiting: 'clock' };

export class Tile extends HTMLElement {
  #screenHost = h('span', { class: 'screen' });
  #sign = h('span', { class: 'sign' });
  #title = h('strong');
  #detail = h('span');
  #veil = h('span', { class: 'veil' }, this.#sign, this.#title, this.#detail);
  #boxes = new Boxes();
  #where = h('span');
  #moving = h('span', { class: 'moving', hidden: true }, icon('motion'), h('b', null, 'Motion'), this.#where);
  /** Where the picture's pixels are, whatever the shape of the tile: for what lies over them. */
  frame = h('div', { class: 'frame' }, this.#boxes.element);
  over = h('div', { class: 'over' }, this.frame, this.#moving);
  button = h('button', { class: 'picture', type: 'button' }, this.#screenHost, this.#veil);
  #name = h('h2', { class: 'name' });
  #chip = h('span', { class: 'chip' });
  #rate = h('dd');
  #size = h('dd');
  #signal = h('dd');
  #bars = h('span', { class: 'bars', 'aria-hidden': 'true' }, h('i'), h('i'), h('i'), h('i'));
  #signalText = h('span');
  #facts = h(
    'div',
    { class: 'facts' },
    h('div', { class: 'title' }, this.#name, this.#chip),
    h(
      'dl',
      { class: 'figures' },
      h('div', null, h('dt', null, 'Rate'), this.#rate),
      h('div', null, h('dt', null, 'Size'), this.#size),
      h('div', null, h('dt', null, 'Signal'), this.#signal),
    ),
  );
  /** @type {Camera} */ #camera;
  /** When the bridge had the picture that is shown; 0 if none is. */
  received = 0;
  /** Milliseconds from the bridge to this screen, smoothed; -1 if unknown. */
  delay = -1;
  /** Width / height of the picture, or what most cameras have. */
  aspect = 4 / 3;
  /** Pixels of the picture, such as "640×480", or empty. */
  pixels = '';
  /** @type {Kind} */
  kind = 'waiting';

  /**
   * @param {Camera} camera
   * @param {import('../paint/workshop.js').Workshop} workshop
   * @param {import('../net/clock.js').BridgeClock} clock
   */
  constructor(camera, workshop, clock) {
    super();
    this.#camera = camera;
    this.clock = clock;
    this.dataset.camera = camera.id;
    this.screen = new Screen(this.#screenHost, workshop, (picture, size) => this.#painted(picture.received, size));
    this.#signal.append(this.#bars, this.#signalText);
    this.append(this.button, this.over, this.#facts);
  }

  get camera() {
    return this.#camera;
  }

  /**
   * show takes a picture. Placeholders are not shown: this page says in words what they say.
   * @param {Frame} frame
   * @param {() => void} painted
   */
  show(frame, painted) {
    if (frame.placeholder || !this.#camera.enabled) painted();
    else this.screen.show(frame, painted);
  }

  /** mark shows boxes around what moves now. @param {import('../net/types.js').Box[]} boxes */
  mark(boxes) {
    this.#boxes.show(boxes);
  }

  /**
   * update shows what is true now.
   * @param {Camera} camera
   * @param {object} view
   * @param {number} view.now       the bridge's time
   * @param {boolean} view.paused
   * @param {boolean} view.away     the bridge is
   * @param {boolean} view.looked   at: a tile that nobody sees gets no pictures, but the bridge does
   * @param {boolean} view.enlarged
   * @returns {Truth}
   */
  update(camera, { now, paused, away, looked, enlarged }) {
    this.#camera = camera;
    if (!camera.enabled && this.received !== 0) this.#forget();
    const received = looked ? this.received : Math.max(this.received, Date.parse(camera.last_frame_at ?? '') || 0);
    const is = truth(camera, { now, received, paused, away });
    this.kind = is.kind;
    this.dataset.kind = is.kind;
    this.#showVeil(is);
    setText(this.#name, camera.name || camera.id);
    setAttribute(this.#name, 'title', camera.name || camera.id);
    setText(this.#chip, is.chip);
    this.#showFigures(camera);
    const moving = this.#showMotion(camera, is.title === '' && !away);
    const said = [camera.name || camera.id, moving && 'motion', is.title || is.chip, is.title && is.detail].filter(Boolean).join(', ');
    setAttribute(this.button, 'aria-label', enlarged ? `${said}. Back to all cameras` : `${said}. Enlarge`);
    return is;
  }

  /** @param {Truth} is */
  #showVeil(is) {
    this.#veil.hidden = is.title === '';
    setText(this.#title, is.title);
    setText(this.#detail, is.detail);
    const sign = signs[is.kind] ?? '';
    if (this.#sign.dataset.sign === sign) return;
    this.#sign.dataset.sign = sign;
    this.#sign.replaceChildren(...(sign ? [icon(sign)] : []));
  }

  /** @param {Camera} camera @param {boolean} holds that what is known of motion holds now */
  #showMotion({ motion }, holds) {
    const moving = holds && motion?.active === true;
    this.dataset.motion = moving ? 'on' : 'off';
    this.#moving.hidden = !moving;
    setText(this.#where, (moving && motion.zones?.join(', ')) || '');
    if (!holds) this.#boxes.clear();
    return moving;
  }

  /** @param {Camera} camera */
  #showFigures(camera) {
    const { stats } = camera;
    const gone = camera.state === 'offline' || !camera.enabled;
    setText(this.#rate, gone ? '–' : fps(stats.fps));
    setText(this.#size, this.pixels || '–');
    const known = stats.rssi !== null && stats.rssi !== undefined && !gone;
    setAttribute(/** @type {HTMLElement} */ (this.#signal.parentElement), 'hidden', !known);
    if (!known) return;
    const { bars, word } = signal(Number(stats.rssi));
    this.#bars.dataset.bars = String(bars);
    setText(this.#signalText, `${stats.rssi} dBm`.replace('-', '−'));
    setAttribute(this.#signal, 'title', `Wi-Fi signal ${word}`);
  }

  /** @param {number} received @param {import('../paint/painter.js').Size} size */
  #painted(received, { width, height }) {
    const delay = Math.max(0, this.clock.now() - received);
    this.delay = this.received === 0 || delay > 1000 ? delay : this.delay + (delay - this.delay) * 0.1;
    const first = this.received === 0 || this.kind !== 'live';
    this.received = received;
    const pixels = `${width}×${height}`;
    if (pixels !== this.pixels) {
      this.pixels = pixels;
      this.aspect = width / height;
      this.frame.style.setProperty('--shape', String(this.aspect));
      this.dispatchEvent(new Event('reshape', { bubbles: true }));
    }
    if (first) this.dispatchEvent(new Event('fresh', { bubbles: true }));
  }

  #forget() {
    this.screen.clear();
    this.#boxes.clear();
    this.received = 0;
    this.delay = -1;
  }

  /** close lets go of the picture. */
  close() {
    this.screen.clear();
  }
}

customElements.define('espcam-tile', Tile);
