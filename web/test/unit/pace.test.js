import test from 'node:test';
import assert from 'node:assert/strict';
import { Pace } from '../../lib/pace.js';
import { backoff } from '../../lib/backoff.js';

/** settle lets all promises that can go on do so. */
const settle = () => new Promise((done) => setImmediate(done));

/** A Pace whose answers and rests are given by hand. */
function byHand() {
  const sent = [];
  const answers = [];
  const rests = [];
  const hold = (list) => new Promise((done) => list.push(done));
  const pace = new Pace(100, (value) => (sent.push(value), hold(answers)), () => hold(rests));
  return { pace, sent, answer: () => answers.shift()?.(), rest: () => rests.shift()?.() };
}

test('of many values the first and the last are sent, and never two at once', async () => {
  const { pace, sent, answer, rest } = byHand();
  for (let value = 1; value <= 50; value++) pace.push(value);
  assert.deepEqual(sent, [1]);
  rest();
  await settle();
  assert.deepEqual(sent, [1], 'the interval passed, but there was no answer');
  answer();
  await settle();
  assert.deepEqual(sent, [1, 50]);
});

test('an answer alone does not end the interval', async () => {
  const { pace, sent, answer, rest } = byHand();
  pace.push('a');
  pace.push('b');
  answer();
  await settle();
  assert.deepEqual(sent, ['a']);
  rest();
  await settle();
  assert.deepEqual(sent, ['a', 'b']);
});

test('it says whether a newer value waits', async () => {
  const { pace, answer, rest } = byHand();
  pace.push(1);
  assert.equal(pace.waiting, false);
  pace.push(2);
  assert.equal(pace.waiting, true);
  answer();
  rest();
  await settle();
  assert.equal(pace.waiting, false);
});

test('waits grow from half a second to ten, with jitter', () => {
  for (let attempt = 0; attempt < 60; attempt++) {
    const [shortest, longest] = [backoff(attempt, () => 0), backoff(attempt, () => 1)];
    assert.ok(shortest >= 500 && longest <= 10_000 && shortest < longest, `attempt ${attempt}: ${shortest} to ${longest}`);
  }
  assert.equal(backoff(0, () => 0), 500);
  assert.equal(backoff(9, () => 1), 10_000);
});
