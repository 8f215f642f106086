import test from 'node:test';
import assert from 'node:assert/strict';
import { age, bytes, clock, fps, frameSize, signal, span, stamp } from '../../lib/format.js';

const cases = [
  ['age', age, [[0, '0.0 s'], [432, '0.4 s'], [9949, '9.9 s'], [9950, '9 s'], [12_900, '12 s'], [-5, '0.0 s']]],
  ['span', span, [[999, '0 s'], [59_999, '59 s'], [60_000, '1 min'], [3_600_000, '1 h'], [7_500_000, '2 h 5 min'], [99 * 3_600_000, '4 d 3 h']]],
  ['bytes', bytes, [[0, '0 B'], [999, '999 B'], [1000, '1.0 KB'], [12_345, '12 KB'], [3_400_000, '3.4 MB']]],
  ['fps', fps, [[15, '15 fps'], [9.96, '10 fps'], [0.5, '0.5 fps'], [10.02, '10 fps'], [0, '0 fps']]],
  ['frameSize', frameSize, [['SVGA', 'SVGA · 800×600'], ['SOMETHING', 'SOMETHING']]],
];
for (const [name, format, pairs] of cases) {
  test(`${name} is short and exact`, () => {
    for (const [value, words] of pairs) assert.equal(format(value), words);
  });
}

test('a time of another day says its date', () => {
  const noon = new Date(2026, 10, 21, 14, 2, 7).getTime();
  assert.equal(clock(noon, noon + 60_000), '14:02:07');
  assert.equal(clock(noon, noon + 24 * 3_600_000), 'Nov 21 14:02:07');
  assert.equal(stamp(noon), '2026-11-21-140207');
});

test('a signal has bars and a word', () => {
  assert.deepEqual([-40, -60, -70, -80, -90].map((dBm) => signal(dBm).bars), [4, 3, 2, 1, 0]);
  assert.equal(signal(-90).word, 'very weak');
});
