/**
 * The events that are listed: pages fetched from the newest to older ones, and
 * what the bridge tells meanwhile. Newest first, each once.
 */

/** @typedef {import('../net/types.js').MotionEvent} MotionEvent */
/** @typedef {import('../ui/route.js').Filter} Filter */
/** @typedef {{ok: true, items: MotionEvent[], next: string} | {ok: false, message: string}} Page */

export class EventList {
  /** @type {MotionEvent[]} */
  events = [];
  /** @type {'loading' | 'ready' | 'failed'} */
  state = 'loading';
  /** Why it failed, in words. */
  fault = '';
  /** @type {Filter} */ #filter = {};
  #next = '';
  #asked = 0;

  /**
   * @param {(filter: Filter, before: string) => Promise<Page>} fetchPage must not reject
   * @param {() => void} onchange
   */
  constructor(fetchPage, onchange) {
    this.fetchPage = fetchPage;
    this.onchange = onchange;
  }

  /** True while there are older events than those listed. */
  get unfinished() {
    return this.#next !== '';
  }

  /** show begins anew with a filter. @param {Filter} filter */
  show(filter) {
    this.#filter = filter;
    this.events = [];
    this.#next = '';
    return this.#ask('', (page) => this.#begin(page));
  }

  /** more fetches the next page, or what failed again. */
  more() {
    if (this.state === 'loading') return Promise.resolve();
    if (this.events.length === 0) return this.show(this.#filter);
    return this.#ask(this.#next, ({ items, next }) => {
      this.#merge(items);
      this.#next = next;
    });
  }

  /** refresh looks for what happened while the bridge was out of reach. */
  refresh() {
    if (this.state === 'loading') return Promise.resolve();
    return this.#ask('', (page) => {
      const newest = this.events[0]?.id ?? '';
      const oldest = page.items.at(-1)?.id ?? '';
      if (page.next === '' || oldest > newest) return this.#begin(page);
      this.#merge(page.items);
    });
  }

  /** put takes the newest state of one event. @param {MotionEvent} event */
  put(event) {
    const known = this.find(event.id);
    const belowAll = this.unfinished && event.id < (this.events.at(-1)?.id ?? '');
    if (this.state === 'loading' && !known) return;
    if (!known && (belowAll || !fits(event, this.#filter))) return;
    this.#merge([event]);
    this.onchange();
  }

  /** @param {string} id */
  find(id) {
    return this.events.find((event) => event.id === id);
  }

  /** @param {{items: MotionEvent[], next: string}} page */
  #begin({ items, next }) {
    this.events = [];
    this.#merge(items);
    this.#next = next;
  }

  /** @param {MotionEvent[]} events */
  #merge(events) {
    const all = new Map(this.events.map((event) => [event.id, event]));
    for (const event of events) all.set(event.id, { ...all.get(event.id), ...event });
    this.events = [...all.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  }

  /** @param {string} before @param {(page: {items: MotionEvent[], next: string}) => void} take */
  async #ask(before, take) {
    const mine = ++this.#asked;
    this.state = 'loading';
    this.onchange();
    const page = await this.fetchPage(this.#filter, before);
    if (mine !== this.#asked) return;
    if (page.ok) take(page);
    this.state = page.ok ? 'ready' : 'failed';
    this.fault = page.ok ? '' : page.message;
    this.onchange();
  }
}

/** fits says whether an event passes a filter as the bridge understands it. @param {MotionEvent} event @param {Filter} filter */
export function fits(event, { camera, zone, label }) {
  return (
    (!camera || camera.split(',').includes(event.camera)) &&
    (!zone || (event.zones ?? []).includes(zone)) &&
    (!label || (event.labels ?? []).some((found) => found.label === label))
  );
}
