/**
 * What the page shows, as the part of the address after the # says, so that
 * Back and bookmarks work:
 *
 *     #/porch                      that camera enlarged
 *     #/events?camera=porch        the events, filtered
 *     #/events/0d7k2m4p6r8s1       one event, in the list that Back leads to
 *     #/plugins                    the plugins
 *     #/camera/events              a camera that has the bad luck to be called so
 */
import { Signal } from '../lib/signal.js';

/** @typedef {Record<string, string>} Filter   camera, zone, label */

/**
 * @typedef {object} Place
 * @property {string | null} camera   that is enlarged
 * @property {{id: string | null, filter: Filter} | null} events
 * @property {boolean} plugins
 */

const filters = ['camera', 'zone', 'label'];

export class Route {
  #place = new Signal(read(location.hash));
  #state = history.state;
  #address = location.hash;
  /** Asks whether what is not saved may be lost; null while all is saved. @type {(() => Promise<boolean>) | null} */
  guard = null;

  constructor() {
    window.addEventListener('popstate', () => void this.#moved());
    window.addEventListener('hashchange', () => void this.#moved());
  }

  get camera() {
    return this.#place.value.camera;
  }

  get events() {
    return this.#place.value.events;
  }

  get plugins() {
    return this.#place.value.plugins;
  }

  /** @param {() => void} watcher */
  watch(watcher) {
    return this.#place.watch(watcher);
  }

  /** go enlarges a camera; from one to another is not a step back. @param {string} camera */
  go(camera) {
    return this.open(cameraAddress(camera));
  }

  /** open shows what an address of this page says. @param {string} address */
  async open(address) {
    if (!(await this.#mayLeave())) return;
    const sameKind = kind(read(address)) === kind(this.#place.value);
    if (sameKind) history.replaceState(history.state, '', address);
    else history.pushState({ stepped: true }, '', address);
    this.#show();
  }

  /** back shows what is above: all cameras, or the list that an event is in. */
  async back() {
    const { camera, events, plugins } = this.#place.value;
    if ((camera === null && events === null && !plugins) || !(await this.#mayLeave())) return;
    if (history.state?.stepped) return history.back();
    history.replaceState(null, '', events?.id ? eventsAddress(events.filter) : location.pathname + location.search);
    this.#show();
  }

  /** moved follows the browser, unless something is not saved: then it stays and asks. */
  async #moved() {
    const to = location.hash;
    if (to === this.#address) return;
    if (this.guard) {
      history.pushState(this.#state, '', this.#address || location.pathname + location.search);
      if (await this.#mayLeave()) void this.open(to || location.pathname + location.search);
    } else this.#show();
  }

  async #mayLeave() {
    if (this.guard && !(await this.guard())) return false;
    this.guard = null;
    return true;
  }

  #show() {
    this.#address = location.hash;
    this.#state = history.state;
    this.#place.value = read(location.hash);
  }
}

/** cameraAddress is that of one camera, enlarged. @param {string} camera */
export function cameraAddress(camera) {
  return `#/${camera === 'events' || camera === 'plugins' ? 'camera/' : ''}${camera}`;
}

/** eventsAddress is that of the list, or of one event in it. @param {Filter} filter @param {string} [id] */
export function eventsAddress(filter, id) {
  const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value)).toString();
  return `#/events${id ? `/${id}` : ''}${query ? `?${query}` : ''}`;
}

/** pluginsAddress is that of the plugins. */
export const pluginsAddress = '#/plugins';

/** @param {string} hash @returns {Place} */
function read(hash) {
  if (hash === pluginsAddress) return { camera: null, events: null, plugins: true };
  const found = /^#\/events(?:\/([0-9a-z]+))?(?:\?(.*))?$/.exec(hash);
  if (!found) return { camera: /^#\/(?:camera\/)?([a-z0-9][a-z0-9_-]*)$/.exec(hash)?.[1] ?? null, events: null, plugins: false };
  const query = new URLSearchParams(found[2] ?? '');
  const filter = Object.fromEntries(filters.map((name) => [name, query.get(name) ?? '']));
  return { camera: null, events: { id: found[1] ?? null, filter }, plugins: false };
}

/** kind tells places apart between which there is a step. @param {Place} place */
function kind({ camera, events, plugins }) {
  return plugins ? 'plugins' : events ? (events.id ? 'event' : 'events') : camera ? 'camera' : 'all';
}
