/**
 * How the pictures share the window. Pure geometry.
 *
 * A tile is a picture with its facts either below or beside it. Of all numbers
 * of columns and both places, fit takes the one that shows the largest pictures
 * without scrolling; when they would become clearly smaller than `smallest`, it
 * lets the page scroll and makes columns of at least that width.
 */

/** @typedef {'below' | 'beside'} Place where a tile's facts are */

/**
 * @typedef {object} Space
 * @property {number} width     of the wall, CSS pixels
 * @property {number} height    that is visible without scrolling
 * @property {number} count     of tiles
 * @property {number} aspect    width / height of a picture
 * @property {number} gap       between tiles
 * @property {number} below     height of the facts when they are below
 * @property {number} beside    width of the facts when they are beside
 * @property {number} column    height that they then need
 * @property {number} smallest  width of the smallest picture worth showing
 */

/**
 * @typedef {object} Fit
 * @property {number} columns
 * @property {number} width    of a tile
 * @property {number} picture  width of its picture
 * @property {Place} place
 */

/** A half-filled last row costs something: 2 + 2 tiles please more than 3 + 1 slightly larger ones. */
const tidiness = 0.6;

/** To see all cameras without scrolling, pictures may be that much smaller; not on phones, where scrolling is easy. */
const squeeze = 0.8;

/**
 * @param {Space} space
 * @returns {Fit}
 */
export function fit(space) {
  /** @type {Fit | null} */
  let best = null;
  let bestScore = 0;
  const least = space.width < 2 * space.smallest ? space.smallest : space.smallest * squeeze;
  for (let columns = 1; columns <= Math.max(1, space.count); columns++) {
    for (const place of /** @type {Place[]} */ (['below', 'beside'])) {
      const one = whole(space, columns, place);
      const score = one.picture ** 2 * fullness(space.count, columns) ** tidiness;
      if (one.picture >= least && score > bestScore) {
        best = one;
        bestScore = score;
      }
    }
  }
  return best ?? scrolling(space);
}

/**
 * whole is the layout of that many columns in which all tiles are visible.
 * @param {Space} space
 * @param {number} columns
 * @param {Place} place
 * @returns {Fit}
 */
function whole({ width, height, count, aspect, gap, below, beside, column }, columns, place) {
  const rows = Math.ceil(count / columns);
  const x = place === 'beside' ? beside : 0;
  const y = place === 'below' ? below : 0;
  const byWidth = (width - gap * (columns - 1)) / columns - x;
  const byHeight = ((height - gap * (rows - 1)) / rows - y) * aspect;
  const picture = Math.floor(Math.min(byWidth, byHeight));
  if (place === 'beside' && picture < column * aspect) return { columns, width: 0, picture: 0, place };
  return { columns, width: picture + x, picture, place };
}

/** @param {Space} space @returns {Fit} */
function scrolling({ width, count, gap, smallest }) {
  const most = Math.max(1, Math.floor((width + gap) / (smallest + gap)));
  const columns = Math.min(most, Math.max(1, count));
  const picture = Math.floor((width - gap * (columns - 1)) / columns);
  return { columns, width: picture, picture, place: 'below' };
}

/** fullness is the share of cells that hold a tile. @param {number} count @param {number} columns */
function fullness(count, columns) {
  return count / (Math.ceil(count / columns) * columns);
}

/**
 * aspectOf is the shape that suits most pictures: the median.
 * @param {number[]} aspects width / height of each
 */
export function aspectOf(aspects) {
  if (aspects.length === 0) return 4 / 3;
  const sorted = [...aspects].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 4 / 3;
}

/**
 * step is where an arrow key leads from one tile, or the same tile at the wall's edge.
 * @param {string} key
 * @param {number} index
 * @param {number} count
 * @param {number} columns
 */
export function step(key, index, count, columns) {
  const to = { ArrowLeft: index - 1, ArrowRight: index + 1, ArrowUp: index - columns, ArrowDown: index + columns, Home: 0, End: count - 1 }[key];
  return to === undefined || to < 0 || to >= count ? index : to;
}
