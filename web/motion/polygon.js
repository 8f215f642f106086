/**
 * Areas of a picture: what makes a polygon right, as the bridge checks it too.
 * Pure; points are shares of the picture's width and height.
 */

/** @typedef {import('../net/types.js').Point} Point */
/** @typedef {import('../net/types.js').Polygon} Polygon */

export const fewest = 3;
export const most = 32;
const smallest = 0.0001; // share of the picture

/**
 * crossings finds the edges that meet others elsewhere than at a common corner:
 * edge i goes from point i to the next one.
 * @param {Polygon} points
 * @returns {Set<number>}
 */
export function crossings(points) {
  const found = new Set();
  const n = points.length;
  const at = (/** @type {number} */ i) => /** @type {Point} */ (points[i % n]);
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const next = j === i + 1;
      const around = i === 0 && j === n - 1;
      const meeting = next ? n > fewest && folds(at(i), at(j), at(j + 1)) : around ? n > fewest && folds(at(j), at(0), at(1)) : meet(at(i), at(i + 1), at(j), at(j + 1));
      if (meeting) found.add(i).add(j);
    }
  }
  return found;
}

/** area is the share of the picture within. @param {Polygon} points */
export function area(points) {
  let sum = 0;
  points.forEach(([x, y], i) => {
    const [x2, y2] = /** @type {Point} */ (points[(i + 1) % points.length]);
    sum += x * y2 - x2 * y;
  });
  return Math.abs(sum) / 2;
}

/**
 * problem says what is wrong with a polygon, or nothing.
 * @param {Polygon} points
 */
export function problem(points) {
  if (points.length < fewest) return `needs at least ${fewest} points`;
  if (points.length > most) return `has ${points.length} points: ${most} are the most`;
  if (crossings(points).size > 0) return 'crosses itself: move a point so that its edges do not meet';
  if (area(points) < smallest) return 'covers next to nothing: make it larger';
  return '';
}

/** middle is between two points. @param {Point} a @param {Point} b @returns {Point} */
export function middle(a, b) {
  return clamp([(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
}

/** clamp keeps a point in the picture, to a hundredth of a percent. @param {Point} point @returns {Point} */
export function clamp([x, y]) {
  const share = (/** @type {number} */ v) => Math.round(Math.min(1, Math.max(0, v)) * 1e4) / 1e4;
  return [share(x), share(y)];
}

/** inside says whether a point is within (even-odd rule). @param {Polygon} points @param {Point} point */
export function inside(points, [x, y]) {
  let within = false;
  points.forEach(([x1, y1], i) => {
    const [x2, y2] = /** @type {Point} */ (points[(i + 1) % points.length]);
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) within = !within;
  });
  return within;
}

/** folds says whether the edges ab and bc lie on each other. @param {Point} a @param {Point} b @param {Point} c */
function folds(a, b, c) {
  return side(a, b, c) === 0 && (a[0] - b[0]) * (c[0] - b[0]) + (a[1] - b[1]) * (c[1] - b[1]) > 0;
}

/** meet says whether the segments ab and cd have a point in common. @param {Point} a @param {Point} b @param {Point} c @param {Point} d */
function meet(a, b, c, d) {
  const [d1, d2, d3, d4] = [side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)];
  if (d1 * d2 < 0 && d3 * d4 < 0) return true;
  return (d1 === 0 && within(a, b, c)) || (d2 === 0 && within(a, b, d)) || (d3 === 0 && within(c, d, a)) || (d4 === 0 && within(c, d, b));
}

/** side is on which side of the line ab c lies; 0: on it. @param {Point} a @param {Point} b @param {Point} c */
function side(a, b, c) {
  const v = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
  return Math.abs(v) < 1e-12 ? 0 : v;
}

/** @param {Point} a @param {Point} b @param {Point} c on the line ab */
function within(a, b, c) {
  return Math.min(a[0], b[0]) <= c[0] && c[0] <= Math.max(a[0], b[0]) && Math.min(a[1], b[1]) <= c[1] && c[1] <= Math.max(a[1], b[1]);
}
