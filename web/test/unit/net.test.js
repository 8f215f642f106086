import test from 'node:test';
import assert from 'node:assert/strict';
import { parseFrame } from '../../net/frame.js';
import { Outbox } from '../../net/outbox.js';
import { Feeds } from '../../net/feeds.js';
import { BridgeClock } from '../../net/clock.js';
import { Bridge } from '../../net/bridge.js';

function message({ version = 1, flags = 0, channel = 3, received = 1_795_000_000_123, captured = 0 }) {
  const view = new DataView(new ArrayBuffer(26));
  view.setUint8(0, version);
  view.setUint8(1, flags);
  view.setUint16(2, channel);
  view.setUint32(4, 77);
  view.setBigUint64(8, BigInt(received));
  view.setBigUint64(16, BigInt(captured));
  view.setUint16(24, 0xffd8);
  return view.buffer;
}

test('a picture message is read as it was written', () => {
  const frame = parseFrame(message({ flags: 2, channel: 65535, captured: 1_795_000_000_100 }));
  assert.deepEqual({ ...frame, jpeg: [...frame.jpeg] }, { channel: 65535, sequence: 77, placeholder: false, received: 1_795_000_000_123, captured: 1_795_000_000_100, jpeg: [0xff, 0xd8] });
  assert.equal(parseFrame(message({ flags: 1 })).placeholder, true);
  assert.equal(parseFrame(message({ captured: 5 })).captured, 0, 'the camera said no time');
});

test('what is no picture message is none', () => {
  assert.equal(parseFrame(new ArrayBuffer(23)), null);
  assert.equal(parseFrame(message({ version: 2 })), null);
});

test('credit is gathered, and messages keep their order', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  const sent = [];
  const outbox = new Outbox((text) => sent.push(JSON.parse(text)), () => now);
  const advance = (ms) => ((now += ms), t.mock.timers.tick(ms));
  outbox.painted(3);
  outbox.painted(4);
  outbox.post({ type: 'a' });
  outbox.post({ type: 'b' });
  outbox.painted(3);
  assert.deepEqual(sent, [{ type: 'a' }, { type: 'b' }]);
  advance(34);
  assert.deepEqual(sent.slice(2), [{ type: 'painted', channels: [3, 4, 3] }]);
});

test('never more than 50 messages in a second, nothing lost', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  const sent = [];
  const outbox = new Outbox((text) => sent.push({ at: now, ...JSON.parse(text) }), () => now);
  for (let n = 0; n < 200; n++) outbox.post({ n });
  for (; now < 10_000; ) {
    now += 5;
    t.mock.timers.tick(5);
  }
  assert.deepEqual(sent.map(({ n }) => n), [...Array(200).keys()]);
  const afterBurst = sent.filter(({ at }) => at > 0);
  for (const { at } of afterBurst) {
    const second = sent.filter((other) => other.at > at - 1000 && other.at <= at && other.at > 0).length;
    assert.ok(second <= 50, `${second} messages in the second before ${at} ms`);
  }
});

test('a closed outbox is silent', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const sent = [];
  const outbox = new Outbox((text) => sent.push(text), () => 0);
  outbox.painted(1);
  outbox.close();
  outbox.post({});
  t.mock.timers.tick(1000);
  assert.deepEqual(sent, []);
});

/** feeds with a link that remembers. */
function feeds() {
  const sent = [];
  const painted = [];
  const all = new Feeds({ post: (message) => sent.push(message), painted: (channel) => painted.push(channel) });
  return { all, sent, painted, take: () => sent.splice(0) };
}

const sink = () => ({ frames: [], show(frame, painted) { this.frames.push(frame); this.painted = painted; } });

test('nothing flows until the bridge is there, and everything does then', () => {
  const { all, take } = feeds();
  all.want('porch', 0, sink());
  assert.deepEqual(take(), []);
  all.hold('closed', false);
  assert.deepEqual(take(), [{ type: 'subscribe', camera: 'porch', channel: 0, fps: 0 }]);
});

test('a hidden tab gets nothing; on return channels are new and old pictures are nobody\'s', () => {
  const { all, take, painted } = feeds();
  const porch = sink();
  all.hold('closed', false);
  all.want('porch', 0, porch);
  all.frame({ channel: 0 });
  const late = porch.painted;
  all.hold('hidden', true);
  all.hold('paused', true);
  take();
  all.hold('hidden', false);
  assert.deepEqual(take(), [], 'it is still paused');
  all.hold('paused', false);
  assert.deepEqual(take(), [{ type: 'subscribe', camera: 'porch', channel: 1, fps: 0 }]);
  all.frame({ channel: 0 });
  assert.equal(porch.frames.length, 1);
  late();
  assert.deepEqual(painted, [], 'credit of a channel that is gone');
  all.frame({ channel: 1 });
  porch.painted();
  assert.deepEqual(painted, [1]);
});

test('another rate keeps the channel; a dropped camera is left', () => {
  const { all, take } = feeds();
  const porch = sink();
  all.hold('closed', false);
  all.want('porch', 0, porch);
  all.want('porch', 0, porch);
  all.want('porch', 5, porch);
  all.drop('porch');
  all.drop('porch');
  assert.deepEqual(take(), [
    { type: 'subscribe', camera: 'porch', channel: 0, fps: 0 },
    { type: 'subscribe', camera: 'porch', channel: 0, fps: 5 },
    { type: 'unsubscribe', channel: 0 },
  ]);
});

test('the bridge\'s clock is taken from the fastest exchange', () => {
  let local = 1000;
  const clock = new BridgeClock(() => local);
  assert.equal(clock.now(), 1000);
  local = 2000;
  clock.sample(1000, 51_900); // slow: 1000 ms
  local = 3000;
  clock.sample(2990, 52_995); // fast: 10 ms, the bridge is 50,000 ahead
  assert.equal(clock.now(), 53_000);
});

test('cameras are kept by id, and one error is noted once', () => {
  const bridge = new Bridge(() => null);
  bridge.receive({ type: 'welcome', name: 'home', role: 'operator', auth: true, version: '1', cameras: [{ id: 'b' }, { id: 'a10' }, { id: 'a' }] });
  bridge.receive({ type: 'camera', camera: { id: 'a2', name: 'New' } });
  bridge.receive({ type: 'removed', camera: 'b' });
  assert.deepEqual([...bridge.cameras.value.keys()], ['a', 'a2', 'a10']);
  assert.deepEqual([bridge.nameOf('a2'), bridge.nameOf('a')], ['New', 'a']);
  assert.deepEqual(['viewer', 'operator', 'admin'].map((role) => bridge.may(role)), [true, true, false]);
  bridge.note({ time: 5, camera: 'a', code: 'invalid', message: 'no' });
  bridge.receive({ type: 'notice', time: 900, camera: 'a', code: 'invalid', message: 'no' });
  bridge.receive({ type: 'notice', time: 901, camera: '', code: 'busy', message: 'no' });
  assert.equal(bridge.notices.value.length, 2);
});

test('what is wrong with the bridge is what it said last', () => {
  const bridge = new Bridge(() => null);
  const mqtt = { part: 'mqtt', message: 'the broker is away' };
  bridge.receive({ type: 'welcome', cameras: [], troubles: [mqtt] });
  assert.deepEqual(bridge.troubles.value, [mqtt]);
  bridge.receive({ type: 'health', troubles: [] });
  assert.deepEqual(bridge.troubles.value, []);
  assert.deepEqual(bridge.notices.value, []);
});
