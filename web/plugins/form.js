/**
 * The settings of one plugin, as it declared them. Only what a person changed is
 * sent, all of it at once. A secret is never shown: its box is empty, and beside
 * it stands whether there is one.
 */
import { h, fill, setAttribute, setText } from '../lib/dom.js';
import { control, faults, hint, read, shown, titleOf } from './values.js';

/** @typedef {import('../net/types.js').Plugin} Plugin */
/** @typedef {import('../net/types.js').PluginField} Field */

/**
 * @typedef {object} Control   what a person changes
 * @property {HTMLElement} element
 * @property {() => string} text
 * @property {(text: string) => void} set
 *
 * @typedef {object} Row
 * @property {Field} field
 * @property {Control} control
 * @property {HTMLElement} element
 * @property {HTMLElement} fault
 * @property {HTMLElement} standing   of a secret: whether it is set
 * @property {HTMLButtonElement} clear  of a secret
 * @property {string} known           as the bridge has it
 * @property {boolean} cleared        of a secret: it shall be taken back
 */

export class SettingsForm extends HTMLElement {
  #shape = '';
  /** @type {Row[]} */ #rows = [];
  #body = h('div', { class: 'fields' });
  #fault = h('p', { class: 'note fault', role: 'alert' });
  #save = h('button', { type: 'submit', class: 'strong' }, 'Save');
  #undo = h('button', { type: 'button', class: 'quiet', on: { click: () => this.undo() } }, 'Undo changes');
  #buttons = h('div', { class: 'buttons' }, this.#save, this.#undo);
  #form = h('form', { novalidate: true }, this.#body, this.#fault, this.#buttons);

  /**
   * @param {object} page
   * @param {(settings: Record<string, unknown>) => Promise<import('../net/api.js').Answer<Plugin>>} page.save
   * @param {(plugin: Plugin, back: string[]) => void} page.onsaved  back: titles of those that are now as the configuration file says
   */
  constructor(page) {
    super();
    this.page = page;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#form.addEventListener('input', () => this.#mark());
    this.append(this.#form);
  }

  /** Whether something was changed and not saved. */
  get dirty() {
    return this.#rows.some(changed);
  }

  /** update shows what the bridge has, but for what a person is changing. @param {Plugin} plugin */
  update(plugin) {
    const shape = JSON.stringify([plugin.fields, plugin.source]);
    if (shape !== this.#shape) this.#build(plugin);
    this.#shape = shape;
    for (const row of this.#rows) {
      const { field } = row;
      if (field.secret) {
        this.#stand(row, plugin.secrets.includes(field.name));
        continue;
      }
      const before = row.known;
      row.known = shown(field, plugin.settings[field.name] ?? (field.type === 'boolean' ? field.default ?? false : null));
      if (row.control.text() === before) row.control.set(row.known);
    }
    this.#mark();
  }

  /** undo shows again what the bridge has. */
  undo() {
    for (const row of this.#rows) {
      row.control.set(row.known);
      row.cleared = false;
      if (row.field.secret) this.#stand(row, row.standing.dataset.set === 'true');
    }
    this.#show(new Map());
    this.#mark();
  }

  /** @param {Plugin} plugin */
  #build(plugin) {
    this.#rows = plugin.fields.map((field) => this.#row(field, plugin));
    fill(this.#body, ...this.#rows.map(({ element }) => element), plugin.fields.length === 0 && h('p', { class: 'note' }, 'This plugin has not said which settings it has.'));
  }

  /** @param {Field} field @param {Plugin} plugin @returns {Row} */
  #row(field, { instance, source, settings }) {
    const id = `plugin-${instance}-${field.name}`;
    const note = h('p', { class: 'note', id: `${id}-note` }, field.file_only ? `Only the configuration file sets this${source ? `: ${source}` : ''}. ${hint(field)}` : hint(field));
    const fault = h('p', { class: 'note fault', id: `${id}-fault` });
    const standing = h('span', { class: 'standing-of', id: `${id}-standing`, hidden: !field.secret });
    const clear = h('button', { type: 'button', class: 'quiet', hidden: true }, 'Clear');
    const kind = control(field, settings[field.name]);
    const made = controls[kind](field, id);
    setAttribute(made.element, 'aria-describedby', [field.secret && standing.id, note.id, fault.id].filter(Boolean).join(' '));
    setAttribute(made.element, 'aria-required', field.required && !field.file_only ? 'true' : null);
    const need = field.required && !field.file_only && h('span', { class: 'need' }, 'needed');
    const head = h('div', { class: 'head' }, h('label', { for: id, id: `${id}-label` }, titleOf(field)), need, standing, clear, kind === 'switch' && made.element);
    const element = h('div', { class: 'field', 'data-field': field.name }, head, kind !== 'switch' && made.element, note, fault);
    /** @type {Row} */
    const row = { field, control: made, element, fault, standing, clear, known: made.text(), cleared: false };
    clear.addEventListener('click', () => {
      row.cleared = !row.cleared;
      row.control.set('');
      this.#stand(row, true);
      this.#mark();
    });
    return row;
  }

  /** stand says how it is with a secret. @param {Row} row @param {boolean} set */
  #stand({ standing, clear, cleared, field }, set) {
    standing.dataset.set = String(set);
    setText(standing, cleared ? 'will be cleared' : set ? 'set' : 'not set');
    clear.hidden = !set || field.file_only === true || field.required === true;
    setText(clear, cleared ? 'Keep' : 'Clear');
    setAttribute(clear, 'aria-label', `${cleared ? 'Keep' : 'Clear'} ${titleOf(field)}`);
  }

  #mark() {
    const dirty = this.dirty;
    this.#save.disabled = !dirty;
    this.#undo.hidden = !dirty;
    this.#buttons.hidden = this.#rows.every(({ field }) => field.file_only);
    for (const row of this.#rows) row.element.classList.toggle('changed', changed(row));
  }

  async #submit() {
    /** @type {Map<string, string>} */
    const wrong = new Map();
    /** @type {Record<string, unknown>} */
    const settings = {};
    for (const row of this.#rows.filter(changed)) {
      const reading = row.cleared ? { value: null } : read(row.field, row.control.text());
      if (reading.problem !== undefined) wrong.set(row.field.name, reading.problem);
      else settings[row.field.name] = reading.value;
    }
    this.#show(wrong);
    if (wrong.size > 0 || Object.keys(settings).length === 0) return;
    this.#save.disabled = true;
    const sent = this.#rows.map((row) => /** @type {const} */ ([row, row.control.text()]));
    const answer = await this.page.save(settings);
    if (answer.kind !== 'ok') {
      this.#show(faults(answer.fault, this.#rows.map(({ field }) => field)));
      return this.#mark();
    }
    for (const [row, text] of sent) { // what was typed meanwhile stays
      row.cleared = false;
      if (!row.field.secret) row.known = text;
      else if (row.control.text() === text) row.control.set('');
    }
    const { settings: now, secrets } = answer.me;
    const back = this.#rows.filter(({ field: { name } }) => settings[name] === null && (secrets.includes(name) || (now[name] ?? null) !== null));
    this.page.onsaved(answer.me, back.map(({ field }) => titleOf(field)));
  }

  /** show puts what is wrong where it is, and the focus on the first of it. @param {Map<string, string>} wrong by setting */
  #show(wrong) {
    setText(this.#fault, wrong.get('') ?? '');
    for (const { field, fault, control: { element } } of this.#rows) {
      const problem = wrong.get(field.name) ?? '';
      setText(fault, problem);
      setAttribute(element, 'aria-invalid', problem ? 'true' : null);
    }
    this.#rows.find(({ field }) => wrong.has(field.name))?.control.element.focus();
  }
}

/** changed says whether a person changed a setting. @param {Row} row */
function changed({ field, control: { text }, known, cleared }) {
  return field.file_only !== true && (cleared || text() !== (field.secret ? '' : known));
}

/** @type {Record<ReturnType<typeof control>, (field: Field, id: string) => Control>} */
const controls = {
  text({ name, type, example, file_only: file }, id) {
    const numeric = type === 'integer' || type === 'number';
    return box(h('input', { type: 'text', id, name, placeholder: file ? null : example, readonly: file, inputmode: numeric ? 'decimal' : null, autocomplete: 'off', spellcheck: 'false' }));
  },

  secret({ name }, id) {
    return box(h('input', { type: 'password', id, name, autocomplete: 'new-password', spellcheck: 'false' }));
  },

  lines({ name, file_only: file }, id) {
    return box(h('textarea', { id, name, rows: 3, readonly: file, spellcheck: 'false' }));
  },

  select({ name, choices, default: usual, required }, id) {
    const none = h('option', { value: '' }, usual !== undefined && usual !== null ? `as usual: ${usual}` : required ? 'choose …' : 'none');
    const select = h('select', { id, name }, none, ...(choices ?? []).map((choice) => h('option', { value: choice }, choice)));
    return { element: select, text: () => select.value, set: (text) => (text && !choices?.includes(text) && select.append(h('option', { value: text }, text)), (select.value = text)) };
  },

  switch({ name }, id) {
    const button = h('button', { type: 'button', role: 'switch', class: 'switch', id, name, 'aria-checked': 'false', 'aria-labelledby': `${id}-label` }, h('i'));
    button.addEventListener('click', () => {
      setAttribute(button, 'aria-checked', String(button.getAttribute('aria-checked') !== 'true'));
      button.dispatchEvent(new Event('input', { bubbles: true }));
    });
    return { element: button, text: () => String(button.getAttribute('aria-checked')), set: (text) => setAttribute(button, 'aria-checked', text === 'true' ? 'true' : 'false') };
  },
};

/** @param {HTMLInputElement | HTMLTextAreaElement} element @returns {Control} */
function box(element) {
  return { element, text: () => element.value, set: (text) => void (element.value !== text && (element.value = text)) };
}

customElements.define('espcam-plugin-form', SettingsForm);
