/**
 * Bridge is what the page knows of the bridge: its cameras, who we are, what
 * went wrong; and what the page may ask of it.
 */
import { Signal } from '../lib/signal.js';

/** @typedef {import('./types.js').Camera} Camera */
/** @typedef {import('./types.js').Notice} Notice */
/** @typedef {import('./types.js').Role} Role */
/** @typedef {import('./types.js').Trouble} Trouble */
/** @typedef {import('./types.js').Value} Value */
/** @typedef {import('./types.js').EventNews} EventNews */
/** @typedef {import('./link.js').Result} Result */

/** @typedef {{known: boolean, name: string, app: string, role: Role, auth: boolean, openStreams: boolean, version: string}} Session */

const ranks = { viewer: 1, operator: 2, admin: 3 };
const mostNotices = 200;
const sameWithin = 3000; // ms

export class Bridge {
  /** By id, in the order in which they are shown. */
  cameras = new Signal(/** @type {Map<string, Camera>} */ (new Map()));
  session = new Signal(/** @type {Session} */ ({ known: false, name: '', app: 'live', role: 'viewer', auth: false, openStreams: true, version: '' }));
  /** Newest first. */
  notices = new Signal(/** @type {Notice[]} */ ([]));
  /** What is wrong with the bridge itself, now. */
  troubles = new Signal(/** @type {Trouble[]} */ ([]));
  /** The newest word about motion; null before the first. */
  news = new Signal(/** @type {EventNews | null} */ (null));
  /** Counts how often something of the plugins changed; admins hear of it. */
  plugins = new Signal(0);

  /**
   * @param {() => import('./link.js').Link} link
   * @param {(notice: Notice) => void} [ontold] the bridge tells everybody that something is wrong
   */
  constructor(link, ontold = () => {}) {
    this.link = link;
    this.ontold = ontold;
  }

  /** receive takes what the bridge says of its own accord. @param {any} message */
  receive(message) {
    switch (message.type) {
      case 'welcome':
        return this.#welcome(message);
      case 'camera':
        return this.#put(message.camera);
      case 'removed':
        this.cameras.value.delete(message.camera);
        this.cameras.value = this.cameras.value;
        return;
      case 'event':
        return this.#happen(message);
      case 'health':
        this.troubles.value = message.troubles;
        return;
      case 'plugins':
        this.plugins.value++;
        return;
      case 'notice':
        if (this.note(message)) this.ontold(message);
        return;
      case 'error':
        this.note({ time: Date.now(), camera: '', ...message.error });
    }
  }

  /**
   * note remembers that something went wrong. What the bridge tells everybody
   * and answers to us as well is noted once.
   * @param {Notice} notice
   * @returns {boolean} whether it is new
   */
  note(notice) {
    const same = (/** @type {Notice} */ n) => n.camera === notice.camera && n.message === notice.message && Math.abs(n.time - notice.time) < sameWithin;
    if (this.notices.value.slice(0, 5).some(same)) return false;
    this.notices.value = [notice, ...this.notices.value].slice(0, mostNotices);
    return true;
  }

  /** may says whether our role includes another. @param {Role} role */
  may(role) {
    return ranks[this.session.value.role] >= ranks[role];
  }

  /** nameOf is a camera's name for people. @param {string} id */
  nameOf(id) {
    return this.cameras.value.get(id)?.name || id;
  }

  /** @param {string} camera @param {Record<string, Value>} settings */
  set(camera, settings) {
    return this.#ask({ type: 'set', camera, settings });
  }

  /** @param {string} camera @param {string} action */
  do(camera, action) {
    return this.#ask({ type: 'do', camera, action, args: {} });
  }

  /** @param {string} camera @param {string} name */
  rename(camera, name) {
    return this.#ask({ type: 'rename', camera, name });
  }

  /** @param {string} camera @param {boolean} enabled */
  enable(camera, enabled) {
    return this.#ask({ type: 'enable', camera, enabled });
  }

  /** motion changes how a camera's pictures are judged; null is back to the default. @param {string} camera @param {Record<string, unknown>} motion */
  motion(camera, motion) {
    return this.#ask({ type: 'motion', camera, motion });
  }

  /** @param {{type: string, camera: string, [key: string]: unknown}} message @returns {Promise<Result>} */
  async #ask(message) {
    const result = await this.link().ask(message);
    if (result.ok && result.camera) this.#put(result.camera);
    if (!result.ok) this.note({ time: Date.now(), camera: message.camera, code: result.error.code, message: result.error.message });
    return result;
  }

  /** @param {import('./types.js').Welcome} message */
  #welcome({ name, app, role, auth, open_streams: openStreams, version, cameras, troubles }) {
    this.session.value = { known: true, name, app, role, auth, openStreams, version };
    this.troubles.value = troubles ?? [];
    this.plugins.value++; // what changed while nobody told
    this.cameras.value = sorted(cameras ?? []);
  }

  /** happen shows an event on its camera at once; what the bridge says of the camera itself comes later. @param {EventNews} news */
  #happen(news) {
    const { event, active } = news;
    const motion = this.cameras.value.get(event.camera)?.motion;
    if (motion && active) Object.assign(motion, { active, event: event.id, zones: event.zones ?? [] });
    else if (motion?.event === event.id) motion.active = false;
    this.news.value = news;
    this.cameras.value = this.cameras.value;
  }

  /** @param {Camera} camera */
  #put(camera) {
    const cameras = this.cameras.value;
    const old = cameras.get(camera.id);
    const isNew = !old;
    if (camera.motion?.active && camera.motion.event === old?.motion?.event) camera.motion.zones = old?.motion?.zones;
    cameras.set(camera.id, camera);
    this.cameras.value = isNew ? sorted([...cameras.values()]) : cameras;
  }
}

/** porch2 comes before porch10. */
const order = new Intl.Collator('en', { numeric: true });

/** @param {Camera[]} cameras */
function sorted(cameras) {
  return new Map(cameras.sort((a, b) => order.compare(a.id, b.id)).map((camera) => [camera.id, camera]));
}
