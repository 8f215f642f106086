/**
 * Feeds decides which pictures flow. Tiles say what they want to show; nothing
 * flows while the tab is hidden, the page is paused or the bridge is away. Each
 * subscription has a channel number of its own, so a picture of an older one
 * that is still on its way is known as such and thrown away.
 */

/** @typedef {import('./frame.js').Frame} Frame */

/**
 * @typedef {object} Sink
 * @property {(frame: Frame, painted: () => void) => void} show
 *   painted must be called once for each frame, shown or not
 */

/** @typedef {{fps: number, sink: Sink, channel: number}} Want */

const none = -1;

export class Feeds {
  /** @type {Map<string, Want>} by camera */ #wants = new Map();
  /** @type {Map<number, Sink>} by channel */ #channels = new Map();
  /** @type {Set<string>} */ #reasons = new Set(['closed']);
  #next = 0;

  /** @param {{post: (message: object) => void, painted: (channel: number) => void}} link */
  constructor(link) {
    this.link = link;
  }

  /**
   * want asks for a camera's pictures, or changes their rate.
   * @param {string} camera
   * @param {number} fps 0 for all
   * @param {Sink} sink
   */
  want(camera, fps, sink) {
    const old = this.#wants.get(camera);
    if (old?.fps === fps && old.sink === sink) return;
    const want = { fps, sink, channel: old?.channel ?? none };
    this.#wants.set(camera, want);
    if (this.#reasons.size > 0) return;
    if (want.channel === none) this.#subscribe(camera, want);
    else {
      this.#channels.set(want.channel, sink);
      this.link.post({ type: 'subscribe', camera, channel: want.channel, fps });
    }
  }

  /** drop ends what want began. @param {string} camera */
  drop(camera) {
    const want = this.#wants.get(camera);
    if (!want) return;
    this.#wants.delete(camera);
    this.#unsubscribe(want);
  }

  /**
   * hold stops all pictures for a reason; they flow again when no reason is left.
   * @param {'hidden' | 'paused' | 'closed'} reason
   * @param {boolean} on
   */
  hold(reason, on) {
    const flowing = this.#reasons.size === 0;
    if (on) this.#reasons.add(reason);
    else this.#reasons.delete(reason);
    if (flowing === (this.#reasons.size === 0)) return;
    for (const [camera, want] of this.#wants) {
      if (flowing) this.#unsubscribe(want);
      else this.#subscribe(camera, want);
    }
  }

  /** frame hands a picture to whom it is for. @param {Frame} frame */
  frame(frame) {
    const sink = this.#channels.get(frame.channel);
    sink?.show(frame, () => {
      if (this.#channels.get(frame.channel) === sink) this.link.painted(frame.channel);
    });
  }

  /** @param {string} camera @param {Want} want */
  #subscribe(camera, want) {
    want.channel = this.#next++ % 65536;
    this.#channels.set(want.channel, want.sink);
    this.link.post({ type: 'subscribe', camera, channel: want.channel, fps: want.fps });
  }

  /** @param {Want} want */
  #unsubscribe(want) {
    if (want.channel === none) return;
    this.#channels.delete(want.channel);
    this.link.post({ type: 'unsubscribe', channel: want.channel });
    want.channel = none;
  }
}
