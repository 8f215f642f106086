/** The strip that says that the bridge is away, and when the page tries again. */
import { h, setText } from '../lib/dom.js';

/** @typedef {import('../net/link.js').Link} Link */

export class Banner extends HTMLElement {
  #text = h('p', { role: 'status' });
  #count = h('span', { class: 'count' });
  #again = false;
  #timer = 0;

  /** @param {Link} link */
  constructor(link) {
    super();
    this.hidden = true;
    this.link = link;
    this.append(h('i', { class: 'spin' }), this.#text, this.#count, h('button', { type: 'button', on: { click: () => link.open() } }, 'Try now'));
    link.status.watch(() => this.#update());
  }

  /** The countdown is not part of the live region: nobody wants to hear it. */
  #update() {
    const { phase, fault, retryAt } = this.link.status.value;
    clearTimeout(this.#timer);
    if (phase === 'lost' || phase === 'late') this.#again = true;
    if (phase === 'open' || phase === 'denied') this.#again = false;
    this.hidden = !this.#again;
    if (phase === 'late') setText(this.#text, 'The bridge is not answering. The pictures are not live.');
    if (phase === 'lost') setText(this.#text, `No connection: ${fault?.message ?? 'the bridge is away'}. Trying again by itself.`);
    setText(this.#count, phase === 'lost' ? `in ${Math.max(0, Math.ceil((retryAt - Date.now()) / 1000))} s` : phase === 'connecting' ? 'now' : '');
    if (phase === 'lost') this.#timer = setTimeout(() => this.#update(), 500);
  }
}

customElements.define('espcam-banner', Banner);
