import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { BridgeProcess, browser, live, open, pixels, spread, tile, traffic, until } from './harness.js';

let bridge, chromium, native, other, plain;
before(async () => {
  [bridge, chromium] = await Promise.all([BridgeProcess.demo(), browser()]);
  const cameras = await bridge.cameras();
  [native, other] = cameras.filter(({ dialect }) => dialect === 'native').map(({ id }) => id);
  plain = cameras.find(({ dialect }) => dialect === 'streamhub').id;
});
after(async () => {
  await chromium?.close();
  await bridge?.stop();
});

/** one opens the page with a camera enlarged and live. */
async function one(t, id, options) {
  const page = await open(t, chromium, 'about:blank', options);
  const seen = traffic(page);
  await page.goto(`${bridge.url}#/${id}`);
  await live(page, id);
  await page.locator('espcam-panel .body > *').first().waitFor();
  return { page, seen, setting: (name) => page.locator(`espcam-setting[data-setting="${name}"]`) };
}

/** drag sets a range input as a finger would: with input events. */
const drag = (input, value) => input.evaluate((element, to) => {
  element.value = String(to);
  element.dispatchEvent(new Event('input', { bubbles: true }));
}, value);

/** brightness is the mean of all colours, 0 to 255. */
const brightness = (data) => data.reduce((sum, value, i) => sum + (i % 4 === 3 ? 0 : value), 0) / (data.length * 0.75);

const confirmed = (setting) => setting.and(setting.page().locator('[data-mark=confirmed]')).waitFor();
const reported = (id, name, value) => until(async () => (await bridge.camera(id)).settings.reported[name] === value, `${id} reports ${name} ${value}`);

test('quality is changed and seen confirmed', async (t) => {
  const { setting } = await one(t, native);
  const quality = setting('quality');
  assert.match(await quality.textContent(), /lower is better/i);
  await drag(quality.locator('input'), 30);
  await confirmed(quality);
  assert.equal(await quality.locator('output').textContent(), '30');
  await reported(native, 'quality', 30);
});

test('resolution is changed, confirmed, and the pictures have it', async (t) => {
  const { page, setting } = await one(t, native);
  await setting('framesize').locator('select').selectOption('SVGA');
  await confirmed(setting('framesize'));
  await reported(native, 'framesize', 'SVGA');
  await page.waitForFunction(() => document.querySelector('.enlarged canvas').width === 800);
  await setting('framesize').locator('select').selectOption('VGA');
  await reported(native, 'framesize', 'VGA');
});

test('the LED is switched on, and the picture shows it', async (t) => {
  const { page, setting } = await one(t, other);
  const dark = brightness(await pixels(page, other));
  await drag(setting('led').locator('input'), 255);
  await confirmed(setting('led'));
  await reported(other, 'led', 255);
  await until(async () => brightness(await pixels(page, other)) > dark + 5, 'a brighter picture');
  await drag(setting('led').locator('input'), 0);
  await reported(other, 'led', 0);
  await until(async () => (await setting('led').locator('output').textContent()) === 'off', 'the LED is off');
});

test('every other setting is behind All settings: switch, select and text', async (t) => {
  const { page, setting } = await one(t, other);
  assert.equal(await setting('hmirror').isVisible(), false);
  await page.locator('summary', { hasText: 'All settings' }).click();
  await setting('hmirror').getByRole('switch').click();
  await confirmed(setting('hmirror'));
  await reported(other, 'hmirror', true);
  await setting('special_effect').locator('select').selectOption('Negative');
  await reported(other, 'special_effect', 'Negative');
  await setting('label').locator('input').fill('Beds');
  await setting('label').locator('input').press('Enter');
  await reported(other, 'label', 'Beds');
  const { capabilities } = await bridge.camera(other);
  assert.equal(await page.locator('espcam-setting').count(), capabilities.settings.length);
});

test('a change that others make is seen', async (t) => {
  const { setting } = await one(t, native);
  const url = new URL(`api/v1/cameras/${native}`, bridge.url);
  const response = await fetch(url, { method: 'PATCH', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ settings: { quality: 44 } }) });
  assert.equal(response.status, 200);
  await until(async () => (await setting('quality').locator('input').inputValue()) === '44', 'the slider stands at 44');
});

test('a dragged slider sends at most ten commands a second, and its last value always', async (t) => {
  const { seen, setting, page } = await one(t, other);
  await page.evaluate(async () => {
    const input = document.querySelector('#setting-quality');
    const end = performance.now() + 2000;
    for (let value = 4; performance.now() < end; value = value === 62 ? 4 : value + 1) {
      input.value = String(value);
      input.dispatchEvent(new Event('input', { bubbles: true }));
      await new Promise(requestAnimationFrame);
    }
    input.value = '63';
    input.dispatchEvent(new Event('input', { bubbles: true }));
  });
  await confirmed(setting('quality'));
  await reported(other, 'quality', 63);
  const sets = seen.sent.filter(({ type }) => type === 'set');
  assert.ok(sets.length >= 2 && sets.length <= 25, `${sets.length} commands`);
  assert.equal(sets.at(-1).settings.quality, 63);
});

test('a refused value goes back to what the camera has, with the reason in words', async (t) => {
  const { page, setting } = await one(t, native);
  const before = (await bridge.camera(native)).settings.reported.quality;
  const quality = setting('quality');
  await quality.locator('input').evaluate((input) => (input.max = '1000'));
  await drag(quality.locator('input'), 900);
  await quality.and(page.locator('[data-mark=refused]')).waitFor();
  assert.match(await quality.locator('.note').textContent(), /quality is 900/);
  assert.equal(await quality.locator('input').inputValue(), String(before));
  await page.getByRole('button', { name: /^Messages/ }).click();
  await page.locator('.notices li', { hasText: 'quality is 900' }).waitFor();
});

test('a StreamHub camera is offered nothing that it cannot do', async (t) => {
  const { page, setting } = await one(t, plain);
  for (const name of ['led', 'framesize', 'quality']) assert.equal(await setting(name).count(), 0, name);
  const names = await page.locator('espcam-setting').evaluateAll((all) => all.map((one) => one.dataset.setting));
  assert.deepEqual(names, (await bridge.camera(plain)).capabilities.settings.map(({ name }) => name));
  assert.deepEqual(await page.locator('.actions button').allTextContents(), ['Snapshot']);
});

test('restart asks first, then shows the camera going and coming back', async (t) => {
  const { page } = await one(t, other);
  await page.getByRole('button', { name: 'Restart' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  assert.equal((await bridge.camera(other)).connected, true);
  await page.getByRole('button', { name: 'Restart' }).click();
  await dialog.getByRole('button', { name: 'Restart' }).click();
  await page.locator('.enlarged:is([data-kind=lost], [data-kind=offline])').waitFor();
  await live(page, other, 30_000);
});

test('what an absent camera is asked for is shown as wanted, and in force when it is back', async (t) => {
  const { page, setting } = await one(t, native);
  const quality = setting('quality');
  await page.getByRole('button', { name: 'Restart' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Restart' }).click();
  await page.locator('.enlarged:is([data-kind=lost], [data-kind=offline])').waitFor();
  await drag(quality.locator('input'), 21);
  await quality.and(page.locator('[data-mark=wanted]')).waitFor();
  assert.match(await quality.locator('.note').textContent(), /^Wanted: 21/);
  await reported(native, 'quality', 21);
  await quality.and(page.locator('[data-mark=""]')).waitFor();
  assert.equal(await quality.locator('output').textContent(), '21');
});

test('Snapshot saves the newest picture under a name with camera and time', async (t) => {
  const { page } = await one(t, native);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Snapshot' }).click()]);
  assert.match(download.suggestedFilename(), new RegExp(`^${native}-\\d{4}-\\d\\d-\\d\\d-\\d{6}\\.jpg$`));
});

test('Identify is confirmed in words', async (t) => {
  const { page } = await one(t, native);
  await page.getByRole('button', { name: 'Identify' }).click();
  await page.getByRole('status').filter({ hasText: (await bridge.camera(native)).name }).waitFor();
});

test('a camera that is switched off shows no picture, not even the last', async (t) => {
  const { page } = await one(t, plain);
  assert.ok(spread(await pixels(page, plain)) > 15);
  const power = page.getByRole('switch', { name: 'Camera switched on' });
  await power.click();
  await page.locator('.enlarged[data-kind=disabled]').waitFor();
  assert.equal(await tile(page, plain).locator('.screen > *').count(), 0);
  await tile(page, plain).getByText('Switched off').waitFor();
  await power.click();
  await live(page, plain);
});

test('addresses for other programs can be copied', async (t) => {
  const { page } = await one(t, native);
  await page.locator('summary', { hasText: 'Addresses' }).click();
  const mjpeg = page.getByRole('textbox', { name: 'MJPEG address' });
  const address = await mjpeg.inputValue();
  assert.equal(address, `${bridge.url}live/live/${native}/mjpeg`);
  const frame = await fetch((await page.getByRole('textbox', { name: 'Snapshot address' }).inputValue()));
  assert.equal(frame.headers.get('content-type'), 'image/jpeg');
  // As on a plain LAN address, where there is no clipboard API.
  await page.evaluate(() => {
    Object.defineProperty(navigator, 'clipboard', { value: undefined });
    document.addEventListener('copy', () => (window.copied = String(document.activeElement.value)));
  });
  await page.getByRole('button', { name: 'Copy the MJPEG address' }).click();
  assert.equal(await page.evaluate(() => window.copied), address);
});
