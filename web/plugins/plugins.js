/**
 * The plugins, for admins: every instance of the configuration file, and the
 * alerts that were given up. It asks the bridge again whenever that says that
 * something changed.
 */
import { h, fill, setText } from '../lib/dom.js';
import { confirm } from '../ui/dialog.js';
import { icon } from '../ui/icons.js';
import { Card } from './card.js';
import { Source } from './source.js';
import { given } from './words.js';

/** @typedef {import('../net/types.js').Plugin} Plugin */
/** @typedef {import('../net/types.js').FailedAlert} FailedAlert */

const again = 10_000; // ms until figures that nobody tells of, such as memory, are asked for

export class Plugins extends HTMLElement {
  #source;
  /** @type {Map<string, Card>} */ #cards = new Map();
  /** @type {Plugin[]} */ #plugins = [];
  #heard = -1;
  #asked = 0;
  #asking = false;
  #list = h('div', { class: 'cards' });
  #note = h('div', { class: 'none', hidden: true });
  #fault = h('p', { role: 'alert', class: 'fault' });
  #alerts = h('ul', { role: 'list' });
  #failed = h('section', { class: 'failed', 'aria-labelledby': 'failed-title', hidden: true }, h('h3', { id: 'failed-title' }, 'Alerts that were given up'), this.#alerts);

  /**
   * @param {object} page
   * @param {import('../net/bridge.js').Bridge} page.bridge
   * @param {import('../net/api.js').Api} page.api
   * @param {import('../ui/route.js').Route} page.route
   * @param {import('../ui/toasts.js').Toasts} page.toasts
   * @param {() => number} page.now  the bridge's time
   */
  constructor(page) {
    super();
    this.page = page;
    this.#source = new Source(page.api);
    const back = h('button', { type: 'button', class: 'quiet', 'aria-keyshortcuts': 'Escape', on: { click: () => void page.route.back() } }, icon('back'), 'Back');
    this.append(h('header', null, back, h('h2', null, 'Plugins')), this.#failed, this.#list, this.#note, this.#fault);
  }

  /** update shows what is true now. It is called often. */
  update() {
    const { bridge, route } = this.page;
    const may = bridge.may('admin');
    if (!route.plugins) return;
    this.#list.hidden = !may;
    if (!may) return bridge.session.value.known ? this.#say('Plugins are for admins', 'Log in with the token of an admin to see them.') : undefined;
    if (bridge.plugins.value !== this.#heard || Date.now() - this.#asked > again) void this.#ask();
    for (const plugin of this.#plugins) this.#cards.get(plugin.instance)?.update(plugin, this.page.now());
    this.#guard();
  }

  /** ask asks for everything. What changes meanwhile is asked for afterwards. */
  async #ask() {
    if (this.#asking) return;
    this.#asking = true;
    this.#asked = Date.now();
    this.#heard = this.page.bridge.plugins.value;
    const [plugins, failed] = await Promise.all([this.#source.plugins(), this.#source.failed()]);
    this.#asking = false;
    const refused = [plugins, failed].find(({ kind }) => kind !== 'ok');
    setText(this.#fault, refused && refused.kind !== 'ok' ? `The plugins cannot be listed: ${refused.fault.message}.` : '');
    if (plugins.kind === 'ok') this.#show(plugins.me.items);
    if (failed.kind === 'ok') this.#showFailed(failed.me.items);
    if (this.#heard !== this.page.bridge.plugins.value) void this.#ask();
  }

  /** @param {Plugin[]} plugins */
  #show(plugins) {
    this.#plugins = plugins;
    const names = new Set(plugins.map(({ instance }) => instance));
    for (const [name, card] of this.#cards) {
      if (names.has(name)) continue;
      card.element.remove();
      this.#cards.delete(name);
    }
    for (const plugin of plugins) {
      const card = this.#cards.get(plugin.instance) ?? new Card(plugin, { source: this.#source, toasts: this.page.toasts, onchange: (now) => this.#changed(now) });
      this.#cards.set(plugin.instance, card);
      if (!card.element.isConnected) this.#list.append(card.element);
    }
    if (plugins.length > 0) this.#note.hidden = true;
    else this.#say('No plugins yet', 'A plugin sends messages, finds things in pictures or keeps events. It is installed where the bridge runs, never from here:', 'espcam-bridge plugin install PATH', 'Then give it a name in the configuration file, under plugins.');
    this.update();
  }

  /** changed follows what this page did, without waiting to be told. @param {Plugin} [now] */
  #changed(now) {
    if (now) this.#show(this.#plugins.map((plugin) => (plugin.instance === now.instance ? now : plugin)));
    else void this.#ask();
  }

  /** @param {FailedAlert[]} alerts */
  #showFailed(alerts) {
    this.#failed.hidden = alerts.length === 0;
    const key = JSON.stringify(alerts);
    if (this.#alerts.dataset.key === key) return;
    this.#alerts.dataset.key = key;
    fill(this.#alerts, ...alerts.map((alert) => this.#line(alert)));
  }

  /** @param {FailedAlert} alert */
  #line(alert) {
    const about = `${alert.title || 'an alert'} for ${alert.instance}`;
    const act = (/** @type {'retry' | 'dismiss'} */ action, /** @type {string} */ title) => {
      const button = h('button', { type: 'button', class: action === 'dismiss' && 'quiet', 'aria-label': `${title}: ${about}` }, title);
      button.addEventListener('click', async () => {
        button.disabled = true;
        const answer = await this.#source.settle(alert.id, action);
        button.disabled = false;
        if (answer.kind !== 'ok') this.page.toasts.fault(answer.fault.message);
        else if (action === 'retry') this.page.toasts.say(`It is sent again through ${alert.instance}.`);
        void this.#ask();
      });
      return button;
    };
    return h(
      'li',
      null,
      h('div', null, h('p', { class: 'when' }, given(alert, Date.now())), h('p', null, h('strong', null, alert.title), ' ', alert.camera && h('span', { class: 'of' }, this.page.bridge.nameOf(alert.camera))), h('p', { class: 'why' }, alert.reason)),
      h('div', { class: 'doings' }, act('retry', 'Send again'), act('dismiss', 'Dismiss')),
    );
  }

  /** say fills the place of the list. @param {string} title @param {string} text @param {string} [command] @param {string} [more] */
  #say(title, text, command = '', more = '') {
    this.#note.hidden = false;
    if (this.#note.dataset.title === title) return;
    this.#note.dataset.title = title;
    fill(this.#note, icon('plug'), h('h3', null, title), h('p', null, text), command && h('code', null, command), more && h('p', null, more));
  }

  /** guard lets the page ask before changes are lost. */
  #guard() {
    const dirty = [...this.#cards.values()].filter(({ form }) => form.dirty);
    const { route } = this.page;
    if (dirty.length === 0) {
      if (route.guard === this.#question) route.guard = null;
    } else if (!route.guard) route.guard = this.#question;
  }

  #question = async () => {
    const sure = await confirm({ title: 'Leave without saving?', text: 'Settings were changed and not saved.', yes: 'Leave' });
    if (sure) for (const { form } of this.#cards.values()) form.undo();
    return sure;
  };
}

customElements.define('espcam-plugins', Plugins);
