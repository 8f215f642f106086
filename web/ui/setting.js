/**
 * One setting of one camera, as a slider, switch, select or text field, with a
 * mark that says how it stands: on its way, taken, refused, or wanted but not
 * yet in force. What is shown after a refusal is again what the camera has.
 */
import { h, setAttribute, setText, fill } from '../lib/dom.js';
import { Pace } from '../lib/pace.js';
import { say, standing, widget } from '../lib/setting.js';
import { frameSize } from '../lib/format.js';
import { icon } from './icons.js';

/** @typedef {import('../net/types.js').Camera} Camera */
/** @typedef {import('../net/types.js').Property} Property */
/** @typedef {import('../net/types.js').Value} Value */
/** @typedef {import('../net/link.js').Result} Result */

/**
 * @typedef {object} Field   what a person moves
 * @property {HTMLElement} element
 * @property {(value: Value | undefined) => void} set
 * @property {boolean} [wide]   it has a line of its own
 */

const interval = 100; // ms between two commands of one control
const praise = 4000; // ms that a confirmation stays

export class Setting extends HTMLElement {
  #mark = h('span', { class: 'mark-of' });
  #said = h('output', { class: 'value' });
  #note = h('p', { class: 'note', 'aria-live': 'polite' });
  #reset = h('button', { type: 'button', class: 'quiet round reset', title: 'Back to the default', hidden: true, on: { click: () => this.push(null) } }, icon('undo'));
  /** @type {Pace<Value | null>} */ #pace;
  /** @type {Field} */ #field;
  /** @type {Camera} */ #camera;
  /** What was known when the newest value was pushed. @type {Camera | undefined} */ #before;
  #calm = 0;
  #fault = '';
  /** The camera gave no answer: what was asked for may stay wanted. */
  #unanswered = false;

  /**
   * @param {Property} property
   * @param {Camera} camera
   * @param {(value: Value | null) => Promise<Result>} send  null: back to the default
   * @param {object} [other]  kinds of settings than the camera's own
   * @param {(camera: Camera) => Value | undefined} [other.read]  what is in force
   * @param {string} [other.prefix]   of the elements' ids
   * @param {Value} [other.usual]     the default: there is a button that leads back to it
   */
  constructor(property, camera, send, { read, prefix = 'setting', usual } = {}) {
    super();
    this.property = property;
    this.usual = usual;
    this.standing = read ? (/** @type {Camera} */ of) => ({ value: read(of), wanted: undefined }) : (/** @type {Camera} */ of) => standing(of, property.name);
    this.#camera = camera;
    this.dataset.setting = property.name;
    this.#pace = new Pace(interval, async (value) => this.#settle(await send(value)));
    const id = `${prefix}-${property.name}`;
    this.#field = fields[widget(property)](property, id, (value) => this.push(value));
    setAttribute(this.#reset, 'aria-label', `${property.title}: back to the default`);
    this.#note.id = `${id}-note`;
    this.#field.element.setAttribute('aria-describedby', this.#note.id);
    this.classList.toggle('wide', this.#field.wide === true);
    const label = h('label', { for: id, id: `${id}-label` }, property.title);
    this.#said.setAttribute('for', id);
    this.append(h('div', { class: 'head' }, label, this.#mark, usual !== undefined && this.#reset, this.#field.wide ? this.#said : this.#field.element), this.#field.wide ? this.#field.element : '', this.#note);
    this.update(camera);
  }

  /** update shows what the camera says, unless a person is just changing it. @param {Camera} camera */
  update(camera) {
    this.#camera = camera;
    if (this.dataset.mark === 'pending') return;
    const { value, wanted } = this.standing(camera);
    this.#reset.hidden = value === this.usual;
    this.#field.set(value);
    setText(this.#said, this.#words(value));
    if (this.#unanswered && wanted !== undefined) this.#excuse();
    const waits = wanted === undefined ? '' : `Wanted: ${say(this.property, wanted)}. The camera has not taken it yet.`;
    setText(this.#note, this.#fault || waits || hintOf(this.property));
    this.#note.classList.toggle('fault', this.#fault !== '');
    if (!this.dataset.mark && waits) this.#show('wanted');
    if (this.dataset.mark === 'wanted' && !waits) this.#show('');
  }

  /** push sends a value as soon as may be. @param {Value | null} value */
  push(value) {
    clearTimeout(this.#calm);
    this.#fault = '';
    setText(this.#said, this.#words(value ?? this.usual));
    this.#show('pending');
    this.#before = this.#camera;
    this.#pace.push(value);
  }

  /** excuse takes a refusal back: the bridge keeps asking the camera. */
  #excuse() {
    this.#unanswered = false;
    this.#fault = '';
    this.#show('');
  }

  /** @param {Result} result of one command; more may be waiting */
  #settle(result) {
    if (this.#pace.waiting) return;
    this.#unanswered = !result.ok && result.error.code === 'timeout';
    this.#fault = result.ok ? '' : result.error.message;
    this.#show(result.ok ? 'confirmed' : 'refused');
    // The answer may be here before the news of what holds now: until then the old value stays away.
    if (!result.ok || this.#camera !== this.#before) this.update(this.#camera);
    if (result.ok) this.#calm = setTimeout(() => (this.#show(''), this.update(this.#camera)), praise);
  }

  /** @param {'' | 'pending' | 'confirmed' | 'refused' | 'wanted'} mark */
  #show(mark) {
    if (this.dataset.mark === mark) return;
    this.dataset.mark = mark;
    setAttribute(this.#mark, 'title', titles[mark]);
    fill(this.#mark, ...(mark === 'confirmed' ? [icon('check')] : mark === 'refused' ? [icon('warn')] : mark === 'wanted' ? [icon('clock')] : []));
  }

  /** @param {Value | undefined} value */
  #words(value) {
    return say(this.property, value);
  }
}

const titles = { '': null, pending: 'on its way', confirmed: 'the camera has it', refused: 'refused', wanted: 'not yet taken' };

/** @param {Property} property */
function hintOf({ hint }) {
  return hint ? hint[0]?.toUpperCase() + hint.slice(1) : '';
}

/** @type {Record<ReturnType<typeof widget>, (property: Property, id: string, push: (value: Value | null) => void) => Field>} */
const fields = {
  slider({ name, min, max }, id, push) {
    const input = h('input', { type: 'range', id, min, max, step: 1, name });
    const paint = () => {
      const at = [Math.max(min, Math.min(0, max)), Number(input.value)].map((value) => ((value - min) / (max - min || 1)) * 100).sort((a, b) => a - b);
      input.style.setProperty('--from', `${at[0]}%`);
      input.style.setProperty('--to', `${at[1]}%`);
    };
    input.addEventListener('input', () => (paint(), push(Number(input.value))));
    return { element: input, wide: true, set: (value) => ((input.value = String(value ?? min)), paint()) };
  },

  switch({ type, name }, id, push) {
    const button = h('button', { type: 'button', role: 'switch', class: 'switch', id, name, 'aria-checked': 'false', 'aria-labelledby': `${id}-label` }, h('i'));
    const isOn = () => button.getAttribute('aria-checked') === 'true';
    button.addEventListener('click', () => {
      button.setAttribute('aria-checked', String(!isOn()));
      push(type === 'bool' ? isOn() : Number(isOn()));
    });
    return { element: button, set: (value) => button.setAttribute('aria-checked', String(value === true || Number(value) > 0)) };
  },

  select({ options, name, words: known }, id, push) {
    const words = (/** @type {string} */ option) => known?.[option] ?? (name === 'framesize' ? frameSize(option) : option);
    const select = h('select', { id, name }, ...(options ?? []).map((option) => h('option', { value: option }, words(option))));
    select.addEventListener('change', () => push(select.value));
    return { element: select, set: (value) => (select.value = String(value ?? '')) };
  },

  number({ min, max, name, empty }, id, push) {
    const input = h('input', { type: 'number', id, name, min, max, step: 'any', placeholder: empty, inputmode: 'decimal' });
    input.addEventListener('change', () => (input.value !== '' ? push(Number(input.value)) : empty && push(null)));
    return { element: input, set: (value) => document.activeElement === input || (input.value = String(value ?? '')) };
  },

  text({ max, name }, id, push) {
    const input = h('input', { type: 'text', id, name, maxlength: max, autocomplete: 'off', spellcheck: 'false' });
    input.addEventListener('change', () => push(input.value));
    return { element: input, wide: true, set: (value) => document.activeElement === input || (input.value = String(value ?? '')) };
  },
};

customElements.define('espcam-setting', Setting);
