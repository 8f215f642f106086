/**
 * The list of events, newest first, by local days, for all cameras or filtered,
 * and over it the one event that the address names. It follows what happens.
 */
import { h, fill, setAttribute, setText } from '../lib/dom.js';
import { icon } from '../ui/icons.js';
import { cameraAddress, eventsAddress } from '../ui/route.js';
import { Card } from './card.js';
import { Details } from './details.js';
import { EventList } from './list.js';
import { Source } from './source.js';
import { day } from './words.js';

/** @typedef {import('../net/types.js').MotionEvent} MotionEvent */

const titles = /** @type {Record<string, string>} */ ({ camera: 'Camera', zone: 'Zone', label: 'Seen' });
const settled = [1500, 6000]; // ms after an end, by when its files are on disk

export class Events extends HTMLElement {
  #list;
  #source;
  #details;
  /** @type {Map<string, Card>} */ #cards = new Map();
  /** @type {MotionEvent | null} that is shown large and not in the list */ #lone = null;
  #wanted = '';
  #shown = '';
  #days = h('div', { class: 'days' });
  #none = h('div', { class: 'none' });
  #more = h('button', { type: 'button', hidden: true, on: { click: () => void this.#list.more() } }, 'Older events');
  #fault = h('p', { role: 'alert', class: 'fault' });
  /** @type {Record<string, HTMLSelectElement>} */ #selects = Object.fromEntries(['camera', 'zone', 'label'].map((name) => [name, this.#select(name)]));
  #sight = new IntersectionObserver(([entry]) => entry?.isIntersecting && this.#list.state === 'ready' && void this.#list.more(), { rootMargin: '400px' });

  /**
   * @param {object} page
   * @param {import('../net/bridge.js').Bridge} page.bridge
   * @param {import('../net/api.js').Api} page.api
   * @param {import('../ui/route.js').Route} page.route
   */
  constructor(page) {
    super();
    this.page = page;
    this.#source = new Source(page.api.base);
    this.#list = new EventList((filter, before) => this.#source.page(filter, before), () => this.#render());
    this.#details = new Details({ source: this.#source, onclose: () => void page.route.back(), onstep: (by) => this.#step(by), onlive: (camera) => void page.route.go(camera) });
    const back = h('button', { type: 'button', class: 'quiet', 'aria-keyshortcuts': 'Escape', on: { click: () => void page.route.back() } }, icon('back'), 'Back');
    const selects = Object.entries(this.#selects).map(([name, select]) => h('label', null, h('span', { class: 'unseen' }, titles[name]), select));
    this.append(h('header', null, back, h('h2', null, 'Events'), h('div', { class: 'filters', role: 'group', 'aria-label': 'Show' }, ...selects)), this.#days, this.#none, this.#fault, h('p', { class: 'end' }, this.#more), this.#details.element);
    this.#sight.observe(this.#more);
    page.bridge.news.watch((news) => news && this.#hear(news.event));
    page.bridge.session.watch(({ known }) => known && this.#shown && void this.#list.refresh());
  }

  /** update shows what the address says, and what is true now. It is called often. */
  update() {
    const place = this.page.route.events;
    if (!place) return this.#showOne(null);
    const shown = JSON.stringify(place.filter);
    if (shown !== this.#shown) {
      this.#shown = shown;
      void this.#list.show(place.filter);
    }
    this.#options(place.filter);
    this.#times();
    this.#showOne(place.id);
  }

  /** @param {MotionEvent} told by the bridge, while the clip is still being written */
  #hear(told) {
    const event = { ...told, clip: false };
    if (this.#lone?.id === event.id) this.#lone = { ...this.#lone, ...event };
    this.#list.put(event);
    if (!event.end) return;
    for (const ms of settled) setTimeout(() => void this.#look(event.id), ms);
  }

  /** look asks for the files of an event that has just ended. @param {string} id */
  async #look(id) {
    const known = this.#known(id);
    if (!known || (known.picture && known.clip)) return;
    const { event } = await this.#source.one(id);
    if (!event) return;
    if (this.#lone?.id === id) this.#lone = event;
    if (this.#list.find(id)) this.#list.put(event);
    this.update();
  }

  /** @param {string} id */
  #known(id) {
    return this.#list.find(id) ?? (this.#lone?.id === id ? this.#lone : undefined);
  }

  /** showOne opens the event of the address, which may be older than the list reaches. @param {string | null} id */
  #showOne(id) {
    if (id === null) {
      if (this.#wanted) this.#details.close();
      const last = this.#wanted;
      this.#wanted = '';
      if (last) this.#cards.get(last)?.focus();
      return;
    }
    const event = this.#known(id);
    if (event) this.#open(event);
    else if (this.#wanted !== id && this.#list.state !== 'loading') void this.#fetch(id);
    if (event) this.#wanted = id;
  }

  /** @param {string} id */
  async #fetch(id) {
    this.#wanted = id;
    const { event, message } = await this.#source.one(id);
    if (this.page.route.events?.id !== id) return;
    this.#lone = event;
    if (event) this.#open(event);
    else this.#details.fail(`This event cannot be shown: ${message}.`);
  }

  /** @param {MotionEvent} event */
  #open(event) {
    const at = this.#list.events.findIndex(({ id }) => id === event.id);
    this.#details.show(event, {
      name: this.#nameOf(event),
      live: cameraAddress(event.camera),
      newer: at > 0,
      older: at >= 0 && at < this.#list.events.length - 1,
      now: Date.now(),
    });
    if (at >= 0 && at === this.#list.events.length - 1 && this.#list.unfinished && this.#list.state === 'ready') void this.#list.more();
  }

  /** @param {number} by */
  #step(by) {
    const { events } = this.#list;
    const to = events[events.findIndex(({ id }) => id === this.page.route.events?.id) + by];
    if (to) this.#go(to.id);
  }

  /** @param {string} id */
  #go(id) {
    void this.page.route.open(eventsAddress(this.page.route.events?.filter ?? {}, id));
  }

  #render() {
    const { events, state, unfinished, fault } = this.#list;
    this.#sync(events);
    this.#more.hidden = !(unfinished || state === 'failed') || (state === 'loading' && events.length === 0);
    this.#more.disabled = state === 'loading';
    setText(this.#more, state === 'failed' ? 'Try again' : state === 'loading' ? 'Loading …' : 'Older events');
    setText(this.#fault, state === 'failed' ? `The events cannot be listed: ${fault}.` : '');
    this.#none.hidden = events.length > 0 || state === 'failed';
    if (!this.#none.hidden) this.#showNone(state === 'loading');
    this.update();
  }

  /** @param {boolean} loading */
  #showNone(loading) {
    const filtered = Object.values(this.page.route.events?.filter ?? {}).some(Boolean);
    const key = `${loading} ${filtered}`;
    if (this.#none.dataset.key === key) return;
    this.#none.dataset.key = key;
    if (loading) return fill(this.#none, h('p', { role: 'status' }, 'Loading …'));
    const all = h('button', { type: 'button', on: { click: () => void this.page.route.open(eventsAddress({})) } }, 'Show all events');
    fill(this.#none, icon('motion'), h('h3', null, filtered ? 'No such events' : 'Nothing has moved yet'), filtered ? all : h('p', null, 'When something moves in front of a camera, it is listed here with a picture and a clip.'));
  }

  /** sync gives each event its card, in its day; what is right stays untouched. @param {MotionEvent[]} events */
  #sync(events) {
    const gone = new Set(this.#cards.keys());
    /** @type {Map<string, HTMLElement[]>} */
    const days = new Map();
    for (const event of events) {
      gone.delete(event.id);
      const card = this.#cards.get(event.id) ?? new Card((id) => this.#go(id));
      this.#cards.set(event.id, card);
      this.#updateCard(card, event);
      const title = day(Date.parse(event.begin));
      days.set(title, [...(days.get(title) ?? []), card.element]);
    }
    for (const id of gone) {
      this.#cards.get(id)?.element.remove();
      this.#cards.delete(id);
    }
    const sections = new Map([...this.#days.children].map((section) => [section.querySelector('h3')?.textContent ?? '', section]));
    const wanted = [...days].map(([title, cards]) => {
      const section = sections.get(title) ?? h('section', null, h('h3', null, title), h('ul', { role: 'list' }));
      order(/** @type {Element} */ (section.lastElementChild), cards);
      return section;
    });
    order(this.#days, wanted);
  }

  /** @param {Card} card @param {MotionEvent} event */
  #updateCard(card, event) {
    const address = eventsAddress(this.page.route.events?.filter ?? {}, event.id);
    card.update(event, { name: this.#nameOf(event), address, picture: event.picture ? this.#source.picture(event).href : '', now: Date.now() });
  }

  /** times lets the durations of what goes on grow. */
  #times() {
    for (const event of this.#list.events) {
      const card = event.end ? null : this.#cards.get(event.id);
      if (card) this.#updateCard(card, event);
    }
  }

  /** @param {MotionEvent} event */
  #nameOf(event) {
    return this.page.bridge.cameras.value.get(event.camera)?.name || event.camera_name || event.camera;
  }

  /** @param {string} name */
  #select(name) {
    const select = h('select', { name });
    select.addEventListener('change', () => {
      const filter = { ...this.page.route.events?.filter, [name]: select.value };
      if (name === 'camera') filter.zone = '';
      void this.page.route.open(eventsAddress(filter));
    });
    return select;
  }

  /** options offers the cameras, the zones that they have and the labels that were seen. @param {Record<string, string>} filter */
  #options(filter) {
    const cameras = [...this.page.bridge.cameras.value.values()];
    const zones = cameras.filter(({ id }) => !filter.camera || id === filter.camera).flatMap(({ motion }) => Object.keys(motion?.settings?.zones ?? {}));
    const labels = this.#list.events.flatMap((event) => (event.labels ?? []).map(({ label }) => label));
    offer(this.#selects.camera, 'All cameras', filter.camera ?? '', cameras.map(({ id, name }) => [id, name || id]));
    offer(this.#selects.zone, 'All zones', filter.zone ?? '', zones.map((zone) => [zone, zone]));
    offer(this.#selects.label, 'Everything', filter.label ?? '', labels.map((label) => [label, label]));
  }
}

/** offer fills a select, and hides it when there is nothing to choose. @param {HTMLSelectElement | undefined} select @param {string} all @param {string} chosen @param {[string, string][]} some */
function offer(select, all, chosen, some) {
  if (!select) return;
  const choices = new Map([['', all], ...some.sort(([, a], [, b]) => a.localeCompare(b)), ...(chosen && !some.some(([value]) => value === chosen) ? [/** @type {[string, string]} */ ([chosen, chosen])] : [])]);
  const key = JSON.stringify([...choices]);
  if (select.dataset.choices !== key) {
    select.dataset.choices = key;
    fill(select, ...[...choices].map(([value, text]) => h('option', { value }, text)));
  }
  select.hidden = choices.size < 2;
  if (select.value !== chosen) select.value = chosen;
  setAttribute(select, 'data-set', chosen !== '');
}

/** order makes these the children of an element, moving as few as it can. @param {Element} parent @param {Element[]} children */
function order(parent, children) {
  children.forEach((child, i) => parent.children[i] !== child && parent.insertBefore(child, parent.children[i] ?? null));
  while (parent.children.length > children.length) parent.lastElementChild?.remove();
}

customElements.define('espcam-events', Events);
