import test from 'node:test';
import assert from 'node:assert/strict';
import { Draft } from '../../motion/draft.js';

const square = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]];
const some = () => new Draft({ zones: { door: square }, ignore: [square] });

test('what is not touched is not changed, and goes back as it came', () => {
  const draft = some();
  assert.equal(draft.changed, false);
  assert.deepEqual(draft.settings(), { zones: { door: square }, ignore: [square] });
  assert.deepEqual([draft.titleOf(0), draft.titleOf(1)], ['door', 'mask 1']);
  assert.deepEqual(new Draft({}).settings(), { zones: {}, ignore: [] });
});

test('a zone is drawn corner by corner, and is nothing until it has three', () => {
  const draft = new Draft({});
  draft.add('zone');
  for (const point of square.slice(0, 2)) draft.insert((draft.area?.points.length ?? 0) - 1, point);
  draft.finish();
  assert.equal(draft.areas.length, 0);
  draft.add('zone');
  for (const point of square) draft.insert((draft.area?.points.length ?? 0) - 1, point);
  draft.finish();
  assert.deepEqual(draft.settings().zones, { zone: square });
  draft.add('zone', square);
  assert.equal(draft.area?.name, 'zone 2');
});

test('points are moved, added and removed, but never below three or above 32', () => {
  const draft = some();
  draft.select(0);
  draft.move(1, [2, 0.1]);
  assert.deepEqual(draft.area?.points[1], [1, 0.1]);
  assert.equal(draft.insert(0), true);
  assert.deepEqual(draft.area?.points[1], [0.6, 0.15]);
  assert.equal(draft.point, 1);
  for (let i = 0; i < 27; i++) assert.equal(draft.insert(0), true);
  assert.equal(draft.insert(0), false);
  for (let i = 0; i < 29; i++) assert.equal(draft.removePoint(0), true);
  assert.equal(draft.removePoint(0), false);
  assert.equal(draft.area?.points.length, 3);
});

test('undo goes back step by step; moves of one point in a row are one step', () => {
  const draft = some();
  draft.select(0);
  for (const x of [0.21, 0.22, 0.23]) draft.move(0, [x, 0.2]);
  draft.move(1, [0.7, 0.2]);
  draft.rename('gate');
  draft.undo();
  assert.equal(draft.area?.name, 'door');
  draft.undo();
  assert.deepEqual(draft.area?.points.slice(0, 2), [[0.23, 0.2], [0.8, 0.2]]);
  draft.undo();
  assert.deepEqual([draft.changed, draft.undoable], [false, false]);
  draft.remove();
  draft.undo();
  assert.equal(draft.areas.length, 2);
});

test('names are checked, and what is wrong is said', () => {
  const draft = some();
  draft.add('zone', square);
  const says = (name) => (draft.rename(name), draft.problem());
  assert.equal(says('gate'), '');
  assert.match(says('door'), /^Door is there twice/);
  assert.match(says(''), /^Zone without a name needs one/);
  assert.match(says(' gate'), /spaces/);
  assert.match(says('g'.repeat(33)), /more than 32/);
  draft.rename('gate');
  draft.move(1, [0.1, 0.5]);
  assert.match(draft.problem(), /^Gate crosses itself/);
});

test('there is room for sixteen of each kind', () => {
  const draft = new Draft({});
  for (let i = 0; i < 20; i++) draft.add('zone', square);
  assert.equal(draft.areas.length, 16);
  assert.deepEqual([draft.mayAdd('zone'), draft.mayAdd('ignore')], [false, true]);
});

test('what is saved is not changed any more', () => {
  const draft = some();
  draft.select(1);
  draft.remove();
  assert.equal(draft.changed, true);
  draft.saved();
  assert.equal(draft.changed, false);
});
