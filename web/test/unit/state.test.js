import test from 'node:test';
import assert from 'node:assert/strict';
import { counted, truth } from '../../lib/state.js';
import { split, standing, say, widget } from '../../lib/setting.js';

const now = new Date(2026, 10, 21, 14, 5, 10).getTime();
const camera = { enabled: true, state: 'online', connected: true, address: '10.0.0.7:5', last_frame_at: new Date(2026, 10, 21, 14, 2, 7).toISOString() };
const is = (changes, received = now, paused = false, away = false) => truth({ ...camera, ...changes }, { now, received, paused, away });

test('a picture is live until it is 3 seconds old, and stale from 10 on', () => {
  const kinds = [0, 2999, 3000, 9999, 10_000].map((age) => is({}, now - age).kind);
  assert.deepEqual(kinds, ['live', 'live', 'old', 'old', 'stale']);
  assert.equal(is({}, now - 4200).chip, '4.2 s old');
  assert.equal(is({}, now - 125_000).chip, 'stale · 2 min');
});

test('a camera that is away says for how long and when its last picture came', () => {
  const away = is({ state: 'offline', connected: false });
  assert.equal(`${away.title}, ${away.detail}`, 'Offline for 3 min, last picture 14:02:07');
  assert.equal(is({ state: 'offline', connected: false, last_frame_at: null }).detail, 'no picture since the bridge started');
});

test('a broken connection is told at once, before it counts as offline', () => {
  assert.equal(is({ connected: false }).kind, 'lost');
});

test('switched off and waiting to be adopted come before everything else', () => {
  assert.equal(is({ enabled: false, state: 'offline' }).kind, 'disabled');
  assert.equal(is({ state: 'pending' }).kind, 'pending');
  assert.equal(is({}, 0).kind, 'waiting');
  assert.equal(is({}, now - 60_000, true).kind, 'paused');
});

test('nothing is live while the bridge does not answer', () => {
  assert.deepEqual([is({}, now - 200, false, true).kind, is({}, now - 20_000, false, true).kind], ['old', 'stale']);
});

test('the glance counts what is live', () => {
  assert.equal(counted(['live', 'stale', 'live']), '2 of 3 live');
  assert.equal(counted([]), 'no cameras');
});

const quality = { name: 'quality', title: 'JPEG quality', type: 'number', min: 4, max: 63 };
const led = { name: 'led', title: 'Flash', type: 'number', min: 0, max: 255 };
const mirror = { name: 'hmirror', title: 'Mirror', type: 'bool', min: 0, max: 0 };
const size = { name: 'framesize', title: 'Resolution', type: 'choice', min: 0, max: 0, options: ['VGA'] };

test('LED, resolution and quality come first, all others behind them', () => {
  const { first, others } = split([size, mirror, quality, led]);
  assert.deepEqual(first, [led, size, quality]);
  assert.deepEqual(others, [mirror]);
});

test('an LED without brightness is a switch', () => {
  assert.equal(widget(led), 'slider');
  assert.equal(widget({ ...led, max: 1 }), 'switch');
  assert.deepEqual([mirror, size, { ...size, type: 'text' }].map(widget), ['switch', 'select', 'text']);
});

test('what is wanted but not in force is known as such', () => {
  const at = (desired, reported) => standing({ settings: { desired, reported } }, 'quality');
  assert.deepEqual(at({ quality: 12 }, { quality: 12 }), { value: 12, wanted: undefined });
  assert.deepEqual(at({ quality: 12 }, { quality: 20 }), { value: 20, wanted: 12 });
  assert.deepEqual(at({ quality: 12 }, {}), { value: 12, wanted: undefined });
  assert.deepEqual(at(null, null), { value: undefined, wanted: undefined });
});

test('values in words', () => {
  assert.deepEqual([say(led, 0), say(led, 9), say(mirror, true), say({ ...quality, unit: 'fps' }, 5), say(quality, undefined)], ['off', '9', 'on', '5 fps', '–']);
});
