/**
 * Everything about the enlarged camera: how it is, what can be set, what it can
 * be told. Settings and actions come from the camera's capabilities alone, and
 * what our role may not do is not there.
 */
import { h, fill, follow, setText } from '../lib/dom.js';
import { bytes, clock, fps, signal, span, stamp } from '../lib/format.js';
import { split } from '../lib/setting.js';
import { icon } from './icons.js';
import { Later } from './later.js';
import { eventsAddress } from './route.js';
import { Setting } from './setting.js';
import { Elsewhere } from './elsewhere.js';
import { NameField } from './name.js';
import { confirm } from './dialog.js';

/** @typedef {import('../net/types.js').Camera} Camera */
/** @typedef {import('../net/types.js').Property} Property */
/** @typedef {import('../lib/state.js').Truth} Truth */
/** @typedef {import('./tile.js').Tile} Tile */

/** @type {Record<string, {title: string, icon: import('./icons.js').IconName}>} the actions that have a button */
const actions = {
  snapshot: { title: 'Snapshot', icon: 'shot' },
  identify: { title: 'Identify', icon: 'spark' },
  restart: { title: 'Restart', icon: 'restart' },
};

export class Panel extends HTMLElement {
  /** @type {Camera | null} */ #camera = null;
  #shape = '';
  #name = new NameField((name) => this.#rename(name));
  #chip = h('span', { class: 'chip' });
  #since = h('span', { class: 'since' });
  #figures = h('dl', { class: 'figures' });
  #body = h('div', { class: 'body' });
  #about = h('dl', { class: 'about' });
  /** @type {Setting[]} */ #settings = [];
  /** @type {HTMLButtonElement | null} */ #enabled = null;
  /** @type {import('../motion/section.js').MotionSection | null} */ #motion = null;
  /** @type {HTMLDetailsElement | null} */ #fold = null;
  /** @type {Elsewhere | null} */ #elsewhere = null;
  /** @type {Tile | null} */ #tile = null;

  /**
   * @param {object} page
   * @param {import('../net/bridge.js').Bridge} page.bridge
   * @param {import('../net/api.js').Api} page.api
   * @param {import('./toasts.js').Toasts} page.toasts
   * @param {import('./route.js').Route} page.route
   * @param {() => void} page.onback
   * @param {(by: number) => void} page.onstep  to another camera
   */
  constructor(page) {
    super();
    this.page = page;
    this.hidden = true;
    this.setAttribute('role', 'region');
    this.setAttribute('aria-label', 'Camera');
    const back = h('button', { type: 'button', class: 'quiet', 'aria-keyshortcuts': 'Escape', on: { click: () => page.onback() } }, icon('back'), 'All cameras', h('kbd', { 'aria-hidden': 'true' }, 'Esc'));
    const before = h('button', { type: 'button', class: 'quiet round', 'aria-label': 'Camera before', on: { click: () => page.onstep(-1) } }, icon('back'));
    const after = h('button', { type: 'button', class: 'quiet round', 'aria-label': 'Next camera', on: { click: () => page.onstep(1) } }, icon('next'));
    this.append(
      h('div', { class: 'way' }, back, h('span', { class: 'steps' }, before, after)),
      h('header', null, this.#name, h('p', { class: 'truth' }, this.#chip, this.#since)),
      this.#figures,
      this.#body,
    );
  }

  /**
   * show shows a camera, or with null nothing.
   * @param {Camera | null} camera
   * @param {Tile | undefined} tile
   * @param {Truth | null} is
   * @param {number} now the bridge's time
   */
  show(camera, tile, is, now) {
    this.hidden = camera === null;
    if (camera?.id !== this.#camera?.id || this.hidden) this.#leave();
    this.#camera = camera;
    if (!camera || !tile || !is) return;
    this.#tile = tile;
    const shape = JSON.stringify([camera.id, camera.capabilities, camera.source, camera.motion !== undefined, camera.announced === false, this.page.bridge.session.value]);
    if (shape !== this.#shape) this.#build(camera);
    this.#shape = shape;
    this.dataset.kind = is.kind;
    this.#name.update(camera.name || camera.id, this.page.bridge.may('admin'));
    setText(this.#chip, is.chip);
    setText(this.#since, sentence(camera, is, now));
    pairs(this.#figures, figures(camera, tile));
    pairs(this.#about, about(camera));
    for (const setting of this.#settings) setting.update(camera);
    this.#motion?.update(camera);
    this.#elsewhere?.update(camera);
    this.#enabled?.setAttribute('aria-checked', String(camera.enabled));
  }

  /** @param {Camera} camera */
  #build(camera) {
    const operator = this.page.bridge.may('operator');
    const properties = operator ? camera.capabilities.settings ?? [] : [];
    const { first, others } = split(properties);
    const make = (/** @type {Property} */ p) => new Setting(p, camera, (value) => this.page.bridge.set(camera.id, { [p.name]: /** @type {import('../net/types.js').Value} */ (value) }));
    const firsts = first.map(make);
    const rest = others.map(make);
    this.#settings = [...firsts, ...rest];
    fill(
      this.#body,
      this.#buttons(camera, operator),
      this.page.bridge.may('admin') && camera.announced === false && this.#missed(camera),
      firsts.length > 0 && h('section', { class: 'controls', 'aria-label': 'Controls' }, ...firsts),
      rest.length > 0 && fold(`All settings`, rest.length, h('div', { class: 'controls' }, ...rest)),
      operator && camera.motion && this.#motionFold(),
      this.#addresses(camera),
      fold('About this camera', 0, this.#about),
      this.page.bridge.may('admin') && this.#privacy(camera),
    );
  }

  /** @param {Camera} camera @param {boolean} operator */
  #buttons(camera, operator) {
    const can = (camera.capabilities.actions ?? []).filter((name) => actions[name] && (operator || name === 'snapshot'));
    const buttons = can.map((name) => {
      const { title, icon: sign } = /** @type {{title: string, icon: import('./icons.js').IconName}} */ (actions[name]);
      const button = h('button', { type: 'button', 'data-action': name }, icon(sign), title);
      button.addEventListener('click', () => this.#do(name, button));
      return button;
    });
    const address = eventsAddress({ camera: camera.id });
    const open = (/** @type {MouseEvent} */ event) => follow(event, () => void this.page.route.open(address));
    const events = camera.motion && h('a', { class: 'button', href: address, on: { click: open } }, icon('events'), 'Events');
    return (buttons.length > 0 || events) && h('div', { class: 'actions' }, ...buttons, events);
  }

  /** @param {string} action @param {HTMLButtonElement} button */
  async #do(action, button) {
    const camera = /** @type {Camera} */ (this.#camera);
    const name = camera.name || camera.id;
    if (action === 'restart') {
      const sure = await confirm({ title: `Restart ${name}?`, text: 'It will be offline for about ten seconds.', yes: 'Restart' });
      if (!sure) return;
    }
    if (action === 'snapshot' && !this.page.bridge.may('operator')) return this.#save(camera);
    button.classList.add('busy');
    const result = await this.page.bridge.do(camera.id, action);
    button.classList.remove('busy');
    if (!result.ok) return this.page.toasts.fault(`${name}: ${result.error.message}`);
    if (action === 'snapshot') this.#save(camera);
    else this.page.toasts.say(action === 'restart' ? `${name} is restarting.` : `${name} shows where it is.`);
  }

  /** save downloads the newest picture. @param {Camera} camera */
  #save(camera) {
    const address = new URL(`live/${this.page.bridge.session.value.app}/${camera.id}/frame.jpg`, this.page.api.base);
    const link = h('a', { href: address.href, download: `${camera.id}-${stamp(Date.now())}.jpg`, hidden: true });
    this.append(link);
    link.click();
    link.remove();
    this.page.toasts.say('The picture is being saved.');
  }

  /** missed offers to undo that somebody deleted the camera in Home Assistant. @param {Camera} camera */
  #missed(camera) {
    const button = h('button', { type: 'button' }, 'Announce in Home Assistant again');
    button.addEventListener('click', async () => {
      button.disabled = true;
      const answer = await this.page.api.rediscover(camera.id);
      button.disabled = false;
      if (answer.kind === 'ok') this.page.toasts.say(`${camera.name || camera.id} is announced in Home Assistant again.`);
      else this.page.toasts.fault(`${camera.name || camera.id}: ${answer.fault.message}`);
    });
    return h('section', { class: 'missed', 'aria-label': 'Home Assistant' }, h('p', { class: 'note' }, 'This camera was deleted in Home Assistant.'), button);
  }

  /** addresses stay while their camera does: a link is shown once. @param {Camera} camera */
  #addresses(camera) {
    const { bridge, api, toasts } = this.page;
    const part = (this.#elsewhere ??= new Elsewhere({ bridge, api, toasts, camera }));
    const details = fold('Addresses for other programs', 0, part);
    details.addEventListener('toggle', () => details.open && void part.look());
    return details;
  }

  /** motionFold is loaded when it is opened, as few people need it often, and stays while its camera does. */
  #motionFold() {
    const id = this.#camera?.id;
    if (this.#fold?.dataset.camera === id) return this.#fold;
    const { bridge, api, route, toasts } = this.page;
    const load = async () => new (await import('../motion/section.js')).MotionSection({ bridge, api, route, toasts, camera: /** @type {Camera} */ (this.#camera), tile: /** @type {Tile} */ (this.#tile) });
    const later = new Later(load, 'motion');
    const details = fold('Motion', 0, later);
    details.dataset.camera = id;
    this.#fold = details;
    details.addEventListener('toggle', async () => {
      const part = details.open ? await later.want() : null;
      if (this.#fold !== details) return;
      if (!details.open) this.#motion?.close();
      this.#motion = part;
      part?.update(/** @type {Camera} */ (this.#camera));
    });
    return details;
  }

  /** leave takes away what the motion section lays over the picture, and what belongs to one camera. */
  #leave() {
    this.#motion?.close();
    this.#elsewhere?.remove(); // with its link
    this.#motion = this.#fold = this.#elsewhere = null;
    this.#shape = '';
  }

  /** @param {Camera} camera */
  #privacy(camera) {
    const button = h('button', { type: 'button', role: 'switch', class: 'switch', id: 'camera-enabled', 'aria-checked': String(camera.enabled), 'aria-describedby': 'camera-enabled-note' }, h('i'));
    button.addEventListener('click', async () => {
      const on = button.getAttribute('aria-checked') !== 'true';
      const result = await this.page.bridge.enable(camera.id, on);
      if (!result.ok) this.page.toasts.fault(`${camera.name || camera.id}: ${result.error.message}`);
    });
    this.#enabled = button;
    const label = h('label', { for: 'camera-enabled' }, 'Camera switched on');
    return h('section', { class: 'privacy' }, h('div', { class: 'head' }, label, button), h('p', { class: 'note', id: 'camera-enabled-note' }, 'While it is off, no picture leaves the bridge.'));
  }

  /** @param {string} name @returns {Promise<boolean>} */
  async #rename(name) {
    const camera = /** @type {Camera} */ (this.#camera);
    const result = await this.page.bridge.rename(camera.id, name);
    if (!result.ok) this.page.toasts.fault(`${camera.name || camera.id}: ${result.error.message}`);
    return result.ok;
  }
}

/** @param {string} title @param {number} count @param {...(Node | false)} children */
function fold(title, count, ...children) {
  return h('details', null, h('summary', null, title, count > 0 && h('span', { class: 'count' }, count)), ...children);
}

/** @param {Camera} camera @param {Truth} is @param {number} now */
function sentence(camera, is, now) {
  if (is.title) return [is.title, is.detail].filter(Boolean).join(', ');
  const since = Date.parse(camera.connected_at ?? '');
  const learning = camera.motion?.learning && camera.motion.settings.enabled ? 'learning what is normal here' : '';
  return [!Number.isNaN(since) && `connected since ${clock(since, now)}`, learning].filter(Boolean).join(' · ');
}

/** @typedef {[string, string | null | undefined | false, string?]} Pair title, text (none: not shown), further title */

/** @param {Camera} camera @param {Tile} tile @returns {Pair[]} */
function figures({ stats, state }, tile) {
  const on = state === 'online';
  const wifi = typeof stats.rssi === 'number' && on ? stats.rssi : null;
  return [
    ['Rate', on ? fps(stats.fps) : '–'],
    ['Size', tile.pixels || '–'],
    ['Delay', on && tile.delay >= 0 ? `${Math.round(tile.delay)} ms` : '–', 'from the bridge to this screen'],
    ['Data', on ? `${bytes(stats.bytes_per_second)}/s` : '–'],
    ['Picture', stats.frame_size > 0 && bytes(stats.frame_size)],
    ['Signal', wifi !== null && `${wifi} dBm`.replace('-', '−'), wifi !== null ? signal(wifi).word : ''],
    ['Viewers', String(stats.viewers)],
    ['Running for', typeof stats.uptime_s === 'number' && on && span(stats.uptime_s * 1000)],
    ['Free memory', typeof stats.heap_free === 'number' && on && bytes(stats.heap_free)],
  ];
}

/** @param {Camera} camera @returns {Pair[]} */
function about({ id, room, dialect, address, device, stats, source }) {
  const dropped = Object.entries(stats.dropped ?? {}).map(([reason, n]) => `${n} ${reason.replaceAll('_', ' ')}`);
  return [
    ['Id', id],
    ['Room', room !== id && room],
    ['Speaks', dialect],
    ['Address', address],
    ['Board', device?.board],
    ['Sensor', device?.sensor],
    ['Firmware', device?.firmware],
    ['MAC', device?.mac],
    ['Last start', device?.reset],
    ['Temperature', typeof stats.temperature === 'number' && `${stats.temperature} °C`],
    ['Not shown', dropped.join(', ')],
    ['Configured in', source],
  ];
}

/** pairs fills a description list, keeping elements that are already right. @param {HTMLElement} list @param {Pair[]} all */
function pairs(list, all) {
  const shown = all.filter(([, text]) => text);
  const titles = shown.map(([title]) => title).join();
  if (list.dataset.titles !== titles) {
    list.dataset.titles = titles;
    fill(list, ...shown.map(([title]) => h('div', null, h('dt', null, title), h('dd'))));
  }
  shown.forEach(([, text, more], i) => {
    const dd = /** @type {HTMLElement} */ (list.children[i]?.lastElementChild);
    setText(dd, String(text));
    dd.title = more ?? '';
  });
}

customElements.define('espcam-panel', Panel);
