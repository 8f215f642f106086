/**
 * Where else a camera can be watched: its addresses, and what Home Assistant is
 * to be told. Where pictures need a token, an admin makes a link: an address with
 * a token for this camera alone, which is shown until the camera is left.
 */
import { h, fill } from '../lib/dom.js';
import { clock } from '../lib/format.js';
import { CopyLine } from './copy.js';

/** @typedef {import('../net/types.js').Camera} Camera */
/** @typedef {import('../net/types.js').StreamToken} StreamToken */

export class Elsewhere extends HTMLElement {
  #token = '';
  #name;
  #lines = { mjpeg: new CopyLine('MJPEG', 'for VLC, an NVR', ''), still: new CopyLine('Snapshot', 'the newest picture', ''), play: new CopyLine('Window', 'this camera alone', '') };
  #home = h('section', { 'aria-label': 'Home Assistant' });
  #links = h('ul', { class: 'links', 'aria-label': 'Links that were made' });

  /**
   * @param {object} page
   * @param {import('../net/bridge.js').Bridge} page.bridge
   * @param {import('../net/api.js').Api} page.api
   * @param {import('./toasts.js').Toasts} page.toasts
   * @param {Camera} page.camera
   */
  constructor(page) {
    super();
    this.page = page;
    this.camera = page.camera.id;
    this.#name = page.camera.name || page.camera.id;
    this.append(...Object.values(this.#lines), this.#home);
    this.#show();
  }

  /** update follows the camera's name. @param {Camera} camera */
  update(camera) {
    const name = camera.name || camera.id;
    if (name === this.#name) return;
    this.#name = name;
    this.#show();
  }

  /** address is one of the camera's, with the token if there is one. @param {string} path */
  #address(path) {
    const url = new URL(path, this.page.api.base);
    if (this.#token) url.searchParams.set('token', this.#token);
    return url.href;
  }

  #show() {
    const { app, openStreams } = this.page.bridge.session.value;
    const live = `live/${app}/${this.camera}`;
    this.#lines.mjpeg.set(this.#address(`${live}/mjpeg`));
    this.#lines.still.set(this.#address(`${live}/frame.jpg`));
    this.#lines.play.set(this.#address(`play/${app}/${this.camera}`));
    const ready = openStreams || this.#token !== '';
    fill(this.#home, h('h3', null, 'Home Assistant'), ...(ready ? this.#values(live) : this.#offer()));
  }

  /** values are what Home Assistant asks for, field by field. @param {string} live */
  #values(live) {
    const mjpeg = this.#address(`${live}/mjpeg`);
    return [
      this.#token !== '' && h('p', { class: 'note once', role: 'status' }, 'This link is shown once: copy it now. It opens the pictures of this camera and nothing else.'),
      h('p', { class: 'note' }, 'Add the integration “MJPEG IP Camera” and fill in:'),
      new CopyLine('Name', '', this.#name, 'name for Home Assistant'),
      new CopyLine('MJPEG URL', '', mjpeg, 'MJPEG URL for Home Assistant'),
      new CopyLine('Still image URL', '', this.#address(`${live}/frame.jpg`), 'still image URL for Home Assistant'),
      new CopyLine('go2rtc', 'in its configuration, for WebRTC', `streams:\n  ${this.camera}: ffmpeg:${mjpeg}#video=h264`, 'go2rtc configuration'),
    ];
  }

  /** offer says that a token is needed, and makes one for who may. */
  #offer() {
    const note = h('p', { class: 'note' }, 'Other programs need a token: add ?token=… to the address, or give it as the password.');
    if (!this.page.bridge.may('admin')) return [note];
    const button = h('button', { type: 'button' }, 'Make a link for Home Assistant');
    button.addEventListener('click', async () => {
      button.disabled = true;
      const answer = await this.page.api.link(`Home Assistant: ${this.#name}`.slice(0, 64), this.camera);
      button.disabled = false;
      if (answer.kind !== 'ok') return this.page.toasts.fault(`${this.#name}: ${answer.fault.message}`);
      this.#token = answer.me.token ?? '';
      this.#show();
    });
    return [note, button, this.#links];
  }

  /** look shows the links that were made before, each with a way to end it. */
  async look() {
    if (!this.contains(this.#links)) return;
    const answer = await this.page.api.links();
    if (answer.kind !== 'ok') return;
    const mine = answer.me.items.filter(({ cameras }) => cameras.includes(this.camera));
    fill(this.#links, ...mine.map((link) => this.#link(link)));
  }

  /** @param {StreamToken} link */
  #link({ id, name, created_at: made }) {
    const button = h('button', { type: 'button', class: 'quiet', 'aria-label': `Revoke ${name}` }, 'Revoke');
    button.addEventListener('click', async () => {
      const answer = await this.page.api.unlink(id);
      if (answer.kind !== 'ok') this.page.toasts.fault(`${name}: ${answer.fault.message}`);
      void this.look();
    });
    return h('li', null, h('span', null, name, ' ', h('small', null, `made ${clock(Date.parse(made))}`)), button);
  }
}

customElements.define('espcam-elsewhere', Elsewhere);
