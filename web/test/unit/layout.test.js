import test from 'node:test';
import assert from 'node:assert/strict';
import { aspectOf, fit, step } from '../../lib/layout.js';

const wide = { width: 1250, height: 720, count: 4, aspect: 4 / 3, gap: 14, below: 58, beside: 140, column: 216, smallest: 240 };

test('four 4:3 cameras on a laptop stand two by two, with their facts beside them', () => {
  const found = fit(wide);
  assert.deepEqual([found.columns, found.place], [2, 'beside']);
  assert.equal(found.width, found.picture + 140);
});

test('everything is visible without scrolling while pictures stay large enough', () => {
  for (const count of [1, 2, 3, 4, 5, 6]) {
    const { columns, width, picture, place } = fit({ ...wide, count });
    const rows = Math.ceil(count / columns);
    const height = picture / wide.aspect + (place === 'below' ? wide.below : 0);
    assert.ok(rows * height + (rows - 1) * wide.gap <= wide.height + 1, `${count} cameras: ${rows} rows of ${height}`);
    assert.ok(columns * width + (columns - 1) * wide.gap <= wide.width, `${count} cameras: ${columns} columns of ${width}`);
  }
});

test('facts stand beside a picture only where they have room', () => {
  for (let count = 1; count <= 40; count++) {
    const { picture, place } = fit({ ...wide, width: 1568, height: 910, count });
    if (place === 'beside') assert.ok(picture / wide.aspect >= wide.column, `${count} cameras: ${picture} px`);
  }
});

test('pictures become a little smaller rather than scroll, but not much', () => {
  const room = { ...wide, width: 1568, height: 910, count: 20 };
  assert.deepEqual(fit(room), { columns: 5, width: 212, picture: 212, place: 'below' });
  assert.equal(fit({ ...room, height: 600 }).picture, 249, 'it scrolls');
});

test('many cameras scroll, in columns of at least the smallest width', () => {
  const found = fit({ ...wide, count: 40 });
  assert.equal(found.columns, 4);
  assert.ok(found.picture >= 240);
  assert.equal(found.place, 'below');
});

test('a phone has one column over its whole width', () => {
  const found = fit({ ...wide, width: 336, height: 640, count: 4 });
  assert.deepEqual(found, { columns: 1, width: 336, picture: 336, place: 'below' });
});

test('a window narrower than the smallest picture is still used whole', () => {
  assert.equal(fit({ ...wide, width: 180, height: 640 }).picture, 180);
});

test('the wall has the shape of most pictures', () => {
  assert.equal(aspectOf([]), 4 / 3);
  assert.equal(aspectOf([16 / 9, 4 / 3, 4 / 3]), 4 / 3);
  assert.equal(aspectOf([16 / 9, 16 / 9, 4 / 3]), 16 / 9);
});

test('arrow keys move within the wall and stop at its edges', () => {
  const from = (key, index) => step(key, index, 7, 3);
  assert.deepEqual(['ArrowRight', 'ArrowDown', 'Home', 'End'].map((key) => from(key, 1)), [2, 4, 0, 6]);
  assert.equal(from('ArrowLeft', 0), 0);
  assert.equal(from('ArrowUp', 2), 2);
  assert.equal(from('ArrowDown', 5), 5);
  assert.equal(from('x', 5), 5);
});
