/**
 * The panel's side of drawing zones and masks: what there is, names, points as
 * numbers, and Save, which is there only when all is right.
 */
import { h, fill, setText } from '../lib/dom.js';
import { confirm } from '../ui/dialog.js';
import { icon } from '../ui/icons.js';
import { Draft } from './draft.js';
import { Editor } from './editor.js';
import { fewest } from './polygon.js';

/** @typedef {import('../net/types.js').Polygon} Polygon */
/** @typedef {import('../net/link.js').Result} Result */

/** @type {Polygon} what an area begins as that is not drawn by hand */
const start = [[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7]];

const hints = {
  none: 'Add a zone to know where something moves, or a mask where motion shall not count. Or tap one in the picture.',
  drawing: 'Tap the corners in the picture, one after the other; then the first one again, or Done.',
  chosen: 'Tap where the point shall be, drag it, or use the arrow keys (with Shift: larger steps).',
  shape: 'Drag a point, or choose one and tap its new place. The small ones between add a point.',
};

export class Areas extends HTMLElement {
  #list = h('ul', { class: 'areas', role: 'list' });
  #hint = h('p', { class: 'note' });
  #said = h('p', { class: 'note fault', role: 'status', id: 'areas-problem' });
  #name = h('input', { type: 'text', id: 'area-name', maxlength: 32, autocomplete: 'off', spellcheck: 'false' });
  #nameLine = h('div', { class: 'area-name' }, h('label', { for: 'area-name' }, 'Name'), this.#name);
  #numbers = h('ol', { class: 'numbers' });
  #more = h('button', { type: 'button', class: 'quiet' }, icon('plus'), 'Point');
  #table = h('details', null, h('summary', null, 'Points as numbers'), this.#numbers, this.#more);
  #done = h('button', { type: 'button', hidden: true }, icon('check'), 'Done');
  #square = h('button', { type: 'button', class: 'quiet', hidden: true }, 'Begin with a rectangle');
  #undo = h('button', { type: 'button', class: 'quiet' }, icon('undo'), 'Undo');
  #save = h('button', { type: 'button', class: 'strong', 'aria-describedby': 'areas-problem' }, 'Save');
  #adds = /** @type {const} */ (['zone', 'ignore']).map((kind) => {
    const button = h('button', { type: 'button' }, icon('plus'), kind === 'zone' ? 'Zone' : 'Mask');
    button.addEventListener('click', () => this.#act(() => this.#draft.add(kind)));
    return { kind, button };
  });
  #draft;
  #editor;
  #fault = '';

  /**
   * @param {object} page
   * @param {import('../net/types.js').MotionSettings} page.settings
   * @param {() => number} page.aspect
   * @param {(motion: Record<string, unknown>) => Promise<Result>} page.save
   * @param {() => void} page.onclose
   */
  constructor(page) {
    super();
    this.page = page;
    this.#draft = new Draft(page.settings);
    this.#editor = new Editor(this.#draft, page.aspect, (said) => this.#update(said));
    this.layer = this.#editor.element;
    this.#name.addEventListener('input', () => this.#act(() => this.#draft.rename(this.#name.value)));
    this.#done.addEventListener('click', () => this.#act(() => this.#draft.finish()));
    this.#square.addEventListener('click', () => this.#rectangle());
    this.#undo.addEventListener('click', () => this.#act(() => this.#draft.undo()));
    this.#more.addEventListener('click', () => this.#act(() => this.#draft.insert((this.#draft.area?.points.length ?? 0) - 1)));
    this.#save.addEventListener('click', () => void this.#send());
    const cancel = h('button', { type: 'button', on: { click: () => void this.#cancel() } }, 'Cancel');
    this.append(
      h('div', { class: 'adds' }, ...this.#adds.map(({ button }) => button), this.#undo),
      this.#list,
      this.#nameLine,
      this.#hint,
      h('div', { class: 'adds' }, this.#done, this.#square),
      this.#said,
      h('div', { class: 'buttons' }, cancel, this.#save),
      this.#table,
    );
    this.#update();
    this.#editor.update();
  }

  /** mayClose asks, if there is something to lose. */
  async mayClose() {
    return !this.#draft.changed || confirm({ title: 'Leave without saving?', text: 'The zones and masks that you changed are not saved.', yes: 'Discard' });
  }

  /** Whether there is something to lose. */
  get changed() {
    return this.#draft.changed;
  }

  /** reshape fits the drawing to a picture of another shape. */
  reshape() {
    this.#editor.update();
  }

  async #cancel() {
    if (await this.mayClose()) this.page.onclose();
  }

  async #send() {
    this.#draft.finish();
    this.#save.disabled = true;
    const result = await this.page.save(this.#draft.settings());
    this.#fault = result.ok ? '' : result.error.message;
    if (result.ok) {
      this.#draft.saved();
      this.page.onclose();
    } else this.#update();
  }

  /** @param {() => void} action on the draft */
  #act(action) {
    action();
    this.#editor.update();
    this.#update();
  }

  /** rectangle replaces the empty area that was just begun. */
  #rectangle() {
    const kind = this.#draft.area?.kind ?? 'zone';
    this.#act(() => {
      this.#draft.undo();
      this.#draft.add(kind, start);
      this.#draft.point = 0;
    });
    this.#editor.focus();
  }

  /** @param {string} [said] why something was not done */
  #update(said = '') {
    const { area, drawing, point } = this.#draft;
    if (said === '' && this.#draft.changed && !this.#draft.problem()) said = this.#fault;
    const problem = drawing ? '' : this.#draft.problem();
    const crossed = drawing && (area?.points.length ?? 0) > fewest ? this.#draft.problem() : '';
    setText(this.#said, said || problem || crossed);
    setText(this.#hint, hints[!area ? 'none' : drawing ? 'drawing' : point >= 0 ? 'chosen' : 'shape']);
    this.#done.hidden = !drawing || (area?.points.length ?? 0) < fewest;
    this.#square.hidden = !drawing || (area?.points.length ?? 0) > 0;
    this.#undo.disabled = !this.#draft.undoable;
    this.#save.disabled = !this.#draft.changed || drawing || problem !== '';
    for (const { kind, button } of this.#adds) button.disabled = drawing || !this.#draft.mayAdd(kind);
    this.#nameLine.hidden = area?.kind !== 'zone';
    if (area && this.#name.value !== area.name) this.#name.value = area.name;
    this.#showList();
    this.#showNumbers();
  }

  #showList() {
    const { areas, selected } = this.#draft;
    const key = JSON.stringify([areas.map(({ kind, name }) => [kind, name]), selected]);
    if (this.#list.dataset.key === key) return;
    this.#list.dataset.key = key;
    const focused = document.activeElement?.closest('.areas li');
    const at = focused ? [...this.#list.children].indexOf(focused) : -1;
    fill(this.#list, ...areas.map(({ kind }, i) => this.#row(i, kind, i === selected)));
    if (at >= 0) this.#list.children[Math.min(at, areas.length - 1)]?.querySelector('button')?.focus();
  }

  /** @param {number} i @param {string} kind @param {boolean} selected */
  #row(i, kind, selected) {
    const title = this.#draft.titleOf(i);
    const pick = h('button', { type: 'button', class: 'quiet pick', 'aria-pressed': String(selected), on: { click: () => this.#act(() => this.#draft.select(selected ? -1 : i)) } }, h('i', { class: kind }), title, h('span', { class: 'unseen' }, kind === 'zone' ? ' (zone)' : ''));
    const bin = h('button', { type: 'button', class: 'quiet round', 'aria-label': `Delete ${title}`, title: `Delete ${title}` }, icon('bin'));
    bin.addEventListener('click', () => this.#act(() => (this.#draft.select(i), this.#draft.remove())));
    return h('li', null, pick, bin);
  }

  #showNumbers() {
    const { area, drawing } = this.#draft;
    this.#table.hidden = !area || drawing;
    const points = area && !drawing ? area.points : [];
    if (this.#numbers.children.length !== points.length) fill(this.#numbers, ...points.map((_, i) => this.#numberRow(i)));
    points.forEach((point, i) => {
      const inputs = this.#numbers.children[i]?.querySelectorAll('input') ?? [];
      inputs.forEach((input, axis) => {
        const text = String(Math.round((point[axis] ?? 0) * 1000) / 10);
        if (document.activeElement !== input && input.value !== text) input.value = text;
      });
    });
  }

  /** @param {number} i */
  #numberRow(i) {
    const inputs = ['left', 'top'].map((from) => h('input', { type: 'number', min: 0, max: 100, step: 'any', 'aria-label': `Point ${i + 1}, % from the ${from}` }));
    const change = () => {
      const [x, y] = inputs.map(({ value }) => Number(value) / 100);
      if (inputs.every(({ value }) => value !== '')) this.#act(() => this.#draft.move(i, [x ?? 0, y ?? 0]));
    };
    for (const input of inputs) input.addEventListener('change', change);
    const bin = h('button', { type: 'button', class: 'quiet round', 'aria-label': `Remove point ${i + 1}`, on: { click: () => this.#removePoint(i) } }, icon('close'));
    return h('li', null, ...inputs, h('span', { 'aria-hidden': 'true' }, '%'), bin);
  }

  /** @param {number} i */
  #removePoint(i) {
    const done = this.#draft.removePoint(i);
    this.#editor.update();
    this.#update(done ? '' : `${fewest} points are the fewest: delete the whole area instead.`);
  }
}


customElements.define('espcam-areas', Areas);
