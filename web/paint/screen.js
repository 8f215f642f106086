/**
 * Screen shows one camera's pictures inside a host element: at most one is
 * being decoded, the newest waiting one replaces older ones, and a painter that
 * refuses three in a row gives way to the tolerant one. A new painter's element
 * takes the old one's place only once it has something to show.
 */

/** @typedef {import('./painter.js').Painter} Painter */
/** @typedef {import('./painter.js').Size} Size */
/** @typedef {import('./workshop.js').Workshop} Workshop */

/** @typedef {{jpeg: Uint8Array<ArrayBuffer>, received: number}} Picture */
/** @typedef {{picture: Picture, painted: () => void}} Job */

const refusalsUntilTolerant = 3;

export class Screen {
  /** @type {Painter | null} that paints */ #painter = null;
  /** @type {Painter | null} whose element is in the document */ #shown = null;
  /** @type {Job | null} */ #waiting = null;
  #busy = false;
  #refusals = 0;
  #tolerant = false;
  #place = '';

  /**
   * @param {Element} host
   * @param {Workshop} workshop
   * @param {(picture: Picture, size: Size) => void} onpainted
   */
  constructor(host, workshop, onpainted) {
    this.host = host;
    this.workshop = workshop;
    this.onpainted = onpainted;
  }

  /**
   * show takes a picture to be painted as soon as possible.
   * @param {Picture} picture
   * @param {() => void} painted called once, also when a newer picture came first
   */
  show(picture, painted) {
    this.#waiting?.painted();
    this.#waiting = { picture, painted };
    if (!this.#busy) void this.#run();
  }

  /** clear takes the picture away, as when a camera is switched off for privacy. */
  clear() {
    this.#waiting?.painted();
    this.#waiting = null;
    this.#painter?.close();
    if (this.#shown !== this.#painter) this.#shown?.close();
    this.#shown?.element.remove();
    this.#painter = this.#shown = null;
  }

  async #run() {
    this.#busy = true;
    for (let job = this.#take(); job; job = this.#take()) await this.#paint(job);
    this.#busy = false;
  }

  #take() {
    const job = this.#waiting;
    this.#waiting = null;
    return job;
  }

  /** @param {Job} job */
  async #paint({ picture, painted }) {
    const painter = this.#choose();
    try {
      const size = await painter.paint(picture.jpeg);
      if (painter !== this.#painter) return; // cleared meanwhile
      this.#refusals = 0;
      this.#reveal(painter);
      this.onpainted(picture, size);
    } catch {
      this.#refusals++;
    } finally {
      painted();
    }
  }

  /** choose returns the painter of now, which is a new one after a refusal too many or when the workshop moved. */
  #choose() {
    if (!this.#tolerant && this.#refusals >= refusalsUntilTolerant) {
      this.#tolerant = true;
      this.#replace(this.workshop.tolerantPainter());
    } else if (!this.#tolerant && this.#place !== this.workshop.place) {
      this.#place = this.workshop.place;
      this.#replace(this.workshop.painter());
    }
    return (this.#painter ??= this.#tolerant ? this.workshop.tolerantPainter() : this.workshop.painter());
  }

  /** @param {Painter} painter */
  #replace(painter) {
    if (this.#painter !== this.#shown) this.#painter?.close();
    this.#painter = painter;
  }

  /** @param {Painter} painter whose element now holds a picture */
  #reveal(painter) {
    if (this.#shown === painter) return;
    if (this.#shown) {
      this.#shown.element.replaceWith(painter.element);
      this.#shown.close();
    } else {
      this.host.append(painter.element);
    }
    this.#shown = painter;
  }
}
