/**
 * How long to wait before the next attempt to connect: twice as long each time,
 * from 0.5 to 10 seconds, with jitter so that all the pages of a house do not
 * fall upon a bridge that has just come back.
 * @param {number} attempt 0 for the first wait
 * @param {() => number} [random] from 0 to 1
 * @returns {number} milliseconds, from 500 to 10,000
 */
export function backoff(attempt, random = Math.random) {
  const longest = Math.min(10_000, 1000 * 2 ** Math.min(attempt, 10));
  return longest / 2 + (random() * longest) / 2;
}
