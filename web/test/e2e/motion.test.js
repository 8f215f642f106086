import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BridgeProcess, browser, live, open, shots, tile, until } from './harness.js';
import { Moving, film } from './moving.js';

const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const square = [[0.2, 0.2], [0.6, 0.2], [0.6, 0.6], [0.2, 0.6]];

let bridge, chromium, seen, cameras;
before(async () => {
  [bridge, chromium] = await Promise.all([BridgeProcess.demo(), browser()]);
  cameras = (await bridge.cameras()).map(({ id }) => id);
  seen = await film(chromium, 1);
});
after(async () => {
  await chromium?.close();
  await bridge?.stop();
});

/** start opens the page with motion, at some address. */
async function start(t, address = '', options = {}) {
  const moving = new Moving();
  moving.seen = Buffer.from(seen.overlay);
  const page = await open(t, chromium, 'about:blank', options);
  await moving.join(page);
  await page.goto(bridge.url + address);
  return { page, moving };
}

/** panel opens the motion section of the first camera. */
async function panel(t, options) {
  const { page, moving } = await start(t, `#/${cameras[0]}`, options);
  await live(page, cameras[0]);
  moving.of(cameras[0]).settings.zones = { door: square };
  moving.of(cameras[0]).settings.ignore = [[[0.7, 0.7], [0.9, 0.7], [0.9, 0.9]]];
  moving.change(cameras[0], {});
  await page.locator('summary', { hasText: 'Motion' }).click();
  await page.locator('espcam-motion').waitFor();
  await page.getByText('1 zone, 1 mask').waitFor();
  const setting = (name) => page.locator(`espcam-motion [data-setting="${name}"]`);
  const told = (name) => until(() => moving.told.findLast(({ motion }) => name in motion)?.motion, `the bridge is told of ${name}`);
  return { page, moving, setting, told };
}

/** editor opens the editor of areas. */
async function editor(t, options) {
  const all = await panel(t, options);
  await all.page.getByRole('button', { name: 'Edit zones and masks' }).click();
  const { page } = all;
  const at = async (x, y) => {
    const box = await page.locator('.editor').boundingBox();
    return [box.x + x * box.width, box.y + y * box.height];
  };
  const tap = async (x, y) => (options?.hasTouch ? page.touchscreen : page.mouse)[options?.hasTouch ? 'tap' : 'click'](...(await at(x, y)));
  const points = () => page.locator('.points .point').evaluateAll((all) => all.map(({ style }) => [style.left, style.top].map((text) => Math.round(parseFloat(text)) / 100)));
  const save = page.getByRole('button', { name: 'Save', exact: true });
  return { ...all, at, tap, points, save };
}

/** near compares points to within some hundredths. */
const near = (a, b, slack = 0.015) => a.length === b.length && a.every((point, i) => point.every((v, axis) => Math.abs(v - b[i][axis]) <= slack));

test('motion is told within half a second: badge, border, words for screen readers; and taken back', async (t) => {
  const { page, moving } = await start(t);
  await live(page, 4);
  const one = tile(page, cameras[0]);
  const shadow = () => one.evaluate((element) => getComputedStyle(element).boxShadow);
  const before = await shadow();
  const event = moving.event(cameras[0], 0, { end: undefined, ending: undefined, zones: ['door'] });
  await page.evaluate(() => {
    new MutationObserver(() => (window.shownAt ??= Date.now())).observe(document.querySelector('espcam-wall'), { subtree: true, attributeFilter: ['data-motion'] });
  });
  const sent = Date.now();
  moving.tell(event, [{ x: 0.1, y: 0.2, w: 0.3, h: 0.4 }]);
  await page.locator('[data-motion=on]').waitFor();
  const took = (await page.evaluate(() => window.shownAt)) - sent;
  t.diagnostic(`badge after ${took} ms`);
  assert.ok(took <= 500, `the badge took ${took} ms`);
  assert.equal(await one.locator('.moving').textContent(), 'Motiondoor');
  assert.equal(await one.locator('.moving svg').count(), 1);
  assert.notEqual(await shadow(), before);
  assert.match(await one.locator('.picture').getAttribute('aria-label'), /, motion, /);
  const name = (await bridge.camera(cameras[0])).name;
  await page.getByRole('status').filter({ hasText: `Motion: ${name}` }).waitFor();
  assert.equal(await page.locator('[data-motion=on]').count(), 1);
  moving.tell({ ...event, end: new Date().toISOString(), ending: 'quiet' });
  await one.locator('.moving').waitFor({ state: 'hidden' });
});

/** boxed is where the boxes of a camera are drawn, in shares of its picture, found by measuring both. */
const boxed = (page, id) =>
  page.evaluate((camera) => {
    const one = document.querySelector(`espcam-tile[data-camera="${camera}"]`);
    const canvas = one.querySelector('.screen > *');
    const outer = canvas.getBoundingClientRect();
    const aspect = canvas.width / canvas.height;
    const width = Math.min(outer.width, outer.height * aspect);
    const picture = { x: outer.x + (outer.width - width) / 2, y: outer.y + (outer.height - width / aspect) / 2, width, height: width / aspect };
    const svg = one.querySelector('.boxes');
    const path = svg.querySelector('path:not(.shadow)');
    const box = path.getBBox();
    const place = new DOMPoint(box.x, box.y).matrixTransform(path.getScreenCTM());
    const end = new DOMPoint(box.x + box.width, box.y + box.height).matrixTransform(path.getScreenCTM());
    return { x: (place.x - picture.x) / picture.width, y: (place.y - picture.y) / picture.height, w: (end.x - place.x) / picture.width, h: (end.y - place.y) / picture.height, pointer: getComputedStyle(svg).pointerEvents };
  }, id);

test('boxes are where they belong in every view and size, catch no clicks, and fade within two seconds', async (t) => {
  const { page, moving } = await start(t);
  await live(page, 4);
  const id = cameras[0];
  const box = { x: 0.25, y: 0.5, w: 0.2, h: 0.25 };
  const event = moving.event(id, 0, { end: undefined });
  const same = (a) => ['x', 'y', 'w', 'h'].every((k) => Math.abs(a[k] - box[k]) < 0.006);
  const check = async (what) => {
    moving.tell(event, [box]);
    await tile(page, id).locator('.boxes:not([hidden])').waitFor({ state: 'attached' });
    const found = await until(async () => ((now) => same(now) && now)(await boxed(page, id)), `the box is at its place: ${what}`, 4000);
    assert.equal(found.pointer, 'none', what);
  };
  await check('all cameras');
  await page.setViewportSize({ width: 360, height: 640 });
  await check('a phone');
  await page.setViewportSize({ width: 1280, height: 800 });
  await tile(page, id).locator('.picture').click();
  await page.locator('espcam-panel h2').first().waitFor();
  await check('enlarged');
  await page.locator(`espcam-tile[data-camera="${cameras[1]}"] .picture`).click();
  await check('in the strip');
  // A picture of another shape than its tile stands between bars.
  await tile(page, id).evaluate((one) => {
    const canvas = one.querySelector('canvas');
    Object.defineProperty(canvas, 'width', { value: 640 });
    Object.defineProperty(canvas, 'height', { value: 240 });
    one.frame.style.setProperty('--shape', String(640 / 240));
  });
  await check('letterboxed');
  const from = Date.now();
  await page.waitForFunction((camera) => document.querySelector(`espcam-tile[data-camera="${camera}"] .boxes`).hasAttribute('hidden'), id);
  assert.ok(Date.now() - from < 3500, 'the box stays');
});

test('boxes fade by the compositor alone, and not at all for people who want things to stand still', async (t) => {
  for (const reducedMotion of ['no-preference', 'reduce']) {
    const { page, moving } = await start(t, '', { reducedMotion });
    await live(page, 1);
    moving.tell(moving.event(cameras[0], 0, { end: undefined }), [{ x: 0, y: 0, w: 1, h: 1 }]);
    const boxes = tile(page, cameras[0]).locator('.boxes');
    await boxes.and(page.locator(':not([hidden])')).waitFor({ state: 'attached' });
    const animated = await boxes.evaluate((element) => element.getAnimations().map((one) => one.effect.getKeyframes().flatMap((frame) => Object.keys(frame).filter((key) => !['offset', 'computedOffset', 'easing', 'composite'].includes(key)))));
    assert.deepEqual(animated, reducedMotion === 'reduce' ? [] : [['opacity', 'opacity', 'opacity']]);
    await until(() => boxes.evaluate((element) => element.hasAttribute('hidden')), 'the boxes are gone');
    await page.context().close();
  }
});

test('learning is said where a camera is enlarged', async (t) => {
  const { page, moving } = await start(t, `#/${cameras[0]}`);
  await live(page, cameras[0]);
  moving.change(cameras[0], { learning: true });
  await page.getByText('learning what is normal here').waitFor();
  moving.change(cameras[0], { learning: false });
  await page.getByText('learning what is normal here').waitFor({ state: 'detached' });
});

test('settings are changed, kept, and go back to their defaults', async (t) => {
  const { page, moving, setting, told } = await panel(t);
  await setting('enabled').getByRole('switch').click();
  assert.deepEqual(await told('enabled'), { enabled: false });
  await page.getByRole('button', { name: 'Sensitivity high' }).click();
  assert.deepEqual(await told('sensitivity'), { sensitivity: 75 });
  await until(async () => (await setting('sensitivity').locator('input').inputValue()) === '75', 'the slider follows');
  await page.getByRole('button', { name: 'Sensitivity: back to the default' }).click();
  await until(() => moving.told.at(-1)?.motion.sensitivity === null, 'null is sent');
  await until(async () => (await setting('sensitivity').locator('input').inputValue()) === '50', 'the slider is back');
  await setting('width').locator('select').selectOption('320');
  assert.deepEqual(await told('width'), { width: 320 });
  await page.locator('summary', { hasText: 'For experts' }).click();
  await setting('area').locator('input').fill('0.5');
  await page.keyboard.press('Tab');
  assert.deepEqual(await told('area'), { area: 0.005 });
  await page.waitForFunction(() => document.querySelector('[data-setting=area]')?.dataset.mark === 'confirmed');
  await until(async () => (await setting('area').locator('input').inputValue()) === '0.5', 'what was typed holds');
  await setting('area').locator('input').fill('');
  await page.keyboard.press('Tab');
  await until(() => moving.told.at(-1)?.motion.area === null, 'an empty field is the default');
  await setting('frames').locator('select').selectOption('3/4');
  assert.deepEqual(await told('frames'), { frames: '3/4' });
});

test('what the bridge refuses is said at the field, which shows again what holds', async (t) => {
  const { page, setting } = await panel(t);
  const delay = setting('off_delay');
  await delay.locator('input').fill('900');
  await page.keyboard.press('Tab');
  await delay.getByText(/must be from 1s to 5m/).waitFor();
  assert.equal(await delay.locator('input').inputValue(), '10');
});

test('what the detector sees lies over the picture, about four times a second, only while it is wanted', async (t) => {
  const { page, moving } = await panel(t);
  const asked = () => moving.asked.filter((url) => url.endsWith('motion.png')).length;
  assert.equal(asked(), 0);
  await page.getByRole('switch', { name: 'Show what it sees' }).click();
  await page.waitForFunction(() => document.querySelector('.seen')?.width === 160);
  const from = { count: asked(), at: Date.now() };
  await until(() => asked() >= from.count + 6, 'six more pictures');
  const rate = ((asked() - from.count) * 1000) / (Date.now() - from.at);
  assert.ok(rate < 4.6, `${rate} pictures a second are asked for`);
  const [over, frame] = await page.evaluate(() => ['.seen', '.enlarged canvas'].map((one) => document.querySelector(one).getBoundingClientRect().toJSON()));
  for (const side of ['x', 'y', 'width', 'height']) assert.ok(Math.abs(over[side] - frame[side]) < 1.5, `${side}: ${over[side]} and ${frame[side]}`);
  for (const word of ['changed', 'counts as motion', 'masked', 'noise']) await page.locator('.legend li', { hasText: word }).waitFor();
  moving.change(cameras[0], { detector: { fps: 9.8, analysed: 200, skipped: null, quiet: { too_small: 17, settling: 5 } } });
  await page.getByText('Quiet because: too small 12, settling 4.').waitFor();
  await page.getByRole('switch', { name: 'Show what it sees' }).click();
  assert.equal(await page.locator('.seen').count(), 0);
  const end = asked();
  await page.evaluate(() => new Promise((done) => setTimeout(done, 700)));
  assert.ok(asked() <= end + 1, 'it is still asked for');
  moving.seen = Buffer.alloc(0);
});

test('why there is nothing to see is said', async (t) => {
  const { page, moving } = await panel(t, { expect: /404/ });
  moving.seen = Buffer.alloc(0);
  await page.getByRole('switch', { name: 'Show what it sees' }).click();
  await page.getByText('Motion detection is off for this camera.').waitFor();
});

test('a zone is drawn with the mouse, named, and saved; a mask is deleted', async (t) => {
  const { page, tap, told, save, points } = await editor(t);
  assert.equal(await save.isDisabled(), true);
  await page.getByRole('button', { name: 'Zone', exact: true }).click();
  const corners = [[0.65, 0.15], [0.9, 0.15], [0.9, 0.5], [0.65, 0.5]];
  for (const [x, y] of corners) await tap(x, y);
  assert.ok(near(await points(), corners), String(await points()));
  await tap(0.65, 0.15); // the first again: done
  await page.getByRole('textbox', { name: 'Name' }).fill('gate');
  await page.getByRole('button', { name: 'Delete mask 1' }).click();
  await save.click();
  const { zones, ignore } = await told('zones');
  assert.deepEqual([Object.keys(zones), ignore], [['door', 'gate'], []]);
  assert.ok(near(zones.gate, corners), JSON.stringify(zones.gate));
  await page.getByText('2 zones, no masks').waitFor();
  assert.equal(await page.locator('.editor').count(), 0);
});

test('points are dragged, tapped to a new place, added between, and undone', async (t) => {
  const { page, at, tap, points } = await editor(t);
  await tap(0.4, 0.4); // within the zone: select it
  await until(async () => near(await points(), square), 'the zone is selected');
  await page.mouse.move(...(await at(0.2, 0.2)));
  await page.mouse.down();
  await page.mouse.move(...(await at(0.15, 0.1)), { steps: 4 });
  await page.mouse.up();
  assert.ok(near((await points()).slice(0, 1), [[0.15, 0.1]]), String(await points()));
  await tap(0.65, 0.25); // the chosen point goes there, without dragging
  assert.ok(near((await points()).slice(0, 1), [[0.65, 0.25]]), String(await points()));
  await page.getByRole('button', { name: 'Undo' }).click();
  assert.ok(near(await points(), square), String(await points()));
  await tap(0.4, 0.2); // the small point between two
  assert.equal((await points()).length, 5);
  await page.keyboard.press('Control+z');
  assert.equal((await points()).length, 4);
});

test('it works by touch, with targets of at least 24 px, without dragging', async (t) => {
  const { page, tap, points } = await editor(t, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  await tap(0.4, 0.4);
  await until(async () => near(await points(), square), 'the zone is selected');
  const small = await page.locator('.editor button, espcam-areas button, espcam-areas input').evaluateAll((all) => all.filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect()).filter(({ width, height }) => width < 24 || height < 24).length);
  assert.equal(small, 0, 'targets are too small');
  await tap(0.2, 0.6);
  await tap(0.1, 0.8);
  assert.ok(near((await points()).slice(3), [[0.1, 0.8]]), String(await points()));
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
});

test('the keyboard alone is enough: choose, move, add, remove, save', async (t) => {
  const { page, points, told, save } = await editor(t);
  const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent);
  await page.getByRole('button', { name: /^door/ }).focus();
  await page.keyboard.press('Enter');
  await page.locator('.points .point').first().focus();
  assert.equal(await focused(), 'Point 1 of 4 of door: 20 % from the left, 20 % from the top');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Shift+ArrowDown');
  assert.deepEqual((await points())[0], [0.19, 0.25]);
  await page.keyboard.press('Tab');
  assert.match(await focused(), /^Point 2 of 4/);
  await page.keyboard.press('Enter');
  assert.match(await focused(), /^Point 3 of 5/);
  assert.deepEqual((await points())[2], [0.6, 0.4]);
  await page.keyboard.press('Delete');
  assert.equal((await points()).length, 4);
  await page.keyboard.press('Delete');
  await page.keyboard.press('Delete');
  await page.getByText('3 points are the fewest').waitFor();
  assert.equal((await points()).length, 3);
  await save.focus();
  await page.keyboard.press('Enter');
  assert.equal((await told('zones')).zones.door.length, 3);
  assert.equal(await page.locator('.editor').count(), 0);
  assert.ok(page.url().endsWith(cameras[0]), 'the arrow keys went to another camera');
});

test('a zone begins as a rectangle for those who do not point, and its points are numbers', async (t) => {
  const { page, points, told, save } = await editor(t);
  await page.getByRole('button', { name: 'Mask', exact: true }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Begin with a rectangle' }).focus();
  await page.keyboard.press('Enter');
  assert.equal((await points()).length, 4);
  await page.locator('summary', { hasText: 'Points as numbers' }).click();
  await page.getByRole('spinbutton', { name: 'Point 1, % from the left' }).fill('12.5');
  await page.keyboard.press('Tab');
  await page.getByRole('button', { name: 'Remove point 4' }).click();
  await save.click();
  const { ignore } = await told('ignore');
  assert.deepEqual([ignore.length, ignore[1]], [2, [[0.125, 0.3], [0.7, 0.3], [0.7, 0.7]]]);
});

test('edges that cross are shown while drawing, and keep Save away with a sentence', async (t) => {
  const { page, tap, save } = await editor(t);
  await page.getByRole('button', { name: 'Zone', exact: true }).click();
  for (const [x, y] of [[0.65, 0.15], [0.9, 0.5], [0.9, 0.15], [0.65, 0.5]]) await tap(x, y);
  await page.locator('.drawing .crossing').waitFor({ state: 'attached' });
  await page.getByRole('button', { name: 'Done' }).click();
  await page.getByText('Zone crosses itself: move a point so that its edges do not meet.').waitFor();
  assert.equal(await save.isDisabled(), true);
});

test('what is not saved is not lost without asking: Escape, Back, another camera, Cancel', async (t) => {
  const { page, tap } = await editor(t);
  await tap(0.4, 0.4);
  await page.locator('.points .point').first().focus();
  await page.keyboard.press('ArrowLeft');
  const dialog = page.getByRole('dialog', { name: 'Leave without saving?' });
  const stay = async () => {
    await dialog.waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    assert.equal(await page.locator('.editor').count(), 1);
    assert.ok(page.url().endsWith(`#/${cameras[0]}`), page.url());
  };
  await page.keyboard.press('Escape'); // lets go of the point
  await page.keyboard.press('Escape');
  await stay();
  await page.evaluate(() => (location.hash = '#/events'));
  await stay();
  await page.getByRole('button', { name: 'Next camera' }).click();
  await stay();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await stay();
  await page.getByRole('button', { name: 'All cameras', exact: true }).click();
  await dialog.getByRole('button', { name: 'Discard' }).click();
  await page.locator('espcam-panel').waitFor({ state: 'hidden' });
  assert.equal(await page.locator('.editor').count(), 0);
});

test('people who only look get badge and events, but no settings', async (t) => {
  const viewer = 'esb_page_test_viewer_0123456789abcdef';
  const page = await open(t, chromium, 'about:blank', { expect: /status of 401/ });
  const guarded = await BridgeProcess.serve(`mqtt: {embedded: {listen: "127.0.0.1:0"}}\nhttp:\n  listen: "127.0.0.1:0"\n  tokens: [{name: wall, token: "${viewer}", role: viewer}]\ncameras:\n  porch: {key: "wsk_page_test_key_of_porch_0123456789"}\n`);
  t.after(() => guarded.stop());
  const moving = new Moving();
  await moving.join(page);
  await page.goto(`${guarded.url}#/porch`);
  await page.getByLabel('Token').fill(viewer);
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'Events' }).last().waitFor();
  assert.equal(await page.locator('espcam-panel summary', { hasText: 'Motion' }).count(), 0);
});

for (const colorScheme of ['dark', 'light']) {
  for (const width of [360, 1280]) {
    test(`${colorScheme}, ${width} px: settings and editor have no serious accessibility fault and fit`, async (t) => {
      const { page } = await panel(t, { colorScheme, viewport: { width, height: 800 }, init: axe });
      const check = async (what) => {
        await until(() => page.evaluate(() => document.getAnimations().every(({ playState }) => playState !== 'running')), 'everything stands still');
        const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
        const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
        assert.deepEqual(bad.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} ${target} ${failureSummary}`)), [], what);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, what);
        await page.screenshot({ path: join(shots, `${what}-${width}-${colorScheme}.png`) });
      };
      await page.locator('summary', { hasText: 'For experts' }).click();
      await page.getByRole('switch', { name: 'Show what it sees' }).click();
      await page.waitForFunction(() => document.querySelector('.seen')?.width === 160);
      await check('motion');
      await page.getByRole('button', { name: 'Edit zones and masks' }).click();
      await page.getByRole('button', { name: /^door/ }).click();
      await page.locator('summary', { hasText: 'Points as numbers' }).click();
      await check('areas');
    });
  }
}

test('with nothing in between: what moves in front of a camera is told, kept and can be played', async (t) => {
  const page = await open(t, chromium, 'about:blank'); // before the bridge, so that it ends before the bridge does
  const real = await BridgeProcess.demo();
  t.after(() => real.stop());
  await Promise.all(
    cameras.map((id) => fetch(new URL(`api/v1/cameras/${id}`, real.url), { method: 'PATCH', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ motion: { off_delay: 1 } }) })),
  );
  await page.goto(real.url);
  await live(page, 4);
  await page.locator('espcam-tile[data-motion=on] .moving').first().waitFor({ timeout: 60_000 });
  await page.locator('espcam-tile .boxes:not([hidden])').first().waitFor({ state: 'attached', timeout: 60_000 });
  await page.getByRole('link', { name: 'Events' }).click();
  const over = page.locator('.days li', { has: page.locator('.on[hidden]') }).first();
  await over.waitFor({ timeout: 60_000 });
  await until(() => over.locator('img').evaluate((img) => img.complete && img.naturalWidth === 640), 'its picture');
  await over.locator('a').click();
  await page.getByRole('button', { name: 'Play the clip' }).click();
  await until(async () => Number(await page.getByRole('slider', { name: 'Picture' }).inputValue()) > 3, 'it plays');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.goto(`${real.url}#/${cameras[0]}`);
  await page.locator('summary', { hasText: 'Motion' }).click();
  await page.getByRole('switch', { name: 'Show what it sees' }).click();
  await page.waitForFunction(() => document.querySelector('.seen')?.width === 160);
  await page.getByRole('button', { name: 'Sensitivity low' }).click();
  await until(async () => (await real.camera(cameras[0])).motion.settings.sensitivity === 25, 'the bridge has it');
  await page.getByRole('button', { name: 'Edit zones and masks' }).click();
  await page.getByRole('button', { name: 'Zone', exact: true }).click();
  await page.getByRole('button', { name: 'Begin with a rectangle' }).click();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('1 zone, no masks').waitFor();
  assert.equal((await real.camera(cameras[0])).motion.settings.zones.zone.length, 4);
  const delay = page.locator('espcam-motion [data-setting="off_delay"]');
  await delay.locator('input').fill('900');
  await page.keyboard.press('Tab');
  await delay.getByText(/from 1s to 5m/).waitFor();
});
