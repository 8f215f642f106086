/** The files that a plugin keeps for people, to download. They are asked for while the list is open. */
import { h, fill, setText } from '../lib/dom.js';
import { clock, bytes } from '../lib/format.js';
import { addressOf } from './source.js';

const again = 10_000; // ms until an open list is asked for again
const most = 500; // that the bridge lists

export class Files {
  #asked = 0;
  #count = h('span', { class: 'count', hidden: true });
  #list = h('ul', { role: 'list' });
  #note = h('p', { class: 'note', role: 'status' });
  element = h('details', { class: 'files', hidden: true }, h('summary', null, 'Files', this.#count), this.#list, this.#note);

  /** @param {string} instance @param {import('./source.js').Source} source */
  constructor(instance, source) {
    this.instance = instance;
    this.source = source;
    this.element.addEventListener('toggle', () => this.#follow());
  }

  /** update shows whether there are any. @param {boolean} any */
  update(any) {
    this.element.hidden = !any && !this.element.open;
    if (Date.now() - this.#asked > again) this.#follow();
  }

  /** follow asks for the list, if somebody looks at it. */
  async #follow() {
    if (!this.element.open) return;
    this.#asked = Date.now();
    const answer = await this.source.files(this.instance);
    if (answer.kind !== 'ok') return setText(this.#note, `${answer.fault.message}.`);
    const { items } = answer.me;
    this.#count.hidden = false;
    setText(this.#count, items.length < most ? String(items.length) : `${most}+`);
    setText(this.#note, items.length === 0 ? 'None any more.' : items.length < most ? '' : `The newest ${most} are shown.`);
    const key = JSON.stringify(items);
    if (this.#list.dataset.key === key) return;
    this.#list.dataset.key = key;
    fill(this.#list, ...items.map((file) => this.#line(file)));
  }

  /** @param {import('../net/types.js').PluginFile} file */
  #line({ name, size, changed }) {
    const link = h('a', { href: addressOf(this.instance, name), download: name.slice(name.lastIndexOf('/') + 1) }, name);
    return h('li', null, link, h('span', null, `${bytes(size)} · ${clock(Date.parse(changed))}`));
  }
}
