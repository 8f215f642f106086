/** One plugin: how it is, since when and why; what it said last; its buttons and its settings. */
import { h, fill, setText } from '../lib/dom.js';
import { icon } from '../ui/icons.js';
import { Files } from './files.js';
import { SettingsForm } from './form.js';
import { facts, mayTest, stateOf, when } from './words.js';

/** @typedef {import('../net/types.js').Plugin} Plugin */
/** @typedef {import('../net/api.js').Answer<any>} Answer */

export class Card {
  /** @type {Plugin} */ #plugin;
  #chip = h('span', { class: 'chip sign' });
  #when = h('span', { class: 'since' });
  #summary = h('p', { class: 'note' });
  #problem = h('p', { class: 'problem' });
  #dev = h('p', { class: 'dev', hidden: true }, icon('warn'), h('span', null, 'In development: its files are not checked before they run.'));
  #outcome = h('p', { class: 'outcome', role: 'status' });
  #try = button('play', '', () => this.#attempt());
  #restart = button('restart', '', () => this.#run(this.page.source.do(this.#plugin.instance, 'restart'), 'It is being started.'));
  #able = h('button', { type: 'button', role: 'switch', class: 'switch', 'aria-checked': 'false' }, h('i'));
  #facts = h('dl', { class: 'about' });
  #lines = h('pre', { tabindex: '0' });
  #log = h('details', { class: 'log' }, h('summary', null, 'What it said last', h('span', { class: 'count' })), this.#lines);
  #files;
  form;

  /**
   * @param {Plugin} plugin
   * @param {object} page
   * @param {import('./source.js').Source} page.source
   * @param {import('../ui/toasts.js').Toasts} page.toasts
   * @param {(plugin?: Plugin) => void} page.onchange  something was done: it is now so, or must be asked for
   */
  constructor(plugin, page) {
    this.page = page;
    this.#plugin = plugin;
    const { instance } = plugin;
    this.form = new SettingsForm({
      save: (settings) => page.source.change(instance, { settings }),
      onsaved: (now, back) => {
        page.toasts.say(`${instance}: the settings are saved.${back.length > 0 ? ` As the configuration file says: ${back.join(', ')}.` : ''}`);
        page.onchange(now);
      },
    });
    this.#files = new Files(instance, page.source);
    const id = `plugin-${instance}`;
    this.#able.id = `${id}-able`;
    this.#able.addEventListener('click', () => this.#switch());
    this.#lines.setAttribute('aria-label', `What ${instance} said last`);
    this.element = h(
      'article',
      { class: 'plugin', 'aria-labelledby': id },
      h('header', null, h('h3', { id }, instance), h('span', { class: 'able' }, h('label', { for: this.#able.id }, 'On'), this.#able), h('p', { class: 'truth' }, this.#chip, this.#when)),
      this.#dev,
      this.#problem,
      this.#summary,
      h('div', { class: 'doings' }, this.#try, this.#restart),
      this.#outcome,
      this.#files.element,
      h('details', null, h('summary', null, 'Settings'), this.form),
      this.#log,
      h('details', null, h('summary', null, 'About this plugin'), this.#facts),
    );
    this.#able.setAttribute('aria-label', `${instance} switched on`);
  }

  /** update shows a plugin as it is now. @param {Plugin} plugin @param {number} now the bridge's time */
  update(plugin, now) {
    this.#plugin = plugin;
    const { word, mood, icon: sign } = stateOf(plugin.state);
    if (this.element.dataset.state !== plugin.state) fill(this.#chip, icon(sign), word);
    this.element.dataset.state = plugin.state;
    this.element.dataset.mood = mood;
    setText(this.#when, when(plugin, now));
    setText(this.#summary, plugin.summary);
    setText(this.#problem, plugin.problem);
    this.#dev.hidden = !plugin.dev;
    this.#buttons(plugin);
    this.#about(facts(plugin, now));
    this.#said(plugin.log);
    this.#files.update(plugin.files);
    this.form.update(plugin);
  }

  /** @param {Plugin} plugin */
  #buttons(plugin) {
    const off = plugin.state === 'disabled';
    this.#able.setAttribute('aria-checked', String(!off));
    this.#try.hidden = this.#restart.hidden = off || plugin.state === 'missing';
    name(this.#try, mayTest(plugin) ? 'Send a test' : 'Check', plugin.instance);
    name(this.#restart, plugin.next || ['tripped', 'bad_config', 'incompatible', 'untrusted'].includes(plugin.state) ? 'Start now' : 'Restart', plugin.instance);
  }

  /** @param {[string, string][]} known */
  #about(known) {
    if (this.#facts.dataset.known === known.join()) return;
    this.#facts.dataset.known = known.join();
    fill(this.#facts, ...known.map(([title, text]) => h('div', null, h('dt', null, title), h('dd', null, text))));
  }

  /** said follows the last lines, unless a person has scrolled up in them. @param {string[]} lines */
  #said(lines) {
    const box = this.#lines;
    const atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 8;
    this.#log.hidden = lines.length === 0;
    setText(/** @type {Element} */ (this.#log.querySelector('.count')), String(lines.length));
    if (box.textContent === lines.join('\n')) return;
    setText(box, lines.join('\n'));
    if (atEnd) box.scrollTop = box.scrollHeight;
  }

  #attempt() {
    const { instance } = this.#plugin;
    if (mayTest(this.#plugin)) return this.#run(this.page.source.test(instance), 'The test was sent.', 'Sending …');
    return this.#run(this.page.source.do(instance, 'check'), 'It says that it would work.', 'Asking …');
  }

  async #switch() {
    const enabled = this.#able.getAttribute('aria-checked') !== 'true';
    this.#able.setAttribute('aria-checked', String(enabled));
    await this.#run(this.page.source.change(this.#plugin.instance, { enabled }), '');
  }

  /**
   * run waits for what was asked for and says how it ended.
   * @param {Promise<Answer>} asked
   * @param {string} done
   * @param {string} [meanwhile]
   */
  async #run(asked, done, meanwhile = '') {
    const buttons = [this.#try, this.#restart];
    for (const one of buttons) one.disabled = true;
    this.#tell('', meanwhile);
    const answer = await asked;
    for (const one of buttons) one.disabled = false;
    if (answer.kind === 'ok') this.#tell('good', [done, answer.me.message && sentence(answer.me.message)].filter(Boolean).join(' '));
    else this.#tell('fault', sentence(answer.fault.message));
    this.page.onchange();
  }

  /** @param {'' | 'good' | 'fault'} how @param {string} text */
  #tell(how, text) {
    this.#outcome.dataset.how = how;
    fill(this.#outcome, text && how !== '' && icon(how === 'good' ? 'check' : 'warn'), text && h('span', null, text));
  }
}

/** @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
}

/** @param {import('../ui/icons.js').IconName} sign @param {string} title @param {() => void} click */
function button(sign, title, click) {
  return h('button', { type: 'button', on: { click } }, icon(sign), h('span', null, title));
}

/** name gives a button its word, and for screen readers the plugin. @param {HTMLButtonElement} element @param {string} title @param {string} instance */
function name(element, title, instance) {
  setText(/** @type {Element} */ (element.lastElementChild), title);
  element.setAttribute('aria-label', `${title}: ${instance}`);
}
