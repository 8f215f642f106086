/**
 * Motion as the tests want it: stands between the page and the real bridge, adds
 * motion to what the bridge says of its cameras, and answers for events, their
 * pictures and clips. All else is the bridge's own.
 */

const digits = '0123456789abcdefghjkmnpqrstvwxyz';

/** eventID makes an id as the bridge does: it sorts by time. */
export function eventID(ms, n = 0) {
  let v = (BigInt(ms) << 15n) | BigInt(n & 0x7fff);
  let id = '';
  for (let i = 0; i < 13; i++, v >>= 5n) id = digits[Number(v & 31n)] + id;
  return id;
}

/** clipOf is a clip file of these pictures. */
export function clipOf(pictures, from, step = 200) {
  const parts = pictures.map((jpeg, i) => [Buffer.from(`Content-Type: image/jpeg\r\nContent-Length: ${jpeg.length}\r\nX-Timestamp: ${((from + i * step) / 1000).toFixed(6)}\r\n\r\n`), Buffer.from(jpeg), Buffer.from('\r\n--frame\r\n')]);
  return Buffer.concat([Buffer.from('--frame\r\n'), ...parts.flat()]);
}

const settings = { enabled: true, sensitivity: 50, fps: 10, width: 160, off_delay: 10, threshold: null, noise: 5, area: null, frames: '2/3', ignore: [], zones: {} };

export class Moving {
  /** What the bridge would know: newest first. */
  events = [];
  /** @type {Record<string, any>} by camera */ motion = {};
  /** Clips by event id, else this one. */
  clip = Buffer.alloc(0);
  clips = {};
  picture = Buffer.alloc(0);
  seen = Buffer.alloc(0);
  asked = [];
  told = [];
  /** Set to answer requests for events with an error. */
  down = '';
  #sockets = new Set();
  #queries = /^[^?]*\/api\/v1\/events(?:\/([0-9a-z]+)(?:\/(\S+?))?)?(?:\?(.*))?$/;

  /** join makes a page see this motion; call it before the page goes to the bridge. */
  async join(page) {
    await page.routeWebSocket(/\/api\/v1\/ws$/, (socket) => this.#connect(socket));
    await page.route(this.#queries, (route) => this.#answer(route));
    await page.route(/\/api\/v1\/cameras\/[^/]+\/motion\.png$/, (route) => this.#debug(route));
  }

  /** of is the motion of a camera. */
  of(id) {
    return (this.motion[id] ??= { active: false, since: null, event: '', learning: false, settings: { ...settings }, detector: { fps: 9.8, analysed: 100, skipped: { pace: 0, busy: 0 }, quiet: { too_small: 5, settling: 1 } } });
  }

  /** tell lets all pages know of an event's newest state. */
  tell(event, now = []) {
    const at = this.events.findIndex(({ id }) => id === event.id);
    if (at >= 0) this.events[at] = event;
    else this.events.unshift(event);
    const active = !event.end;
    Object.assign(this.of(event.camera), { active, event: active ? event.id : '', since: event.begin });
    this.#all({ type: 'event', event, now, active });
  }

  /** event makes one that began so many seconds ago. */
  event(camera, ago, more = {}) {
    const begin = Date.now() - ago * 1000;
    const end = new Date(begin + 8000).toISOString();
    return { id: eventID(begin), camera, camera_name: camera, sources: ['pixels'], begin: new Date(begin).toISOString(), last: new Date(begin + 5000).toISOString(), end, ending: 'quiet', score: 0.62, boxes: [{ x: 0.25, y: 0.3, w: 0.3, h: 0.4 }], zones: [], labels: [], picture: true, clip: true, ...more };
  }

  /** change changes a camera's motion and says so. */
  change(id, change) {
    Object.assign(this.of(id), change);
    for (const { cameras, send } of this.#sockets) if (cameras[id]) send({ type: 'camera', camera: this.#with(cameras[id]) });
  }

  /** drop cuts all connections, as when the bridge is gone for a moment. */
  drop() {
    for (const { close } of this.#sockets) close();
  }

  #all(message) {
    for (const { send } of this.#sockets) send(message);
  }

  #with(camera) {
    return { ...camera, motion: structuredClone(this.of(camera.id)) };
  }

  #connect(socket) {
    const server = socket.connectToServer();
    const one = { cameras: {}, send: (message) => socket.send(JSON.stringify(message)), close: () => socket.close() };
    this.#sockets.add(one);
    server.onMessage((data) => {
      if (typeof data !== 'string') return socket.send(data);
      const message = JSON.parse(data);
      if (message.type === 'event') return; // the bridge's own
      if (message.type === 'welcome') message.cameras = message.cameras.map((camera) => ((one.cameras[camera.id] = camera), this.#with(camera)));
      if (message.camera?.id) message.camera = ((one.cameras[message.camera.id] = message.camera), this.#with(message.camera));
      one.send(message);
    });
    socket.onMessage((data) => {
      const message = typeof data === 'string' ? JSON.parse(data) : null;
      if (message?.type === 'motion') this.#set(one, message);
      else server.send(data);
    });
    socket.onClose(() => this.#sockets.delete(one));
  }

  #set(one, { id, camera, motion }) {
    this.told.push({ camera, motion });
    const wrong = Number(motion.off_delay) > 300 && { code: 'invalid', message: 'motion.off_delay must be from 1s to 5m (in JSON a number of seconds), not 900', field: 'motion.off_delay' };
    if (wrong) return one.send({ type: 'result', id, ok: false, error: wrong });
    for (const [name, value] of Object.entries(motion)) this.of(camera).settings[name] = value ?? settings[name];
    one.send({ type: 'result', id, ok: true, camera: this.#with(one.cameras[camera]) });
  }

  #answer(route) {
    const [, id, file, query] = this.#queries.exec(route.request().url());
    this.asked.push(route.request().url());
    if (this.down && !file) return route.fulfill({ status: 503, json: { error: { code: 'unavailable', message: this.down } } });
    if (!id) return this.#list(route, new URLSearchParams(query));
    const event = this.events.find((one) => one.id === id);
    if (!event) return route.fulfill({ status: 404, json: { error: { code: 'not_found', message: 'there is no such event' } } });
    if (!file) return route.fulfill({ json: event });
    if (file.startsWith('picture')) return route.fulfill({ contentType: 'image/jpeg', body: this.picture });
    return route.fulfill({ contentType: 'multipart/x-mixed-replace; boundary=frame', body: this.clips[id] ?? this.clip });
  }

  #list(route, query) {
    const passes = (event) =>
      (!query.get('camera') || query.get('camera').split(',').includes(event.camera)) &&
      (!query.get('zone') || event.zones.includes(query.get('zone'))) &&
      (!query.get('label') || event.labels.some(({ label }) => label === query.get('label'))) &&
      (!query.get('before') || event.id < query.get('before'));
    const found = this.events.filter(passes);
    const items = found.slice(0, Number(query.get('limit') ?? 50));
    return route.fulfill({ json: { items, next: found.length > items.length ? items.at(-1).id : '' } });
  }

  #debug(route) {
    this.asked.push(route.request().url());
    return this.seen.length > 0 ? route.fulfill({ contentType: 'image/png', body: this.seen }) : route.fulfill({ status: 404, json: { error: { code: 'not_found', message: 'motion detection is off for this camera' } } });
  }
}

/**
 * film draws what a camera would have seen: a figure that walks through a yard.
 * @param {import('playwright-core').Browser} browser
 * @param {number} count
 * @returns {Promise<{pictures: Uint8Array[], overlay: Uint8Array, boxes: {x: number, y: number, w: number, h: number}[]}>}
 */
export async function film(browser, count) {
  const page = await browser.newPage();
  const out = await page.evaluate(async (n) => {
    const canvas = new OffscreenCanvas(640, 480);
    const context = canvas.getContext('2d');
    const bytes = async (kind) => [...new Uint8Array(await (await canvas.convertToBlob({ type: kind, quality: 0.8 })).arrayBuffer())];
    const pictures = [];
    const boxes = [];
    for (let i = 0; i < n; i++) {
      const sky = context.createLinearGradient(0, 0, 0, 300);
      sky.addColorStop(0, '#7d9bb5');
      sky.addColorStop(1, '#d8dfe2');
      context.fillStyle = sky;
      context.fillRect(0, 0, 640, 300);
      context.fillStyle = '#6d7f5e';
      context.fillRect(0, 280, 640, 200);
      context.fillStyle = '#8a6f58';
      context.fillRect(380, 130, 190, 170);
      context.fillStyle = '#3d2f27';
      context.fillRect(450, 200, 50, 100);
      const x = 40 + (i * 480) / n;
      context.fillStyle = '#22303f';
      context.fillRect(x, 220, 46, 110);
      context.beginPath();
      context.arc(x + 23, 200, 20, 0, 7);
      context.fillStyle = '#c39b80';
      context.fill();
      pictures.push(await bytes('image/jpeg'));
      boxes.push({ x: x / 640, y: 178 / 480, w: 46 / 640, h: 154 / 480 });
    }
    canvas.width = 160;
    canvas.height = 120;
    for (let i = 0; i < 300; i++) {
      context.fillStyle = 'rgba(80, 140, 255, .4)';
      context.fillRect((i * 37) % 160, (i * 53) % 120, 1, 1);
    }
    context.fillStyle = 'rgba(255, 92, 77, .7)';
    context.fillRect(60, 46, 12, 37);
    return { pictures, boxes, overlay: await bytes('image/png') };
  }, count);
  await page.close();
  return { boxes: out.boxes, pictures: out.pictures.map((b) => Uint8Array.from(b)), overlay: Uint8Array.from(out.overlay) };
}
