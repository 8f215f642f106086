/** The few plain HTTP requests: who am I, log in, log out, links for other programs. */

/** @typedef {import('./types.js').Me} Me */
/** @typedef {import('./types.js').Fault} Fault */
/** @typedef {import('./types.js').StreamToken} StreamToken */

/**
 * @template T
 * @typedef {{kind: 'ok', me: T} | {kind: 'denied', fault: Fault} | {kind: 'down', fault: Fault}} Answer  me: what was asked for
 */

const patience = 6000; // ms until a bridge that says nothing counts as down

export class Api {
  /** @param {URL} base of the bridge, ending in a slash */
  constructor(base) {
    this.base = base;
  }

  /** socket is the address of the page's socket. */
  socket() {
    const url = new URL('api/v1/ws', this.base);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    return url;
  }

  /** me asks who we are. @returns {Promise<Answer<Me>>} */
  me() {
    return this.#ask('api/v1/me', {});
  }

  /** login exchanges a token for a session cookie. @param {string} token @returns {Promise<Answer<Me>>} */
  login(token) {
    return this.#ask('api/v1/login', this.#post({ token }));
  }

  /** logout ends the session. @returns {Promise<Answer<object>>} */
  logout() {
    return this.#ask('api/v1/logout', this.#post({}));
  }

  /** rediscover offers a camera to Home Assistant again. @param {string} camera @returns {Promise<Answer<object>>} */
  rediscover(camera) {
    return this.#ask(`api/v1/cameras/${camera}/rediscover`, this.#post({}));
  }

  /** links are the stream tokens that there are. @returns {Promise<Answer<{items: StreamToken[]}>>} */
  links() {
    return this.#ask('api/v1/stream-tokens', {});
  }

  /** link makes a token for the pictures of a camera. @param {string} name @param {string} camera @returns {Promise<Answer<StreamToken>>} */
  link(name, camera) {
    return this.#ask('api/v1/stream-tokens', this.#post({ name, cameras: [camera] }));
  }

  /** unlink ends one. @param {string} id @returns {Promise<Answer<object>>} */
  unlink(id) {
    return this.#ask(`api/v1/stream-tokens/${id}`, { method: 'DELETE' });
  }

  /** call asks for anything else. @param {string} method @param {string} path @param {object} [body] @param {number} [wait] ms @returns {Promise<Answer<any>>} */
  call(method, path, body, wait) {
    return this.#ask(path, { ...(body && this.#post(body)), method }, wait);
  }

  /** @param {object} body @returns {RequestInit} */
  #post(body) {
    return { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  }

  /** @param {string} path @param {RequestInit} init @param {number} [wait] @returns {Promise<Answer<any>>} */
  async #ask(path, init, wait = patience) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), wait);
    try {
      const response = await fetch(new URL(path, this.base), { ...init, cache: 'no-store', credentials: 'same-origin', signal: abort.signal });
      const body = await response.json().catch(() => ({}));
      if (response.ok) return { kind: 'ok', me: body };
      const fault = body.error ?? { code: 'unavailable', message: `the bridge answered ${response.status} ${response.statusText}` };
      return { kind: response.status === 401 || response.status === 403 ? 'denied' : 'down', fault };
    } catch {
      return { kind: 'down', fault: { code: 'unavailable', message: 'the bridge cannot be reached' } };
    } finally {
      clearTimeout(timer);
    }
  }
}
