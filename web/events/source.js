/** Where events, their pictures and their clips come from. */

/** @typedef {import('../net/types.js').MotionEvent} MotionEvent */

const perPage = 50;
const patience = 10_000; // ms

export class Source {
  /** @param {URL} base of the bridge */
  constructor(base) {
    this.base = new URL('api/v1/events', base);
  }

  /**
   * page fetches events that are older than one, or the newest. It never rejects.
   * @param {import('../ui/route.js').Filter} filter
   * @param {string} before
   * @returns {Promise<import('./list.js').Page>}
   */
  async page(filter, before) {
    const query = new URLSearchParams(Object.entries({ ...filter, before, limit: String(perPage) }).filter(([, value]) => value));
    const { body, message } = await ask(new URL(`?${query}`, this.base));
    return body ? { ok: true, items: body.items ?? [], next: body.next ?? '' } : { ok: false, message };
  }

  /** one fetches one event. @param {string} id @returns {Promise<{event: MotionEvent | null, message: string}>} */
  async one(id) {
    const { body, message } = await ask(this.#of(id));
    return { event: body, message };
  }

  /** picture is the address of an event's best picture, another one when the best changes. @param {MotionEvent} event */
  picture({ id, end, last }) {
    return this.#of(`${id}/picture.jpg${end ? '' : `?at=${Date.parse(last)}`}`);
  }

  /** @param {MotionEvent} event */
  clip({ id }) {
    return this.#of(`${id}/clip.mjpeg`);
  }

  /** @param {string} path */
  #of(path) {
    return new URL(`events/${path}`, this.base);
  }
}

/** @param {URL} url @returns {Promise<{body: any, message: string}>} */
async function ask(url) {
  try {
    const response = await fetch(url, { cache: 'no-store', credentials: 'same-origin', signal: AbortSignal.timeout(patience) });
    const body = await response.json();
    return response.ok ? { body, message: '' } : { body: null, message: body.error?.message ?? `the bridge answered ${response.status}` };
  } catch {
    return { body: null, message: 'the bridge cannot be reached' };
  }
}
