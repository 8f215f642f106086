import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { BridgeProcess, browser, difference, live, open, pixels, tile, traffic, until } from './harness.js';
import { TestCamera, paint } from './camera.js';

const loopback = 'mqtt: {embedded: {listen: "127.0.0.1:0"}}\n';
const key = (id) => `wsk_page_test_key_of_${id}_0123456789`;
const hostile = '<img src=x onerror="document.title=1">';
const ids = Array.from({ length: 12 }, (_, i) => `cam${String(i + 1).padStart(2, '0')}`);

let chromium, pictures, bridge;
before(async () => {
  chromium = await browser();
  pictures = await paint(chromium, 4);
  const cameras = ids.map((id) => `  ${id}: {key: "${key(id)}"${id === 'cam12' ? `, name: '${hostile}'` : ''}}`).join('\n');
  bridge = await BridgeProcess.serve(`${loopback}name: house\nhttp: {listen: "127.0.0.1:0", auth: false}\ncameras:\n${cameras}\n`);
});
after(async () => {
  await chromium?.close();
  await bridge?.stop();
});

/** join connects a test camera for the length of a test. */
async function join(t, id) {
  const camera = await TestCamera.connect(bridge.port, key(id));
  t.after(() => camera.close());
  return camera;
}

test('the age of a picture is told: amber from 3 seconds, stale from 10, live again', async (t) => {
  const camera = await join(t, 'cam01');
  camera.stream(pictures);
  const page = await open(t, chromium, bridge.url);
  await live(page, 'cam01');
  const kind = (is) => page.waitForFunction((wanted) => document.querySelector('espcam-tile[data-camera=cam01]').dataset.kind === wanted, is);
  const chip = tile(page, 'cam01').locator('.chip');
  camera.hold();
  const held = Date.now();
  await kind('old');
  assert.ok(Date.now() - held > 2500, 'too early to be old');
  assert.match(await chip.textContent(), /^[345]\.\d s old$/);
  await kind('stale');
  assert.ok(Date.now() - held > 9500, 'too early to be stale');
  assert.match(await chip.textContent(), /^stale · 1\d s$/);
  camera.stream(pictures);
  await kind('live');
});

test('a camera that goes away turns grey at once, then says for how long and when its last picture came', async (t) => {
  const camera = await join(t, 'cam01');
  camera.stream(pictures);
  const page = await open(t, chromium, bridge.url);
  await live(page, 'cam01');
  camera.close();
  await page.waitForFunction(() => document.querySelector('espcam-tile[data-camera=cam01]').dataset.kind === 'lost', null, { timeout: 2000 });
  await tile(page, 'cam01').getByText(/^Offline for \d+ s$/).waitFor();
  await tile(page, 'cam01').getByText(/^last picture \d\d:\d\d:\d\d$/).waitFor();
  assert.match(await page.evaluate(() => getComputedStyle(document.querySelector('espcam-tile[data-camera=cam01] canvas')).filter), /grayscale/);
  assert.match(await tile(page, 'cam01').locator('button').getAttribute('aria-label'), /^cam01, Offline for \d+ s, last picture .*Enlarge$/);
});

test('more than eight cameras are painted by a worker, and nothing goes blank on the way', async (t) => {
  const cameras = await Promise.all(ids.map((id) => join(t, id)));
  for (const camera of cameras) camera.stream(pictures, 3);
  const page = await open(t, chromium, bridge.url, { viewport: { width: 1600, height: 900 } });
  await live(page, 12);
  await until(() => page.workers().length === 1, 'one worker');
  for (const id of ids) {
    const first = await pixels(page, id);
    await until(async () => difference(first, await pixels(page, id)) > 0.3, `another picture of ${id}`);
  }
  await page.setViewportSize({ width: 360, height: 640 });
  await live(page, 'cam01');
  const [first] = [await pixels(page, 'cam01')];
  await until(async () => difference(first, await pixels(page, 'cam01')) > 0.3, 'pictures go on in a small window');
});

test('names from anywhere are text', async (t) => {
  const page = await open(t, chromium, bridge.url);
  await tile(page, 'cam12').waitFor();
  assert.equal(await tile(page, 'cam12').locator('.name').textContent(), hostile);
  await page.goto(`${bridge.url}#/cam11`);
  await page.getByRole('button', { name: 'Rename' }).click();
  await page.getByRole('textbox', { name: 'New name' }).fill(hostile);
  await page.keyboard.press('Enter');
  await until(async () => (await page.locator('espcam-panel h2').textContent()) === hostile, 'the name as text');
  assert.equal((await bridge.camera('cam11')).name, hostile);
  assert.equal(await page.locator('img').count(), 0);
  assert.match(await page.title(), /^<img .*house/);
});

test('a name that the configuration holds stays, with the reason in words', async (t) => {
  const page = await open(t, chromium, `${bridge.url}#/cam12`);
  await page.getByRole('button', { name: 'Rename' }).click();
  await page.getByRole('textbox', { name: 'New name' }).fill('Shed');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: 'bridge.yaml' }).waitFor();
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('espcam-panel h2').textContent(), hostile);
});

test('without cameras the page says how to add one', async (t) => {
  const none = await BridgeProcess.serve(`${loopback}http: {listen: "127.0.0.1:0", auth: false}\n`);
  t.after(() => none.stop());
  const page = await open(t, chromium, none.url);
  await page.getByRole('heading', { name: 'No cameras yet' }).waitFor();
  await page.getByText('espcam-bridge keys add porch').waitFor();
  await page.getByText(`ws://127.0.0.1:${none.port}/ingest/ws`).waitFor();
});

test('who is not known is asked for a token; roles are offered what they may do', async (t) => {
  const viewer = 'esb_page_test_viewer_0123456789abcdef';
  const admin = 'esb_page_test_admin_0123456789abcdef0';
  const guarded = await BridgeProcess.serve(
    `${loopback}http:\n  listen: "127.0.0.1:0"\n  app: yard\n  tokens:\n    - {name: wall, token: "${viewer}", role: viewer}\n    - {name: me, token: "${admin}", role: admin}\n` +
      `cameras:\n  porch: {key: "${key('porch')}"}\n`,
  );
  t.after(() => guarded.stop());
  const camera = await TestCamera.connect(guarded.port, key('porch'));
  t.after(() => camera.close());
  camera.stream(pictures);

  const page = await open(t, chromium, `${guarded.url}#/porch`, { expect: /status of 401/ });
  const token = page.getByLabel('Token');
  await token.fill('esb_wrong');
  await token.press('Enter');
  await page.getByRole('alert').filter({ hasText: 'the token is wrong' }).waitFor();
  await token.fill(viewer);
  await page.getByRole('button', { name: 'Open' }).click();
  await live(page, 'porch');
  await page.locator('.actions').waitFor();
  assert.equal(await page.locator('espcam-setting').count(), 0);
  assert.deepEqual(await page.locator('.actions button').allTextContents(), ['Snapshot']);
  assert.equal(await page.getByRole('button', { name: 'Rename' }).isVisible(), false);
  assert.equal(await page.getByRole('switch').count(), 0);
  await page.locator('summary', { hasText: 'Addresses' }).click();
  assert.equal(await page.getByRole('textbox', { name: 'MJPEG address' }).inputValue(), `${guarded.url}live/yard/porch/mjpeg`);
  await page.getByText('Other programs need a token').waitFor();
  await page.reload();
  await live(page, 'porch');

  await page.getByRole('button', { name: 'Log out' }).click();
  await token.fill(admin);
  await token.press('Enter');
  await live(page, 'porch');
  await page.getByRole('button', { name: 'Rename' }).waitFor();
  await page.getByRole('switch', { name: 'Camera switched on' }).waitFor();
  assert.ok((await page.locator('espcam-setting').count()) > 0);
});

test('pictures of the hidden part of the page are never asked for by a viewer of many', async (t) => {
  const page = await open(t, chromium, 'about:blank', { viewport: { width: 360, height: 640 } });
  const seen = traffic(page);
  await page.goto(bridge.url);
  await until(() => seen.sent.some(({ type }) => type === 'subscribe'), 'a subscription');
  await tile(page, 'cam12').waitFor({ state: 'attached' });
  assert.ok(new Set(seen.sent.filter(({ type }) => type === 'subscribe').map(({ camera }) => camera)).size < 6);
});
