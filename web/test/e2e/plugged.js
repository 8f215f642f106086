/**
 * Plugins as the tests want them: stands between the page and the real bridge and
 * answers for plugins and failed alerts as the bridge does, with states that a real
 * one reaches only by crashing. All else is the bridge's own.
 */

const at = (ms) => new Date(Date.now() + ms).toISOString();

/** plugin makes an instance. */
export function plugin(instance, more = {}) {
  return {
    instance, type: 'ntfy', version: '1.0.0', summary: 'Sends to ntfy.', roles: ['notifier'], state: 'ready', since: at(-183_000), problem: '', log: [], next: null,
    restarts: 0, started: at(-183_000), memory: 16_400_000, dev: false, files: false, permissions: [], fields: [], settings: {}, secrets: [], source: 'bridge.yaml:12', ...more,
  };
}

/** One field of every kind. */
export const fields = [
  { name: 'topic', type: 'string', required: true, help: 'where messages go', example: 'my-cameras' },
  { name: 'token', type: 'string', secret: true, help: 'of your account' },
  { name: 'priority', type: 'integer', min: 1, max: 5, default: 3 },
  { name: 'wait', type: 'duration', example: '30s' },
  { name: 'quiet', type: 'boolean', help: 'without a sound' },
  { name: 'format', type: 'string', choices: ['text', 'markdown'], default: 'text' },
  { name: 'tags', type: 'strings' },
  { name: 'headers', type: 'map' },
  { name: 'program', type: 'string', file_only: true, help: 'what is run' },
];

export class Plugged {
  plugins = [];
  failed = [];
  /** What the configuration file says, where null goes back to. @type {Record<string, unknown>} */
  file = {};
  /** What the page asked for: {method, path, body}. */
  asked = [];
  /** By "POST phone/test": what is answered, instead of doing it. @type {Record<string, {status?: number, json: object}>} */
  answers = {};
  #sockets = new Set();

  /** join makes a page see these plugins; call it before the page goes to the bridge. */
  async join(page) {
    await page.routeWebSocket(/\/api\/v1\/ws$/, (socket) => {
      const server = socket.connectToServer();
      this.#sockets.add(socket);
      server.onMessage((data) => socket.send(data));
      socket.onMessage((data) => server.send(data));
      socket.onClose(() => this.#sockets.delete(socket));
    });
    await page.route(/\/api\/v1\/(?:plugins|alerts\/failed)(?:\/|$)/, (route) => this.#answer(route));
  }

  /** change changes a plugin and says so, as the bridge does. */
  change(instance, change) {
    this.plugins = this.plugins.map((one) => (one.instance === instance ? { ...one, ...change } : one));
    this.tell();
  }

  /** tell says that something changed. */
  tell() {
    for (const socket of this.#sockets) socket.send('{"type":"plugins"}');
  }

  /** told are the bodies of what the page asked for. */
  told(method, path) {
    return this.asked.filter((one) => one.method === method && one.path === path).map(({ body }) => body);
  }

  async #answer(route) {
    const request = route.request();
    const path = /\/api\/v1\/(.*)$/.exec(request.url())[1];
    const body = request.postData() === null ? undefined : JSON.parse(request.postData());
    this.asked.push({ method: request.method(), path, body });
    const canned = this.answers[`${request.method()} ${path}`];
    if (canned) return route.fulfill(canned);
    const [, what, name, action] = /^(plugins|alerts\/failed)(?:\/([^/]+))?(?:\/(do|test))?$/.exec(path);
    if (!name) return route.fulfill({ json: { items: what === 'plugins' ? this.plugins : this.failed } });
    if (what === 'plugins') return this.#act(route, this.plugins.find(({ instance }) => instance === name), action, body);
    this.failed = this.failed.filter(({ id }) => id !== name);
    return route.fulfill({ json: { ok: true } });
  }

  #act(route, one, action, body) {
    if (action === 'test') return route.fulfill({ json: { ok: true, message: 'sent to my-cameras' } });
    if (action === 'do') return route.fulfill({ json: { ok: true } });
    if (body.enabled !== undefined) one.state = body.enabled ? 'ready' : 'disabled';
    for (const [name, value] of Object.entries(body.settings ?? {})) {
      const secret = one.fields.find((field) => field.name === name).secret;
      if (secret) one.secrets = value === null ? one.secrets.filter((other) => other !== name) : [...new Set([...one.secrets, name])];
      else if (value === null && this.file[name] === undefined) delete one.settings[name];
      else one.settings[name] = value ?? this.file[name];
    }
    return route.fulfill({ json: one });
  }
}
