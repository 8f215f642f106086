import test from 'node:test';
import assert from 'node:assert/strict';
import { Screen } from '../../paint/screen.js';

const settle = () => new Promise((done) => setImmediate(done));

/** A painter that paints when told to. */
class HandPainter {
  closed = false;
  jobs = [];
  element = { remove: () => (this.removed = true), replaceWith: (other) => (this.replacedBy = other) };
  paint(jpeg) {
    return new Promise((resolve, reject) => this.jobs.push({ jpeg, ok: () => resolve({ width: 4, height: 3 }), no: () => reject(new Error('refused')) }));
  }
  close() {
    this.closed = true;
  }
}

function setUp() {
  const made = [];
  const make = (kind) => () => {
    const painter = Object.assign(new HandPainter(), { kind });
    made.push(painter);
    return painter;
  };
  const workshop = { place: 'page', painter: make('strict'), tolerantPainter: make('tolerant') };
  const shown = [];
  const acks = [];
  const host = { children: [], append: (element) => host.children.push(element) };
  const screen = new Screen(host, workshop, (picture) => shown.push(picture.jpeg));
  const show = (jpeg) => screen.show({ jpeg, received: 1 }, () => acks.push(jpeg));
  return { screen, show, made, shown, acks, host, workshop };
}

test('one picture is decoded at a time and the newest waiting one wins; all give their credit back', async () => {
  const { show, made, shown, acks } = setUp();
  show('a');
  show('b');
  show('c');
  assert.deepEqual(made[0].jobs.map((job) => job.jpeg), ['a']);
  assert.deepEqual(acks, ['b']);
  made[0].jobs[0].ok();
  await settle();
  made[0].jobs[1].ok();
  await settle();
  assert.deepEqual(shown, ['a', 'c']);
  assert.deepEqual(acks, ['b', 'a', 'c']);
});

test('three refusals in a row bring the tolerant painter, two do not', async () => {
  const { show, made, shown } = setUp();
  for (const verdict of ['no', 'no', 'ok', 'no', 'no', 'no']) {
    show(verdict);
    made[0].jobs.at(-1)[verdict]();
    await settle();
  }
  assert.equal(made.length, 1);
  show('d');
  assert.equal(made[1].kind, 'tolerant');
  assert.equal(made[0].closed, false, 'the last good picture stays until the next is there');
  made[1].jobs[0].ok();
  await settle();
  assert.equal(made[0].replacedBy, made[1].element);
  assert.equal(made[0].closed, true);
  assert.deepEqual(shown, ['ok', 'd']);
});

test('when the workshop moves, the picture does not go away', async () => {
  const { show, made, workshop } = setUp();
  show('a');
  made[0].jobs[0].ok();
  await settle();
  workshop.place = 'worker';
  show('b');
  assert.equal(made.length, 2);
  assert.equal(made[0].replacedBy, undefined);
  made[1].jobs[0].ok();
  await settle();
  assert.equal(made[0].replacedBy, made[1].element);
});

test('a cleared screen shows nothing, not even what was being decoded', async () => {
  const { screen, show, made, shown, acks } = setUp();
  show('a');
  made[0].jobs[0].ok();
  await settle();
  show('b');
  show('c');
  screen.clear();
  assert.equal(made[0].removed && made[0].closed, true);
  made[0].jobs[1].ok();
  await settle();
  assert.deepEqual(shown, ['a']);
  assert.deepEqual(acks.sort(), ['a', 'b', 'c']);
});
