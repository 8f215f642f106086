import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { BridgeProcess, browser, difference, live, open, patience, pixels, spread, tile, traffic, until } from './harness.js';

let bridge, chromium, cameras, names;
before(async () => {
  [bridge, chromium] = await Promise.all([BridgeProcess.demo(), browser()]);
  const all = await bridge.cameras();
  cameras = all.map(({ id }) => id);
  names = all.map(({ name }) => name);
});
after(async () => {
  await chromium?.close();
  await bridge?.stop();
});

test('four cameras are live on canvas, through one socket, and the clock in each picture moves', async (t) => {
  const page = await open(t, chromium, 'about:blank');
  const seen = traffic(page);
  await page.goto(bridge.url);
  await live(page, 4);
  assert.equal(await page.locator('espcam-tile canvas').count(), 4);
  for (const id of cameras) {
    const first = await pixels(page, id);
    assert.ok(spread(first) > 15, `${id} is blank: its colours are ${spread(first)} apart`);
    await until(async () => difference(first, await pixels(page, id)) > 0.0005, `another picture of ${id}`);
  }
  assert.equal(seen.sockets, 1);
  await page.waitForFunction(() => document.querySelector('.counted').textContent === '4 of 4 live');
});

test('a tile says name, rate, size and signal', async (t) => {
  const page = await open(t, chromium, bridge.url);
  const native = (await bridge.cameras()).find(({ dialect }) => dialect === 'native').id;
  await live(page, native);
  const one = tile(page, native);
  await until(async () => /Rate\d[\d.]* fps.*Size640×480.*Signal−\d+ dBm/.test(await one.locator('.figures').textContent()), 'its figures');
  assert.equal(await one.locator('.name').textContent(), (await bridge.camera(native)).name);
  assert.equal(await one.locator('.chip').textContent(), 'live');
});

test('a click enlarges the same picture without another stream, Escape and Back go back', async (t) => {
  const page = await open(t, chromium, 'about:blank');
  const seen = traffic(page);
  await page.goto(bridge.url);
  await live(page, 4);
  const [, , third] = cameras;
  await tile(page, third).locator('canvas').evaluate((canvas) => (canvas.marked = true));
  const small = await tile(page, third).locator('canvas').boundingBox();
  await tile(page, third).locator('.picture').click();
  await page.locator('espcam-panel h2', { hasText: names[2] }).waitFor();
  await until(async () => (await tile(page, third).locator('canvas').boundingBox()).width > small.width * 1.3, 'a larger picture');
  assert.ok(page.url().endsWith(`#/${third}`));
  assert.equal(await tile(page, third).locator('canvas').evaluate((canvas) => canvas.marked), true);
  assert.equal(seen.sockets, 1);
  assert.equal(seen.sent.filter(({ type, camera }) => type === 'subscribe' && camera === third).length, 1);

  await page.keyboard.press('Escape');
  await page.locator('espcam-panel').waitFor({ state: 'hidden' });
  await page.goForward();
  await page.locator('espcam-panel').waitFor();
  await page.goBack();
  await page.locator('espcam-panel').waitFor({ state: 'hidden' });
  await live(page, 4);
});

test('an address with a camera in it opens with that camera enlarged', async (t) => {
  const page = await open(t, chromium, `${bridge.url}#/${cameras[1]}`);
  await page.locator('espcam-panel h2', { hasText: names[1] }).waitFor();
  await page.getByRole('button', { name: 'All cameras', exact: true }).click();
  await page.locator('espcam-panel').waitFor({ state: 'hidden' });
});

test('the keyboard alone is enough: move, enlarge, change a setting, go back', async (t) => {
  const page = await open(t, chromium, bridge.url);
  const native = (await bridge.cameras()).find(({ dialect }) => dialect === 'native').id;
  await live(page, 4);
  const focused = () => page.evaluate(() => document.activeElement.closest('espcam-tile')?.dataset.camera ?? document.activeElement.id);
  const tabTo = async (wanted) => {
    for (let i = 0; i < 60; i++) {
      if ((await focused()) === wanted) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`Tab never leads to ${wanted}`);
  };
  await tabTo(cameras[0]);
  const ring = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(ring, 'solid', 'the focus is not visible');
  await page.keyboard.press('ArrowRight');
  assert.equal(await focused(), cameras[1]);
  await page.keyboard.press('ArrowDown');
  assert.equal(await focused(), cameras[3]);
  await page.keyboard.press('ArrowLeft');
  assert.equal(await focused(), cameras[2]);
  await page.keyboard.press('Tab');
  assert.ok(!cameras.includes(await focused()), 'the wall is more than one stop for Tab');

  await tabTo(cameras[2]);
  await page.keyboard.press('Home');
  for (let i = 0; i < cameras.indexOf(native); i++) await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await page.locator('espcam-panel h2', { hasText: names[cameras.indexOf(native)] }).waitFor();
  await tabTo('setting-quality');
  const { settings } = await bridge.camera(native);
  await page.keyboard.press('ArrowRight');
  await until(async () => (await bridge.camera(native)).settings.reported.quality === settings.reported.quality + 1, 'the camera has the next quality');
  await page.keyboard.press('Escape');
  await page.locator('espcam-panel').waitFor({ state: 'hidden' });
  assert.equal(await focused(), native, 'the focus is lost');
});

test('a hidden tab gets no pictures, and fresh ones when it is looked at again', async (t) => {
  const page = await open(t, chromium, 'about:blank', {
    init: () => {
      // Chromium without a window never hides a tab, so the test says so to the page itself.
      window.setHidden = (hidden) => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
        Object.defineProperty(document, 'visibilityState', { value: hidden ? 'hidden' : 'visible', configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      };
    },
  });
  const seen = traffic(page);
  await page.goto(bridge.url);
  await live(page, 4);
  await page.evaluate(() => window.setHidden(true));
  await until(() => seen.sent.filter(({ type }) => type === 'unsubscribe').length === 4, 'four unsubscriptions', 1000);
  // The bridge goes on telling of its cameras, so that time can be measured by what it says.
  const news = async () => {
    const from = seen.texts;
    await until(() => seen.texts >= from + 4, 'news of four cameras');
  };
  await news();
  const count = seen.pictures;
  await news();
  assert.equal(seen.pictures, count, 'pictures came to a hidden tab');
  await page.evaluate(() => window.setHidden(false));
  await until(() => seen.pictures > count, 'a picture after the return', 3000);
  await live(page, 4);
});

test('tiles that are scrolled out of sight get no pictures', async (t) => {
  const page = await open(t, chromium, 'about:blank', { viewport: { width: 360, height: 520 } });
  const seen = traffic(page);
  await page.goto(bridge.url);
  await live(page, 1);
  const subscribed = () => seen.sent.filter(({ type }) => type === 'subscribe').map(({ camera }) => camera);
  await until(() => subscribed().includes(cameras[0]), 'the first camera is subscribed');
  await page.waitForFunction(() => document.querySelector('.counted').textContent === '4 of 4 live');
  assert.ok(!subscribed().includes(cameras[3]), 'the last camera is out of sight, but its pictures flow');
  await tile(page, cameras[3]).scrollIntoViewIfNeeded();
  await live(page, cameras[3]);
  await until(() => seen.sent.some(({ type }) => type === 'unsubscribe'), 'the first camera is unsubscribed');
});

test('Pause stops all pictures and says so', async (t) => {
  const page = await open(t, chromium, bridge.url);
  await live(page, 4);
  await page.getByRole('button', { name: 'Stop all pictures' }).click();
  await page.locator('espcam-tile[data-kind=paused]').nth(3).waitFor();
  await page.getByRole('button', { name: 'Let the pictures move' }).click();
  await live(page, 4);
});

test('a browser that refuses to decode still shows pictures, in images', async (t) => {
  const page = await open(t, chromium, bridge.url, { init: () => (window.createImageBitmap = () => Promise.reject(new DOMException('refused', 'InvalidStateError'))) });
  await live(page, 4);
  assert.equal(await page.locator('espcam-tile .screen img').count(), 4);
  const painted = async () => {
    const now = await pixels(page, cameras[0]);
    return spread(now) > 15 && now;
  };
  const first = await until(painted, 'a picture'); // the image may still be decoding its first
  await until(async () => difference(first, await pixels(page, cameras[0])) > 0.0005, 'another picture');
});

test('the first picture is there soon', async (t) => {
  const page = await open(t, chromium, 'about:blank');
  const start = Date.now();
  await page.goto(bridge.url);
  await page.locator('espcam-tile canvas').first().waitFor();
  const took = Date.now() - start;
  t.diagnostic(`first picture after ${took} ms`);
  assert.ok(took < patience / 3, `it took ${took} ms`);
});
