import test from 'node:test';
import assert from 'node:assert/strict';
import { area, clamp, crossings, inside, middle, problem } from '../../motion/polygon.js';

const square = [[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]];
const bow = [[0.2, 0.2], [0.8, 0.8], [0.8, 0.2], [0.2, 0.8]];
const round = (n) => Array.from({ length: n }, (_, i) => [0.5 + 0.4 * Math.cos((i * 2 * Math.PI) / n), 0.5 + 0.4 * Math.sin((i * 2 * Math.PI) / n)]);

test('three to 32 points, no crossing edges, and not next to nothing', () => {
  for (const good of [square, round(3), round(32), square.toReversed()]) assert.equal(problem(good), '');
  assert.match(problem(square.slice(0, 2)), /at least 3 points/);
  assert.match(problem(round(33)), /has 33 points: 32 are the most/);
  assert.match(problem(bow), /crosses itself/);
  assert.match(problem([[0, 0], [0.001, 0], [0, 0.001]]), /next to nothing/);
});

test('the edges that cross are named', () => {
  assert.deepEqual([...crossings(bow)].sort(), [0, 2]);
  assert.deepEqual([...crossings(square)], []);
});

test('edges that only touch, or lie on each other, cross as well; common corners do not', () => {
  assert.ok(crossings([[0, 0], [1, 0], [1, 1], [0.5, 0], [0, 1]]).size > 0, 'a corner on another edge');
  assert.ok(crossings([[0, 0], [0.6, 0], [0.3, 0], [0.3, 0.5]]).size > 0, 'a fold');
  assert.ok(crossings([[0.3, 0.5], [0, 0], [0.6, 0], [0.3, 0]]).size > 0, 'a fold around the start');
  assert.equal(crossings([[0, 0], [0.5, 0], [1, 0], [0.5, 1]]).size, 0, 'a corner of 180 degrees');
});

test('area, inside, middle', () => {
  assert.ok(Math.abs(area(square) - 0.36) < 1e-12);
  assert.deepEqual([inside(square, [0.5, 0.5]), inside(square, [0.1, 0.5]), inside(bow, [0.5, 0.25])], [true, false, false]);
  assert.deepEqual(middle([0, 0.5], [1, 0]), [0.5, 0.25]);
});

test('a point stays in the picture', () => {
  assert.deepEqual(clamp([-0.2, 1.7]), [0, 1]);
  assert.deepEqual(clamp([0.123456, 0.5]), [0.1235, 0.5]);
});
