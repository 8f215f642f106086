/**
 * A Painter puts JPEGs of one camera on one element. Its callers (Screen) give
 * it one picture at a time.
 *
 * @typedef {object} Painter
 * @property {HTMLCanvasElement | HTMLImageElement} element
 * @property {(jpeg: Uint8Array<ArrayBuffer>) => Promise<Size>} paint
 *   resolves when the picture is shown, rejects when the browser refuses it; the bytes may be gone afterwards
 * @property {() => void} close   lets go of all memory
 *
 * @typedef {{width: number, height: number}} Size in pixels of the picture
 */
import { h } from '../lib/dom.js';

/**
 * BitmapPainter decodes off the page's thread with createImageBitmap and swaps
 * the result into a canvas: the least work and flat memory, but strict, as it
 * refuses pictures that lack even their last two bytes.
 * @implements {Painter}
 */
export class BitmapPainter {
  element = h('canvas');
  #context = this.element.getContext('bitmaprenderer');

  /** @param {Uint8Array<ArrayBuffer>} jpeg @returns {Promise<Size>} */
  async paint(jpeg) {
    const bitmap = await createImageBitmap(new Blob([jpeg], { type: 'image/jpeg' }));
    const { width, height } = bitmap;
    if (this.element.width !== width) this.element.width = width;
    if (this.element.height !== height) this.element.height = height;
    this.#context?.transferFromImageBitmap(bitmap);
    bitmap.close();
    return { width, height };
  }

  close() {
    this.element.width = this.element.height = 0;
  }
}

/**
 * ImagePainter shows pictures in an img, which also shows the intact part of a
 * damaged one. Costs more memory, so it is for cameras that need it.
 * @implements {Painter}
 */
export class ImagePainter {
  element = h('img', { alt: '' });
  #url = '';

  /** @param {Uint8Array<ArrayBuffer>} jpeg @returns {Promise<Size>} */
  async paint(jpeg) {
    const url = URL.createObjectURL(new Blob([jpeg], { type: 'image/jpeg' }));
    const old = this.#url;
    this.#url = url;
    try {
      await this.#load(url);
    } finally {
      if (old) URL.revokeObjectURL(old);
    }
    return { width: this.element.naturalWidth, height: this.element.naturalHeight };
  }

  /** @param {string} url @returns {Promise<void>} */
  #load(url) {
    return new Promise((resolve, reject) => {
      this.element.onload = () => resolve();
      this.element.onerror = () => reject(new Error('the browser cannot show this picture'));
      this.element.src = url;
    });
  }

  close() {
    this.element.onload = this.element.onerror = null;
    this.element.removeAttribute('src');
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = '';
  }
}
