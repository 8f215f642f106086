/**
 * The panel's section on motion: how a camera's pictures are judged, what the
 * detector sees of them, and the areas that count or do not.
 */
import { h, fill, setText } from '../lib/dom.js';
import { Setting } from '../ui/setting.js';
import { icon } from '../ui/icons.js';
import { Areas } from './areas.js';
import { Drawing } from './drawing.js';
import { Draft } from './draft.js';
import { Preview } from './preview.js';
import { basic, change, expert, presets, read } from './settings.js';

/** @typedef {import('../net/types.js').Camera} Camera */
/** @typedef {import('../net/types.js').Value} Value */
/** @typedef {import('./settings.js').MotionField} MotionField */

export class MotionSection extends HTMLElement {
  #camera;
  #preview;
  #drawing = new Drawing();
  /** @type {Areas | null} while areas are edited */ #areas = null;
  #settings;
  #state = h('p', { class: 'note' });
  #show = h('button', { type: 'button', role: 'switch', class: 'switch', id: 'motion-show', 'aria-checked': 'false' }, h('i'));
  #count = h('p', { class: 'note' });
  #edit = h('button', { type: 'button', on: { click: () => this.#open() } }, icon('area'), 'Edit zones and masks');
  #editing = h('div', { hidden: true });
  #normal = h('div', { class: 'controls' });

  /**
   * @param {object} page
   * @param {import('../net/bridge.js').Bridge} page.bridge
   * @param {import('../net/api.js').Api} page.api
   * @param {import('../ui/route.js').Route} page.route
   * @param {import('../ui/toasts.js').Toasts} page.toasts
   * @param {Camera} page.camera
   * @param {import('../ui/tile.js').Tile} page.tile
   */
  constructor(page) {
    super();
    this.page = page;
    this.#camera = page.camera;
    this.#preview = new Preview(new URL(`api/v1/cameras/${page.camera.id}/motion.png`, page.api.base), page.tile.frame);
    this.#show.addEventListener('click', () => this.#toggle());
    const all = [...basic, ...expert];
    this.#settings = all.map((field) => this.#setting(field));
    const [enabled, sensitivity, ...others] = this.#settings;
    fill(
      this.#normal,
      this.#state,
      enabled,
      h('div', null, sensitivity, this.#marks(/** @type {Setting} */ (sensitivity))),
      h('div', { class: 'head' }, h('label', { for: 'motion-show' }, 'Show what it sees'), this.#show),
      this.#preview.element,
      ...others.slice(0, basic.length - 2),
      h('details', null, h('summary', null, 'For experts'), h('div', { class: 'controls' }, ...others.slice(basic.length - 2))),
      h('div', { class: 'zones' }, this.#count, this.#edit),
    );
    this.append(this.#normal, this.#editing);
  }

  /** update shows what the bridge says. @param {Camera} camera */
  update(camera) {
    this.#camera = camera;
    for (const setting of this.#settings) setting.update(camera);
    this.#preview.update(camera.motion?.detector);
    setText(this.#state, stateOf(camera));
    this.#state.hidden = this.#state.textContent === '';
    const { ignore, zones } = this.#areasOf();
    setText(this.#count, `${counted(Object.keys(zones).length, 'zone')}, ${counted(ignore.length, 'mask')}`);
    this.#edit.disabled = this.page.tile.pixels === '';
    if (this.#preview.on && !this.#areas) this.#drawing.show(new Draft({ ignore, zones }).areas, this.page.tile.aspect);
  }

  /** close takes everything off the picture. */
  close() {
    this.#preview.on = false;
    this.#show.setAttribute('aria-checked', 'false');
    this.#drawing.element.remove();
    this.#close();
  }

  #reshape = () => this.#areas?.reshape();

  /** @param {BeforeUnloadEvent} event */
  #warn = (event) => {
    if (this.#areas?.changed) event.preventDefault();
  };

  /** @param {MotionField} field */
  #setting(field) {
    const send = (/** @type {Value | null} */ value) => this.page.bridge.motion(this.#camera.id, change(field, value));
    return new Setting(field.property, this.#camera, send, { read: (camera) => read(field, camera.motion?.settings), prefix: 'motion', usual: field.usual });
  }

  /** marks are the presets below the slider of sensitivity. @param {Setting} sensitivity */
  #marks(sensitivity) {
    const buttons = presets.map(([word, value]) => h('button', { type: 'button', class: 'quiet', 'aria-label': `Sensitivity ${word}`, on: { click: () => sensitivity.push(value) } }, word));
    return h('div', { class: 'marks' }, ...buttons);
  }

  #toggle() {
    this.#preview.on = !this.#preview.on;
    this.#show.setAttribute('aria-checked', String(this.#preview.on));
    if (this.#preview.on) this.page.tile.frame.append(this.#drawing.element);
    else this.#drawing.element.remove();
    this.update(this.#camera);
  }

  #areasOf() {
    const { ignore, zones } = this.#camera.motion?.settings ?? {};
    return { ignore: ignore ?? [], zones: zones ?? {} };
  }

  /** open begins to edit the areas; other views are then guarded. */
  #open() {
    const { route, tile } = this.page;
    const areas = new Areas({
      settings: /** @type {import('../net/types.js').MotionSettings} */ (this.#areasOf()),
      aspect: () => tile.aspect,
      save: (motion) => this.#save(motion),
      onclose: () => {
        this.#close();
        this.#edit.focus();
      },
    });
    this.#areas = areas;
    this.#drawing.element.remove();
    tile.frame.append(areas.layer);
    tile.addEventListener('reshape', this.#reshape);
    window.addEventListener('beforeunload', this.#warn);
    fill(this.#editing, areas);
    this.#editing.hidden = false;
    this.#normal.hidden = true;
    route.guard = () => areas.mayClose();
  }

  /** @param {Record<string, unknown>} motion */
  async #save(motion) {
    const result = await this.page.bridge.motion(this.#camera.id, motion);
    if (result.ok) this.page.toasts.say('The zones and masks are saved.');
    return result;
  }

  /** close goes back from the areas to the settings. */
  #close() {
    if (!this.#areas) return;
    this.#areas.layer.remove();
    this.#areas = null;
    this.page.route.guard = null;
    this.page.tile.removeEventListener('reshape', this.#reshape);
    window.removeEventListener('beforeunload', this.#warn);
    fill(this.#editing);
    this.#editing.hidden = true;
    this.#normal.hidden = false;
    if (this.#preview.on) this.page.tile.frame.append(this.#drawing.element);
  }
}

/** @param {Camera} camera */
function stateOf({ motion }) {
  if (!motion?.settings.enabled) return '';
  if (motion.learning) return 'Learning what is normal here. No alarm until then.';
  return motion.active ? 'Something is moving.' : 'All is quiet.';
}

/** @param {number} n @param {string} what */
function counted(n, what) {
  return `${n === 0 ? 'no' : n} ${what}${n === 1 ? '' : 's'}`;
}

customElements.define('espcam-motion', MotionSection);
