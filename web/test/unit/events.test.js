import test from 'node:test';
import assert from 'node:assert/strict';
import { EventList, fits } from '../../events/list.js';
import { day, ending, facts, lasted, things, time, timecode } from '../../events/words.js';
import { change, basic, expert, read } from '../../motion/settings.js';
import { Bridge } from '../../net/bridge.js';

const event = (id, more = {}) => ({ id: `e${String(id).padStart(4, '0')}`, camera: 'porch', zones: [], labels: [], ...more });
const numbers = (list) => list.events.map(({ id }) => Number(id.slice(1)));

/** A list over this many events, whose answers are given by hand. */
function listOf(count, perPage = 10) {
  const bridge = { events: Array.from({ length: count }, (_, i) => event(i + 1)).reverse(), down: false, asked: [] };
  const list = new EventList(async (filter, before) => {
    bridge.asked.push(before);
    if (bridge.down) return { ok: false, message: 'the disk is full' };
    const found = bridge.events.filter((one) => fits(one, filter) && (!before || one.id < before));
    return { ok: true, items: found.slice(0, perPage), next: found.length > perPage ? found[perPage - 1].id : '' };
  }, () => {});
  return { bridge, list };
}

test('pages follow each other without gap or repetition, to the end', async () => {
  const { bridge, list } = listOf(25);
  await list.show({});
  assert.deepEqual([numbers(list), list.unfinished], [[25, 24, 23, 22, 21, 20, 19, 18, 17, 16], true]);
  bridge.events.unshift(event(26)); // does not shift the pages
  await list.more();
  await list.more();
  assert.deepEqual([numbers(list).length, new Set(numbers(list)).size, list.unfinished], [25, 25, false]);
  assert.deepEqual(bridge.asked, ['', 'e0016', 'e0006']);
});

test('what happens meanwhile is on top, what changes stays where it is, older ones wait for their page', async () => {
  const { list } = listOf(25);
  await list.show({});
  list.put(event(26));
  list.put(event(20, { end: 'x' }));
  list.put(event(3));
  assert.deepEqual(numbers(list), [26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16]);
  assert.equal(list.find('e0020')?.end, 'x');
});

test('a filter holds for what happens, too', async () => {
  const { list } = listOf(3);
  await list.show({ camera: 'porch', zone: 'door' });
  list.put(event(4, { zones: ['door'] }));
  list.put(event(5));
  list.put(event(6, { camera: 'yard', zones: ['door'] }));
  assert.deepEqual(numbers(list), [4]);
  assert.equal(fits(event(1, { labels: [{ label: 'cat' }] }), { label: 'cat' }), true);
  assert.equal(fits(event(1, { zones: null, labels: null }), { label: 'cat' }), false);
});

test('after a failure the same page is tried again, and what is listed stays', async () => {
  const { bridge, list } = listOf(25);
  await list.show({});
  bridge.down = true;
  await list.more();
  assert.deepEqual([list.state, list.fault, list.events.length], ['failed', 'the disk is full', 10]);
  bridge.down = false;
  await list.more();
  assert.deepEqual([list.state, list.events.length], ['ready', 20]);
});

test('a late answer to an older question is not taken', async () => {
  const answers = [];
  const list = new EventList(() => new Promise((done) => answers.push(done)), () => {});
  const first = list.show({ camera: 'porch' });
  const second = list.show({ camera: 'yard' });
  answers[1]({ ok: true, items: [event(2)], next: '' });
  answers[0]({ ok: true, items: [event(1)], next: '' });
  await Promise.all([first, second]);
  assert.deepEqual(numbers(list), [2]);
});

test('after an absence new events are added, and a gap is never hidden', async () => {
  const { bridge, list } = listOf(25);
  await list.show({});
  await list.more();
  bridge.events.unshift(event(26));
  await list.refresh();
  assert.equal(numbers(list).length, 21);
  for (let i = 27; i < 60; i++) bridge.events.unshift(event(i));
  await list.refresh();
  assert.deepEqual([numbers(list)[0], numbers(list).length, list.unfinished], [59, 10, true]);
});

test('days and times are local', () => {
  const now = new Date(2026, 2, 1, 0, 30).getTime();
  assert.equal(day(new Date(2026, 2, 1, 0, 1).getTime(), now), 'Today');
  assert.equal(day(new Date(2026, 1, 28, 23, 59).getTime(), now), 'Yesterday');
  assert.equal(day(new Date(2026, 1, 26, 12).getTime(), now), 'Thursday, February 26');
  assert.equal(day(new Date(2025, 11, 31, 12).getTime(), now), 'Wednesday, December 31, 2025');
  assert.equal(time({ begin: new Date(2026, 1, 28, 4, 5, 6).toISOString() }), '04:05:06');
});

test('an event in words', () => {
  const one = { begin: '2026-11-21T10:00:00Z', end: '2026-11-21T10:00:12Z', ending: 'disconnected', score: 0.615, sources: ['pixels', 'pir'], zones: ['door'], labels: [{ label: 'person', score: 0.87 }] };
  assert.equal(lasted(one, 0), '12 s');
  assert.equal(lasted({ ...one, end: undefined }, Date.parse('2026-11-21T10:01:30Z')), '1 min');
  assert.deepEqual(things(one), ['person 87 %', 'door']);
  assert.deepEqual(facts(one).map(([title]) => title), ['Zones', 'Seen', 'Noticed by', 'Score']);
  assert.deepEqual(facts({ score: 0, sources: null, zones: null, labels: null }), [['Score', '0 %']]);
  assert.match(ending(one), /went away/);
  assert.equal(ending({ ending: 'quiet' }), '');
  assert.deepEqual([0, 7449, 61_000].map(timecode), ['0:00.0', '0:07.4', '1:01.0']);
});

test('settings are shown and sent in their own units; back to the default is null', () => {
  const field = (name) => [...basic, ...expert].find(({ property }) => property.name === name);
  const settings = { width: 160, area: 0.0008, threshold: null, frames: '2/3' };
  assert.deepEqual(['width', 'area', 'threshold', 'frames'].map((name) => read(field(name), settings)), ['160', 0.08, undefined, '2/3']);
  assert.deepEqual(change(field('width'), '320'), { width: 320 });
  assert.deepEqual(change(field('area'), 0.08), { area: 0.0008 });
  assert.deepEqual(change(field('area'), null), { area: null });
  assert.equal(field('frames').property.options.length, 21);
});

test('an event shows on its camera at once, and a later word of the camera is believed', () => {
  const bridge = new Bridge(() => null);
  const camera = (motion) => ({ id: 'porch', name: 'Porch', motion: { active: false, event: '', ...motion } });
  bridge.receive({ type: 'welcome', cameras: [camera()] });
  const motion = () => bridge.cameras.value.get('porch').motion;
  bridge.receive({ type: 'event', event: event(1, { zones: ['door'] }), now: [], active: true });
  assert.deepEqual([motion().active, motion().zones], [true, ['door']]);
  bridge.receive({ type: 'camera', camera: camera({ active: true, event: 'e0001' }) });
  assert.deepEqual(motion().zones, ['door']);
  bridge.receive({ type: 'event', event: event(1, { end: 'x' }), now: null, active: false });
  assert.equal(motion().active, false);
  bridge.receive({ type: 'event', event: event(2, { camera: 'nobody' }), now: [], active: true });
  assert.equal(bridge.news.value.event.camera, 'nobody');
});
