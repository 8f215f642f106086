/**
 * What the detector sees, laid over the live picture: fetched four times a
 * second while it is switched on and looked at, and what it says of itself in
 * words.
 */
import { h, setText } from '../lib/dom.js';

/** @typedef {import('../net/types.js').Detector} Detector */

const every = 250; // ms
const pause = 2000; // after one that cannot be had

/** @type {Record<string, string>} causes in words */
const words = { too_small: 'too small', settling: 'settling', scene_change: 'the whole scene changed', damaged: 'damaged', masked: 'masked' };

export class Preview {
  #canvas = h('canvas', { class: 'seen', 'aria-hidden': 'true' });
  #context = this.#canvas.getContext('bitmaprenderer');
  #rate = h('p');
  #quiet = h('p');
  #fault = h('p', { class: 'fault', role: 'status' });
  element = h(
    'div',
    { class: 'legend note', hidden: true },
    h('ul', { role: 'list' }, ...[['changed', 'changed'], ['group', 'counts as motion'], ['masked', 'masked'], ['noise', 'noise']].map(([kind, text]) => h('li', null, h('i', { class: kind }), text))),
    this.#rate,
    this.#quiet,
    this.#fault,
  );
  /** @type {AbortController | null} */ #on = null;
  /** @type {Record<string, number> | null} counters when it was switched on */ #from = null;

  /** @param {URL} url @param {HTMLElement} frame where the picture's pixels are */
  constructor(url, frame) {
    this.url = url;
    this.frame = frame;
  }

  get on() {
    return this.#on !== null;
  }

  /** @param {boolean} on */
  set on(on) {
    if (on === this.on) return;
    this.#on?.abort();
    this.#on = on ? new AbortController() : null;
    this.#from = null;
    this.element.hidden = !on;
    setText(this.#fault, '');
    this.#canvas.width = this.#canvas.height = 0;
    if (on) this.frame.prepend(this.#canvas);
    else this.#canvas.remove();
    if (this.#on) void this.#poll(this.#on.signal);
  }

  /** update says in words what the detector did since it was switched on. @param {Detector | undefined} detector */
  update(detector) {
    if (!this.on || !detector) return;
    const { quiet, skipped, fps } = detector;
    this.#from ??= { ...quiet, busy: skipped?.busy ?? 0 };
    const busy = (skipped?.busy ?? 0) - (this.#from.busy ?? 0);
    setText(this.#rate, `Judges ${fps.toFixed(1)} pictures a second${busy > 0 ? `; ${busy} were left out for lack of time` : ''}.`);
    setText(this.#quiet, because(quiet ?? {}, this.#from));
  }

  /** @param {AbortSignal} signal */
  async #poll(signal) {
    while (!signal.aborted) {
      const began = performance.now();
      const had = document.hidden || (await this.#fetch(signal));
      await new Promise((done) => setTimeout(done, Math.max(20, (had ? every : pause) - (performance.now() - began))));
    }
  }

  /** @param {AbortSignal} signal @returns {Promise<boolean>} whether there was a picture */
  async #fetch(signal) {
    try {
      const response = await fetch(this.url, { cache: 'no-store', credentials: 'same-origin', signal });
      if (!response.ok) {
        const body = await response.json();
        setText(this.#fault, sentence(body.error?.message));
        return false;
      }
      const bitmap = await createImageBitmap(await response.blob());
      if (!signal.aborted) this.#show(bitmap);
      bitmap.close();
      setText(this.#fault, '');
      return true;
    } catch {
      if (!signal.aborted) setText(this.#fault, 'What the detector sees cannot be fetched now.');
      return false;
    }
  }

  /** @param {ImageBitmap} bitmap */
  #show(bitmap) {
    if (this.#canvas.width !== bitmap.width) this.#canvas.width = bitmap.width;
    if (this.#canvas.height !== bitmap.height) this.#canvas.height = bitmap.height;
    this.#context?.transferFromImageBitmap(bitmap);
  }
}

/** because is "Quiet because: too small 12, settling 4.", the most frequent cause first. @param {Record<string, number>} now @param {Record<string, number>} from */
export function because(now, from) {
  const since = Object.entries(now).map(([cause, count]) => /** @type {const} */ ([words[cause] ?? cause.replaceAll('_', ' '), count - (from[cause] ?? 0)]));
  const causes = since.filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]);
  return causes.length === 0 ? 'Nothing was held back since this was switched on.' : `Quiet because: ${causes.map(([cause, count]) => `${cause} ${count}`).join(', ')}.`;
}

/** @param {string | undefined} text */
function sentence(text = 'what the detector sees cannot be fetched now') {
  return `${text[0]?.toUpperCase()}${text.slice(1)}`.replace(/[^.]$/, '$&.');
}
