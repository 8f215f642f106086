import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BridgeProcess, browser, live, open, shots, until } from './harness.js';

const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');

let bridge, chromium, native;
before(async () => {
  [bridge, chromium] = await Promise.all([BridgeProcess.demo(), browser()]);
  native = (await bridge.cameras()).find(({ dialect }) => dialect === 'native').id;
});
after(async () => {
  await chromium?.close();
  await bridge?.stop();
});

/** check runs axe on what is shown now and fails on anything serious. */
async function check(page, what) {
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  const words = bad.flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${help}\n  ${target}\n  ${failureSummary}`));
  assert.equal(words.length, 0, `${what}:\n${words.join('\n')}`);
}

/** still waits until no animation runs, so that colours are final. Boxes over what moves fade as long as it does. */
const still = (page) =>
  until(
    () => page.evaluate(() => document.getAnimations().every(({ playState, effect }) => playState !== 'running' || effect.target.closest('.boxes'))),
    'everything stands still',
  );

for (const colorScheme of ['dark', 'light']) {
  test(`${colorScheme}: no serious accessibility fault in any view`, async (t) => {
    const page = await open(t, chromium, 'about:blank', { colorScheme, init: axe });
    await page.goto(bridge.url);
    await live(page, 4);
    await check(page, 'all cameras');
    await page.locator(`espcam-tile[data-camera="${native}"] .picture`).click();
    for (const summary of await page.locator('summary').all()) await summary.click();
    await live(page, native);
    await still(page);
    await check(page, 'one camera');
    await page.getByRole('button', { name: 'Restart' }).click();
    await check(page, 'question');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('button', { name: /^Messages/ }).click();
    await check(page, 'messages');
  });

  test(`${colorScheme}: the system's colours are taken, and the choice of another is kept`, async (t) => {
    const page = await open(t, chromium, bridge.url, { colorScheme });
    const light = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g).reduce((a, b) => a + Number(b), 0) > 380);
    assert.equal(await light(), colorScheme === 'light');
    const other = colorScheme === 'light' ? 'dark' : 'light';
    const button = page.locator('espcam-theme button');
    await until(async () => (await button.click(), (await button.getAttribute('aria-label')).endsWith(other)), `the colours are ${other}`);
    assert.equal(await light(), other === 'light');
    await page.reload();
    await live(page, 1);
    assert.equal(await light(), other === 'light');
  });
}

for (const [width, height] of [[360, 740], [1280, 800], [2560, 1440]]) {
  test(`${width} px wide: nothing sticks out, targets are large enough, and it can be looked at`, async (t) => {
    for (const colorScheme of ['dark', 'light']) {
      const page = await open(t, chromium, bridge.url, { viewport: { width, height }, colorScheme });
      await live(page, width < 400 ? 2 : 4);
      await page.waitForFunction(() => document.querySelector('.counted').textContent === '4 of 4 live');
      await fits(page, width, 'all cameras');
      await page.screenshot({ path: join(shots, `all-${width}-${colorScheme}.png`) });
      await page.locator(`espcam-tile[data-camera="${native}"] .picture`).click();
      for (const summary of await page.locator('summary').all()) await summary.click();
      await live(page, native);
      await still(page);
      await fits(page, width, 'one camera');
      await page.evaluate(() => window.scrollTo(0, 0));
      await page.screenshot({ path: join(shots, `one-${width}-${colorScheme}.png`) });
      await page.context().close();
    }
    t.diagnostic(`pictures are in ${shots}`);
  });
}

/** fits fails if the page scrolls sideways or a control is smaller than 24 px. */
async function fits(page, width, what) {
  const seen = await page.evaluate(() => ({
    width: document.documentElement.scrollWidth,
    small: [...document.querySelectorAll('button, input, select, summary, a')]
      .filter((one) => one.checkVisibility())
      .map((one) => ({ name: one.getAttribute('aria-label') ?? one.textContent ?? one.id, box: one.getBoundingClientRect() }))
      .filter(({ box }) => box.width < 24 || box.height < 24)
      .map(({ name, box }) => `${name}: ${box.width} x ${box.height}`),
  }));
  assert.equal(seen.width, width, `${what} is ${seen.width} px wide`);
  assert.deepEqual(seen.small, [], what);
}

test('people who want things to stand still get no animation', async (t) => {
  const page = await open(t, chromium, bridge.url, { reducedMotion: 'reduce' });
  await live(page, 4);
  await page.evaluate(() => {
    window.animations = 0;
    const animate = Element.prototype.animate;
    Element.prototype.animate = function (...args) {
      window.animations++;
      return animate.apply(this, args);
    };
  });
  await page.locator(`espcam-tile[data-camera="${native}"] .picture`).click();
  await page.locator('espcam-panel h2').waitFor();
  assert.equal(await page.evaluate(() => window.animations), 0);
});
