import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BridgeProcess, browser, live, open, shots, tile, until } from './harness.js';
import { Moving, clipOf, film } from './moving.js';

const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const hour = 3600;

let bridge, chromium, walk, cameras;
before(async () => {
  [bridge, chromium] = await Promise.all([BridgeProcess.demo(), browser()]);
  cameras = (await bridge.cameras()).map(({ id }) => id);
  walk = await film(chromium, 25);
});
after(async () => {
  await chromium?.close();
  await bridge?.stop();
});

/** start opens the page at some address with that many events, one per hour. */
async function start(t, address, count = 6, options = {}) {
  const moving = new Moving();
  moving.picture = Buffer.from(walk.pictures[12]);
  moving.clip = clipOf(walk.pictures, Date.now() - hour * 1000);
  moving.events = Array.from({ length: count }, (_, i) => moving.event(cameras[i % 2], 60 + i * hour, { zones: i % 3 === 0 ? ['door'] : [], labels: i % 4 === 0 ? [{ label: 'person', score: 0.87, box: walk.boxes[12] }] : [], boxes: [walk.boxes[12]] }));
  moving.of(cameras[0]).settings.zones = { door: [[0, 0], [1, 0], [0, 1]] };
  const page = await open(t, chromium, 'about:blank', options);
  await moving.join(page);
  await page.goto(`${bridge.url}${address}`);
  return { page, moving, cards: page.locator('a.event') };
}

/** ids are those of the listed events, in their order. */
const ids = (page) => page.locator('.days li').evaluateAll((all) => all.map(({ dataset }) => dataset.event));

test('nothing of events, player or editor is loaded before it is wanted', async (t) => {
  const page = await open(t, chromium, 'about:blank');
  const loaded = [];
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
  await page.goto(bridge.url);
  await live(page, 4);
  assert.ok(loaded.some((path) => path.endsWith('/app.js')));
  assert.deepEqual(loaded.filter((path) => /\/(events|motion)\/|css\/(events|motion)|api\/v1\/events/.test(path)), []);
  await page.getByRole('link', { name: 'Events' }).click();
  await until(() => loaded.some((path) => path.endsWith('/events/events.js')), 'the events view is loaded');
});

test('the list: newest first, by days, with pictures that load when they are near', async (t) => {
  const { page, moving, cards } = await start(t, '', 60);
  await live(page, 4);
  await page.getByRole('link', { name: 'Events' }).click();
  await cards.first().waitFor();
  const shown = await ids(page);
  assert.deepEqual(shown, moving.events.slice(0, shown.length).map(({ id }) => id));
  const days = await page.locator('.days h3').allTextContents();
  assert.ok(days.length >= 3 && new Set(days).size === days.length, String(days));
  assert.ok(['Today', 'Yesterday'].includes(days[0]));
  const picture = cards.first().locator('img');
  assert.deepEqual(await picture.evaluate((img) => [img.loading, img.width > 0, img.getAttribute('width'), img.getAttribute('height')]), ['lazy', true, '320', '240']);
  await until(() => picture.evaluate((img) => img.complete && img.naturalWidth === 640), 'the first picture');
  assert.ok(moving.asked.filter((url) => url.includes('picture.jpg')).length < 60, 'all pictures were fetched at once');
  assert.match(await cards.first().textContent(), /^\D*\d\d:\d\d:\d\d.*8 s · person 87 % · door$/);
  assert.equal(await page.locator('.screen > *').first().isVisible(), false);
});

test('older events come when one scrolls, and by a button, each once', async (t) => {
  const { page, moving, cards } = await start(t, '#/events', 130);
  await cards.nth(49).waitFor({ state: 'attached' });
  for (let tries = 0; (await cards.count()) < 130 && tries < 200; tries++) await page.mouse.wheel(0, 4000);
  await until(async () => (await cards.count()) === 130, 'all events');
  assert.deepEqual(await ids(page), moving.events.map(({ id }) => id));
  await page.getByRole('button', { name: 'Older events' }).waitFor({ state: 'hidden' });
  assert.equal(moving.asked.filter((url) => url.includes('limit=')).length, 3);
});

test('what happens is listed at once, marked while it goes on, and gets its files when it is over', async (t) => {
  const { page, moving, cards } = await start(t, '#/events', 3);
  await cards.nth(2).waitFor();
  const event = moving.event(cameras[0], 0, { end: undefined, ending: undefined, picture: false, clip: false });
  moving.tell(event);
  await until(async () => (await ids(page))[0] === event.id, 'the event is on top');
  await cards.first().getByText('now').waitFor();
  assert.equal(await cards.first().locator('img').isVisible(), false);
  const end = { ...event, end: new Date().toISOString(), ending: 'quiet' };
  moving.tell(end);
  moving.events[0] = { ...end, picture: true, clip: true };
  await cards.first().getByText('now').waitFor({ state: 'hidden' });
  await until(() => cards.first().locator('img').isVisible(), 'its picture');
});

test('events are filtered by camera and zone, and the address keeps the filter', async (t) => {
  const { page, moving, cards } = await start(t, '#/events', 12);
  await cards.nth(11).waitFor();
  await page.locator('select[name=camera]').selectOption(cameras[1]);
  await until(async () => (await cards.count()) === 6, 'the events of one camera');
  assert.ok(page.url().endsWith(`#/events?camera=${cameras[1]}`));
  await page.locator('select[name=camera]').selectOption('');
  await page.locator('select[name=zone]').selectOption('door');
  await until(async () => (await cards.count()) === 4, 'the events of one zone');
  moving.tell(moving.event(cameras[0], 0));
  moving.tell(moving.event(cameras[0], 1, { zones: ['door'] }));
  await until(async () => (await cards.count()) === 5, 'one more of them');
  await page.reload();
  await until(async () => (await cards.count()) === 5, 'the same after a reload');
});

test('from a camera to its events, to one of them, and all the way back', async (t) => {
  const { page, moving, cards } = await start(t, `#/${cameras[0]}`, 8);
  await live(page, cameras[0]);
  await page.locator('.actions').getByRole('link', { name: 'Events' }).click();
  await until(async () => (await cards.count()) === 4, 'its events');
  await cards.nth(1).focus();
  await page.keyboard.press('Enter');
  const dialog = page.locator('dialog.one-event');
  await dialog.waitFor();
  assert.ok(page.url().includes(`#/events/${moving.events[2].id}?camera=${cameras[0]}`), page.url());
  await page.getByRole('button', { name: 'Older event' }).click();
  await until(() => page.url().includes(moving.events[4].id), 'the next older one');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  assert.equal(await page.evaluate(() => document.activeElement.closest('li')?.dataset.event), moving.events[4].id, 'the focus is lost');
  await page.keyboard.press('Escape');
  await page.locator('espcam-panel h2').first().waitFor();
  await live(page, cameras[0]);
  await page.goForward();
  await until(async () => (await cards.count()) === 4, 'forward to its events');
  await page.goBack();
  await page.locator('espcam-panel h2').first().waitFor();
});

test('an address with an event in it opens that event, wherever it is in the list, or says that it is gone', async (t) => {
  const { page, moving } = await start(t, '', 70, { expect: /404/ });
  await page.goto(`${bridge.url}#/events/${moving.events[65].id}`);
  await page.getByRole('button', { name: 'Play the clip' }).waitFor();
  await page.goto(`${bridge.url}#/events/0000000000000`);
  await page.getByRole('alert').getByText('This event cannot be shown: there is no such event.').waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
  await page.getByRole('heading', { name: 'Events', exact: true }).waitFor();
  await page.goto(`${bridge.url}#/camera/${cameras[0]}`); // the address of a camera that is called events
  await live(page, cameras[0]);
  await page.locator('espcam-panel h2').first().waitFor();
});

test('no events, none that pass, and a failure are told apart', async (t) => {
  const { page, moving, cards } = await start(t, '#/events', 0, { expect: /503/ });
  await page.getByRole('heading', { name: 'Nothing has moved yet' }).waitFor();
  moving.tell(moving.event(cameras[0], 0));
  await cards.first().waitFor();
  await page.locator('select[name=camera]').selectOption(cameras[1]);
  await page.getByRole('heading', { name: 'No such events' }).waitFor();
  moving.down = 'the disk is full';
  await page.getByRole('button', { name: 'Show all events' }).click();
  await page.getByText('The events cannot be listed: the disk is full.').waitFor();
  moving.down = '';
  await page.getByRole('button', { name: 'Try again' }).click();
  await cards.first().waitFor();
});

test('after an absence the list is up to date again', async (t) => {
  const { page, moving, cards } = await start(t, '#/events', 3);
  await cards.nth(2).waitFor();
  moving.events.unshift(moving.event(cameras[0], 1));
  moving.drop();
  await until(async () => (await cards.count()) === 4, 'what happened meanwhile', 20_000);
});

/** player opens the newest event. */
async function player(t, change = () => {}, options = {}) {
  const all = await start(t, '', 2, options);
  change(all.moving, all.moving.events[0].id);
  await all.page.goto(`${bridge.url}#/events/${all.moving.events[0].id}`);
  await all.page.locator('espcam-player').waitFor();
  const slider = all.page.getByRole('slider', { name: 'Picture' });
  const at = async () => Number(await slider.inputValue());
  return { ...all, slider, at };
}

test('the best picture with its boxes comes first; then the clip plays in its own time', async (t) => {
  const { page, at, slider } = await player(t);
  await page.getByRole('button', { name: 'Play the clip' }).waitFor();
  const place = await page.evaluate(() => {
    const poster = document.querySelector('.poster').getBoundingClientRect();
    const shown = document.querySelector('.poster').naturalWidth / document.querySelector('.poster').naturalHeight;
    const width = Math.min(poster.width, poster.height * shown);
    const path = document.querySelector('.stage .boxes path:not(.shadow)');
    const box = path.getBBox();
    const from = new DOMPoint(box.x, box.y).matrixTransform(path.getScreenCTM());
    return [(from.x - poster.x - (poster.width - width) / 2) / width, (from.y - poster.y) / (width / shown)];
  });
  const { x, y } = walk.boxes[12];
  assert.ok(Math.abs(place[0] - x) < 0.01 && Math.abs(place[1] - y) < 0.01, `${place} for ${[x, y]}`);
  await until(async () => (await slider.getAttribute('max')) === '24', 'the whole clip');
  const began = Date.now();
  await page.getByRole('button', { name: 'Play the clip' }).click();
  await until(async () => (await at()) >= 10, 'ten pictures');
  const took = Date.now() - began;
  assert.ok(took > 1500 && took < 4000, `2 s of clip took ${took} ms`);
  await page.getByRole('button', { name: 'Pause' }).click();
  const stopped = await at();
  assert.match(await page.locator('.timecode').textContent(), /^0:0[23]\.\d \/ 0:04\.8 · \d\d:\d\d:\d\d$/);
  await page.getByRole('button', { name: 'Next picture' }).click();
  assert.equal(await at(), stopped + 1);
  await page.getByRole('button', { name: 'Picture before' }).click();
  await slider.focus();
  await page.keyboard.press('End');
  assert.equal(await at(), 24);
  await page.keyboard.press('ArrowLeft');
  assert.equal(await at(), 23);
});

test('four times as fast is four times as fast, and the end is the end', async (t) => {
  const { page, at } = await player(t);
  await page.getByRole('button', { name: 'Play the clip' }).waitFor();
  await page.getByRole('button', { name: 'Speed 4' }).click();
  assert.equal(await page.getByRole('button', { name: 'Speed 4' }).getAttribute('aria-pressed'), 'true');
  const began = Date.now();
  await page.getByRole('button', { name: 'Play the clip' }).click();
  await until(async () => (await at()) === 24, 'the end');
  const took = Date.now() - began;
  assert.ok(took > 900 && took < 3000, `4.8 s of clip took ${took} ms`);
  await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await until(async () => (await at()) < 20, 'it starts again');
});

test('the pictures shown are those of the clip, and their bitmaps are let go', async (t) => {
  const { page, at } = await player(t, () => {}, {
    init: () => {
      window.open_ = 0;
      const make = window.createImageBitmap;
      window.createImageBitmap = async (...args) => ((window.open_ += 1), make(...args));
      const close = ImageBitmap.prototype.close;
      ImageBitmap.prototype.close = function () {
        window.open_ -= 1;
        close.call(this);
      };
    },
  });
  await page.getByRole('button', { name: 'Play the clip' }).click();
  await until(async () => (await at()) === 24, 'the end');
  const blue = await until(
    () =>
      page.evaluate(() => {
        const canvas = new OffscreenCanvas(640, 480);
        const context = canvas.getContext('2d');
        context.drawImage(document.querySelector('espcam-player canvas'), 0, 0, 640, 480);
        const [r, g, b] = context.getImageData(500 + 20, 300, 1, 1).data; // where the figure is in the last picture
        return b > r && b < 90 && g < 90;
      }),
    'the last picture',
  );
  assert.ok(blue);
  await page.keyboard.press('Escape');
  await page.locator('dialog.one-event').waitFor({ state: 'hidden' });
  await until(() => page.evaluate(() => window.open_ <= 0), 'all bitmaps are closed');
  assert.equal(await page.locator('espcam-player canvas').count(), 0);
});

for (const [what, change, sentence, plays] of [
  ['cut short', (moving, id) => (moving.clips[id] = moving.clip.subarray(0, moving.clip.length - 9000)), 'The clip ends early', true],
  ['empty', (moving, id) => (moving.clips[id] = Buffer.from('--frame\r\n')), 'There is no clip of this event.', false],
  ['damaged', (moving, id) => (moving.clips[id] = Buffer.alloc(9000, 'x')), 'The clip cannot be fetched.', false],
  ['not there', (moving) => (moving.events[0].clip = false), 'There is no clip of this event.', false],
]) {
  test(`a clip that is ${what} is said to be so, and what there is can be seen`, async (t) => {
    const { page } = await player(t, change);
    await page.locator('espcam-player').getByText(sentence).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Play the clip' }).isVisible(), plays);
    assert.equal(await page.getByRole('link', { name: 'Picture' }).isVisible(), true);
  });
}

test('an event that goes on has no clip yet, and gets it when it is over', async (t) => {
  const { page, moving } = await player(t, (moving) => Object.assign(moving.events[0], { end: undefined, ending: undefined, clip: false }));
  await page.getByText('This is still going on.').waitFor();
  await page.getByText(/so far$/).waitFor();
  moving.tell({ ...moving.events[0], end: new Date().toISOString(), ending: 'quiet', clip: true });
  await page.getByRole('button', { name: 'Play the clip' }).waitFor();
});

test('picture and clip can be saved, and Live leads to the camera', async (t) => {
  const { page } = await player(t);
  const [picture] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Picture' }).click()]);
  assert.match(picture.suggestedFilename(), new RegExp(`^${cameras[0]}-\\d{4}-\\d\\d-\\d\\d-\\d{6}\\.jpg$`));
  const [clip] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Clip' }).click()]);
  assert.match(clip.suggestedFilename(), /\.mjpeg$/);
  await page.getByRole('link', { name: 'Live' }).click();
  await live(page, cameras[0]);
  assert.equal(await page.locator('dialog[open]').count(), 0);
});

test('the cameras get no pictures while the events are looked at, and fresh ones after', async (t) => {
  const { page } = await start(t, '', 3);
  await live(page, 4);
  await page.getByRole('link', { name: 'Events' }).click();
  await tile(page, cameras[0]).waitFor({ state: 'hidden' });
  await page.keyboard.press('Escape');
  await live(page, 4);
});

test('text from anywhere is text', async (t) => {
  const hostile = '<img src=x onerror="document.title=1">';
  const { page, cards } = await player(t, (moving) => Object.assign(moving.events[0], { camera_name: hostile, camera: 'gone', zones: [hostile], labels: [{ label: hostile, score: 1, box: {} }], ending: hostile }));
  await page.locator('.one-event h2', { hasText: hostile }).waitFor();
  await page.keyboard.press('Escape');
  assert.ok((await cards.first().textContent()).includes(hostile));
  assert.equal(await page.locator('img[src=x]').count(), 0);
});

for (const colorScheme of ['dark', 'light']) {
  for (const width of [360, 1280]) {
    test(`${colorScheme}, ${width} px: events and player have no serious accessibility fault and fit`, async (t) => {
      const { page, moving } = await start(t, '#/events', 12, { colorScheme, viewport: { width, height: 800 }, init: axe });
      const check = async (what) => {
        await until(() => page.evaluate(() => document.getAnimations().every(({ playState }) => playState !== 'running')), 'everything stands still');
        const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
        const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
        assert.deepEqual(bad.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id} ${target} ${failureSummary}`)), [], what);
        const seen = await page.evaluate(() => [document.documentElement.scrollWidth, [...document.querySelectorAll('button, input, select, a')].filter((one) => one.checkVisibility() && Math.min(one.getBoundingClientRect().width, one.getBoundingClientRect().height) < 24).map((one) => one.outerHTML)]);
        assert.deepEqual(seen, [width, []], what);
        await page.screenshot({ path: join(shots, `${what}-${width}-${colorScheme}.png`) });
      };
      moving.tell(moving.event(cameras[0], 0, { end: undefined, picture: false }));
      await page.locator('a.event').nth(12).waitFor({ state: 'attached' });
      await check('events');
      await page.locator('a.event').nth(1).click();
      await page.getByRole('button', { name: 'Play the clip' }).waitFor();
      await check('poster');
      await page.getByRole('button', { name: 'Play the clip' }).click();
      await until(async () => Number(await page.getByRole('slider', { name: 'Picture' }).inputValue()) > 2, 'it plays');
      await page.getByRole('button', { name: 'Pause' }).click();
      await check('player');
    });
  }
}
