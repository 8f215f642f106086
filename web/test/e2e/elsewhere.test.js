import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { connect } from 'node:net';
import { BridgeProcess, browser, live, open, shots, tile } from './harness.js';
import { TestCamera, paint } from './camera.js';

const key = 'wsk_page_test_key_of_porch_0123456789';
const admin = 'esb_page_test_admin_0123456789abcdef0';

let chromium, pictures, guarded, camera;
before(async () => {
  chromium = await browser();
  pictures = await paint(chromium, 4);
  guarded = await BridgeProcess.serve(
    `mqtt: {embedded: {listen: "127.0.0.1:0", users: [{username: ha, password: secret}]}}\n` +
      `http:\n  listen: "127.0.0.1:0"\n  tokens:\n    - {name: me, token: "${admin}", role: admin}\ncameras:\n  porch: {key: "${key}"}\n`,
  );
  camera = await TestCamera.connect(guarded.port, key);
  camera.stream(pictures);
});
after(async () => {
  camera?.close();
  await chromium?.close();
  await guarded?.stop();
});

/** A bridge of one test is stopped before its page is. */
const whenOver = /ERR_CONNECTION_(REFUSED|RESET|CLOSED)|WebSocket connection to/;

const box = (page, name) => page.getByRole('textbox', { name, exact: true });
const status = async (url) => {
  const abort = new AbortController();
  const response = await fetch(url, { signal: abort.signal });
  abort.abort();
  return response.status;
};

/** addresses opens that section of a camera's panel. */
const addresses = (page) => page.locator('summary', { hasText: 'Addresses' }).click();

/** look takes a picture in both colour schemes. */
async function look(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(shots, `${name}-${colorScheme}.png`) });
  }
}

/** enter opens a page of the guarded bridge, as its admin. */
async function enter(t, options) {
  const page = await open(t, chromium, `${guarded.url}#/porch`, { expect: /status of 401/, ...options });
  await page.getByLabel('Token').fill(admin);
  await page.keyboard.press('Enter');
  await live(page, 'porch');
  await addresses(page);
  return page;
}

test('a link for Home Assistant opens the pictures of its camera, is shown once, and can be ended', async (t) => {
  const page = await enter(t);
  assert.equal(await box(page, 'MJPEG URL for Home Assistant').count(), 0);
  assert.equal(await status(await box(page, 'MJPEG address').inputValue()), 401);
  await page.getByRole('button', { name: 'Make a link for Home Assistant' }).click();
  await page.getByText('This link is shown once').waitFor();

  const mjpeg = await box(page, 'MJPEG URL for Home Assistant').inputValue();
  const still = await box(page, 'still image URL for Home Assistant').inputValue();
  const { origin, searchParams } = new URL(mjpeg);
  const token = searchParams.get('token');
  assert.match(token, /^est_[a-z2-7]{52}$/);
  assert.equal(mjpeg, `${origin}/live/live/porch/mjpeg?token=${token}`);
  assert.equal(still, `${origin}/live/live/porch/frame.jpg?token=${token}`);
  assert.equal(await box(page, 'name for Home Assistant').inputValue(), 'porch');
  assert.equal(await box(page, 'go2rtc configuration').inputValue(), `streams:\n  porch: ffmpeg:${mjpeg}#video=h264`);
  assert.equal(await box(page, 'MJPEG address').inputValue(), mjpeg);
  const window = await box(page, 'Window address').inputValue();
  for (const url of [mjpeg, still, window]) assert.equal(await status(url), 200, url);
  assert.equal(await status(`${origin}/api/v1/cameras?token=${token}`), 403);

  await page.getByRole('button', { name: 'All cameras', exact: true }).click();
  await tile(page, 'porch').locator('.picture').click();
  await addresses(page);
  await page.getByText('Home Assistant: porch').waitFor();
  assert.ok(!(await page.content()).includes(token));
  await page.getByRole('button', { name: 'Revoke Home Assistant: porch' }).click();
  await page.getByText('Home Assistant: porch').waitFor({ state: 'hidden' });
  assert.equal(await status(still), 401);
});

test('a link that could not be made says why', async (t) => {
  const page = await enter(t, { expect: /status of (401|503)/ });
  await page.route(/stream-tokens$/, (route) => (route.request().method() === 'POST' ? route.fulfill({ status: 503, json: { error: { code: 'unavailable', message: 'the disk is full' } } }) : route.continue()));
  await page.getByRole('button', { name: 'Make a link for Home Assistant' }).click();
  await page.getByRole('alert').filter({ hasText: 'porch: the disk is full' }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Make a link for Home Assistant' }).isEnabled(), true);
});

test('a broker that refuses the bridge is told in words', async (t) => {
  const broker = /\bmqtt=(\S+)/.exec(guarded.output)[1];
  const refused = await BridgeProcess.serve(`mqtt: {broker: "mqtt://${broker}", username: thief, password: guess}\nhttp: {listen: "127.0.0.1:0", auth: false}\n`);
  t.after(() => refused.stop());
  const page = await open(t, chromium, refused.url, { expect: whenOver });
  await page.getByRole('button', { name: 'Messages, 1 new' }).click();
  await page.locator('.standing', { hasText: `The MQTT broker at mqtt://${broker} refuses user "thief"` }).waitFor();
  await look(page, 'mqtt-refused');
  const { mqtt, degraded } = await (await fetch(new URL('readyz', refused.url))).json();
  assert.match(mqtt, /refuses user "thief"/);
  assert.equal(degraded, true);
});

test('a bridge that has no trouble shows none', async (t) => {
  const page = await enter(t);
  await page.getByRole('button', { name: 'Messages', exact: true }).click();
  await page.getByText('Nothing went wrong').waitFor();
});

test('without tokens Home Assistant is told the addresses as they are; what MQTT was refused is in the log', async (t) => {
  const demo = await BridgeProcess.demo();
  t.after(() => demo.stop());
  const [{ id, name }] = (await demo.cameras()).filter(({ dialect }) => dialect === 'native');
  const page = await open(t, chromium, `${demo.url}#/${id}`, { expect: whenOver });
  await live(page, id);
  await addresses(page);
  const still = await box(page, 'still image URL for Home Assistant').inputValue();
  assert.equal(still, `${demo.url}live/live/${id}/frame.jpg`);
  assert.equal(await status(still), 200);
  assert.equal(await box(page, 'name for Home Assistant').inputValue(), name);
  assert.equal(await page.getByRole('button', { name: 'Make a link' }).count(), 0);
  assert.equal(await page.locator('.missed').count(), 0);

  await publish(/\bmqtt=(\S+)/.exec(demo.output)[1], `espcam/${id}/jpeg_quality/set`, '99');
  await page.getByRole('alert').filter({ hasText: 'Over MQTT' }).waitFor();
  await page.getByRole('button', { name: 'Messages, 1 new' }).click();
  await page.locator('.notices li', { hasText: /Over MQTT: .*4 to 63/ }).locator('strong', { hasText: name }).waitFor();
});

test('a camera that was deleted in Home Assistant is announced again when its owner says so', async (t) => {
  const page = await open(t, chromium, 'about:blank', { expect: /status of (401|503)/ });
  let answer = { status: 503, json: { error: { code: 'unavailable', message: 'there is no broker' } } };
  const asked = [];
  await page.route(/\/rediscover$/, (route) => (asked.push(route.request().method() + new URL(route.request().url()).pathname), route.fulfill(answer)));
  let announced = false;
  await page.routeWebSocket(/\/api\/v1\/ws$/, (socket) => {
    const server = socket.connectToServer();
    const mark = (one) => one && Object.assign(one, { announced });
    server.onMessage((data) => {
      if (typeof data !== 'string') return socket.send(data);
      const message = JSON.parse(data);
      message.cameras?.forEach(mark);
      if (message.type === 'camera') mark(message.camera);
      socket.send(JSON.stringify(message));
    });
  });
  await page.goto(`${guarded.url}#/porch`);
  await page.getByLabel('Token').fill(admin);
  await page.keyboard.press('Enter');
  await live(page, 'porch');
  const button = page.getByRole('button', { name: 'Announce in Home Assistant again' });
  await button.click();
  await page.getByRole('alert').filter({ hasText: 'porch: there is no broker' }).waitFor();
  await look(page, 'deleted');
  answer = { status: 200, json: { ok: true } };
  await button.click();
  await page.getByRole('status').filter({ hasText: 'porch is announced in Home Assistant again.' }).waitFor();
  assert.deepEqual(asked, Array(2).fill('POST/api/v1/cameras/porch/rediscover'));
  announced = true;
  await button.waitFor({ state: 'hidden' });
});

for (const [width, height] of [[360, 740], [1280, 800]]) {
  test(`${width} px wide: a link fits, and can be looked at`, async (t) => {
    for (const colorScheme of ['dark', 'light']) {
      const page = await enter(t, { viewport: { width, height }, colorScheme });
      await page.getByRole('button', { name: 'Make a link for Home Assistant' }).scrollIntoViewIfNeeded();
      await page.screenshot({ path: join(shots, `offer-${width}-${colorScheme}.png`) });
      await page.getByRole('button', { name: 'Make a link for Home Assistant' }).click();
      await box(page, 'go2rtc configuration').scrollIntoViewIfNeeded();
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width);
      await page.screenshot({ path: join(shots, `link-${width}-${colorScheme}.png`) });
      await page.context().close();
    }
    t.diagnostic(`pictures are in ${shots}`);
  });
}

/** publish sends one MQTT 3.1.1 message with QoS 0, as any client of the broker may. */
function publish(broker, topic, payload) {
  const text = (s) => Buffer.concat([Buffer.from([s.length >> 8, s.length & 255]), Buffer.from(s)]);
  const packet = (kind, ...parts) => {
    const body = Buffer.concat(parts);
    assert.ok(body.length < 128);
    return Buffer.concat([Buffer.from([kind, body.length]), body]);
  };
  const [host, port] = broker.split(':');
  const socket = connect(Number(port), host);
  return new Promise((done, fail) => {
    socket.on('error', fail).on('close', done);
    socket.write(packet(0x10, text('MQTT'), Buffer.from([4, 2, 0, 30]), text('page-test')));
    socket.once('data', () => socket.end(Buffer.concat([packet(0x30, text(topic), Buffer.from(payload)), packet(0xe0)])));
  });
}
