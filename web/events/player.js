/**
 * Plays an event's clip: the best picture with its boxes first, then, once
 * somebody presses Play, the pictures in the time in which they were taken.
 * One is decoded at a time, and only what is shown is.
 */
import { h, fill, setAttribute, setText } from '../lib/dom.js';
import { clock } from '../lib/format.js';
import { Screen } from '../paint/screen.js';
import { Workshop } from '../paint/workshop.js';
import { Boxes } from '../ui/boxes.js';
import { icon } from '../ui/icons.js';
import { Clip } from './clip.js';
import { timecode } from './words.js';

/** @typedef {import('../net/types.js').MotionEvent} MotionEvent */
/** @typedef {import('./source.js').Source} Source */

const speeds = [0.5, 1, 2, 4];

export class Player extends HTMLElement {
  /** @type {MotionEvent | null} */ #event = null;
  /** @type {Clip | null} */ #clip = null;
  #at = 0; // ms in the clip
  #index = -1; // of the picture that is shown; -1: the best one
  #playing = false;
  #speed = 1;
  #frame = 0;
  #before = 0;

  #poster = h('img', { alt: '', class: 'poster' });
  #screenHost = h('span', { class: 'screen' });
  #boxes = new Boxes();
  #over = h('div', { class: 'frame' }, this.#boxes.element);
  #none = h('p', { class: 'none', hidden: true }, 'There is no picture of this event.');
  #big = h('button', { type: 'button', class: 'big', 'aria-label': 'Play the clip', on: { click: () => this.play(true) } }, icon('play'));
  #play = h('button', { type: 'button', class: 'quiet round', on: { click: () => this.play(!this.#playing) } });
  #slider = h('input', { type: 'range', min: 0, max: 0, step: 1, value: 0, 'aria-label': 'Picture' });
  #time = h('span', { class: 'timecode' });
  #speeds = h('div', { class: 'speeds', role: 'group', 'aria-label': 'Speed' }, ...speeds.map((speed) => h('button', { type: 'button', class: 'quiet', 'aria-pressed': 'false', 'aria-label': `Speed ${speed}`, value: speed, on: { click: () => this.#setSpeed(speed) } }, `${speed}×`)));
  #controls = h(
    'div',
    { class: 'controls-of-clip', role: 'group', 'aria-label': 'Clip' },
    this.#slider,
    h(
      'div',
      { class: 'row' },
      step('Picture before', 'first', () => this.step(-1)),
      this.#play,
      step('Next picture', 'last', () => this.step(1)),
      this.#time,
      this.#speeds,
    ),
  );
  #note = h('p', { class: 'note', role: 'status' });

  /** @param {Source} source */
  constructor(source) {
    super();
    this.source = source;
    this.screen = new Screen(this.#screenHost, new Workshop(), (_, { width, height }) => this.#shape(width / height));
    this.#poster.addEventListener('load', () => this.#shape(this.#poster.naturalWidth / this.#poster.naturalHeight));
    this.#poster.addEventListener('error', () => this.#showPoster(false));
    this.#slider.addEventListener('input', () => this.#seek(Number(this.#slider.value)));
    this.append(h('div', { class: 'stage' }, this.#poster, this.#screenHost, h('div', { class: 'over' }, this.#over), this.#none, this.#big), this.#controls, this.#note);
    this.addEventListener('keydown', (event) => this.#key(event));
  }

  /** show takes an event, or its newer state, or with null lets go of everything. @param {MotionEvent | null} event */
  show(event) {
    const old = this.#event;
    this.#event = event;
    if (event?.id !== old?.id || !event) this.#forget();
    if (!event) return;
    if (this.#index < 0) this.#showBest(event);
    if (!this.#clip && event.clip && event.end) {
      this.#clip = new Clip(() => this.#update());
      void this.#clip.load(this.source.clip(event));
    }
    this.#update();
  }

  /** play goes on from where it stands, from the start if that is the end, or stops. @param {boolean} on */
  play(on) {
    const clip = this.#clip;
    this.#playing = on && (clip?.pictures.length ?? 0) > 0;
    cancelAnimationFrame(this.#frame);
    if (this.#playing && clip) {
      const ended = clip.state !== 'loading' && this.#index === clip.pictures.length - 1;
      if (ended) this.#at = 0;
      this.#before = performance.now();
      this.#turn(this.#before);
    }
    this.#update();
  }

  /** step shows a neighbour of the picture that is shown. @param {number} by */
  step(by) {
    this.#seek(this.#index + by);
  }

  /** @param {number} index */
  #seek(index) {
    this.play(false);
    const picture = this.#clip?.pictures[index];
    if (!picture) return;
    this.#at = picture.at;
    this.#paint(index);
  }

  /** turn is one turn of the playing clock. @param {number} now */
  #turn(now) {
    const clip = this.#clip;
    if (!clip || !this.#playing) return;
    this.#at = Math.min(this.#at + Math.max(0, now - this.#before) * this.#speed, clip.length);
    this.#before = now;
    const index = clip.index(this.#at);
    if (index !== this.#index) this.#paint(index);
    if (this.#at >= clip.length && clip.state !== 'loading') return this.play(false);
    this.#frame = requestAnimationFrame((next) => this.#turn(next));
  }

  /** @param {number} index */
  #paint(index) {
    const picture = this.#clip?.pictures[index];
    if (!picture) return;
    this.#index = index;
    this.#boxes.clear();
    this.#showPoster(true);
    this.screen.show({ jpeg: picture.jpeg, received: picture.time }, () => {});
    this.#update();
  }

  /** @param {MotionEvent} event */
  #showBest(event) {
    this.#showPoster(event.picture === true);
    if (!event.picture) return;
    const url = this.source.picture(event).href;
    if (this.#poster.src !== url) this.#poster.src = url;
    this.#boxes.draw(event.boxes ?? []);
  }

  /** @param {boolean} there is something to see */
  #showPoster(there) {
    this.#poster.hidden = !there || this.#index >= 0;
    this.#none.hidden = there || this.#index >= 0;
  }

  #update() {
    const { length = 0 } = this.#clip?.pictures ?? [];
    const state = this.#clip?.state;
    this.#controls.hidden = length === 0;
    this.#big.hidden = length === 0 || this.#index >= 0;
    setAttribute(this.#slider, 'max', Math.max(0, length - 1));
    this.#slider.value = String(Math.max(0, this.#index));
    this.#slider.style.setProperty('--to', `${(100 * Math.max(0, this.#index)) / Math.max(1, length - 1)}%`);
    const now = this.#clip?.pictures[Math.max(0, this.#index)];
    const code = `${timecode(now?.at ?? 0)} / ${timecode(this.#clip?.length ?? 0)}`;
    setText(this.#time, now ? `${code} · ${clock(now.time, now.time)}` : code);
    setAttribute(this.#slider, 'aria-valuetext', this.#time.textContent);
    this.#showPlay();
    for (const button of this.#speeds.querySelectorAll('button')) setAttribute(button, 'aria-pressed', String(Number(button.value) === this.#speed));
    setText(this.#note, notes(this.#event, state, length));
  }

  #showPlay() {
    const label = this.#playing ? 'Pause' : 'Play';
    if (this.#play.title === label) return;
    this.#play.title = label;
    setAttribute(this.#play, 'aria-label', label);
    fill(this.#play, icon(this.#playing ? 'pause' : 'play'));
  }

  /** @param {number} speed */
  #setSpeed(speed) {
    this.#speed = speed;
    this.#update();
  }

  /** @param {number} aspect */
  #shape(aspect) {
    if (aspect > 0) this.style.setProperty('--shape', String(aspect));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.target === this.#slider || event.ctrlKey || event.metaKey || event.altKey) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) this.step(by);
    else return;
    event.preventDefault();
  }

  #forget() {
    this.play(false);
    this.#clip?.close();
    this.#clip = null;
    this.#at = 0;
    this.#index = -1;
    this.screen.clear();
    this.#boxes.clear();
    this.#poster.removeAttribute('src');
    this.#showPoster(false);
  }
}

/** @param {MotionEvent | null} event @param {Clip['state'] | undefined} state @param {number} pictures */
function notes(event, state, pictures) {
  if (event && !event.end) return 'This is still going on. The clip is here when it is over.';
  if (state === 'loading' && pictures === 0) return 'Fetching the clip …';
  if (state === 'cut') return 'The clip ends early: this is what there is of it.';
  if (state === 'failed') return 'The clip cannot be fetched. The picture is all there is now.';
  return state === 'absent' || (event && !event.clip) ? 'There is no clip of this event.' : '';
}

/** @param {string} label @param {import('../ui/icons.js').IconName} sign @param {() => void} click */
function step(label, sign, click) {
  return h('button', { type: 'button', class: 'quiet round', 'aria-label': label, title: label, on: { click } }, icon(sign));
}

customElements.define('espcam-player', Player);
