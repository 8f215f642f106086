/** The page's drawings: 24 x 24, strokes in the colour of the text. */
import { s } from '../lib/dom.js';

const drawings = {
  back: ['M15 5l-7 7 7 7'],
  next: ['M9 5l7 7-7 7'],
  bell: ['M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15z', 'M10 21h4'],
  pause: ['M8 5v14', 'M16 5v14'],
  play: ['M7 5l12 7-12 7z'],
  sun: ['M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z', 'M12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M4.9 4.9l1.8 1.8M17.3 17.3l1.8 1.8M4.9 19.1l1.8-1.8M17.3 6.7l1.8-1.8'],
  moon: ['M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z'],
  system: ['M12 3a9 9 0 1 0 0 18z', 'M12 3a9 9 0 0 1 0 18'],
  exit: ['M14 4h5v16h-5', 'M3 12h11', 'M10 8l4 4-4 4'],
  close: ['M6 6l12 12M18 6L6 18'],
  check: ['M5 12.5l4.5 4.5L19 7.5'],
  warn: ['M12 4L2.5 20h19z', 'M12 10v4.5M12 17.2v.1'],
  pencil: ['M4 20l1-4L16.5 4.5l3 3L8 19z'],
  copy: ['M9 9h11v11H9z', 'M5 15H4V4h11v1'],
  shot: ['M4 8h3.5L9 5.5h6L16.5 8H20v11H4z', 'M12 10a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4z'],
  spark: ['M12 3v4M12 17v4M3 12h4M17 12h4M6 6l2.5 2.5M15.5 15.5L18 18M6 18l2.5-2.5M15.5 8.5L18 6'],
  restart: ['M19 12a7 7 0 1 1-2.2-5.1', 'M17.5 3v4.5H13'],
  off: ['M3 3l18 18', 'M9 5.5h6L16.5 8H20v9.5M17 19H4V8h3'],
  plug: ['M9 3v5M15 3v5', 'M6 8h12v3a6 6 0 0 1-12 0z', 'M12 17v4'],
  motion: ['M12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z', 'M7 6.5a8 8 0 0 0 0 11M17 6.5a8 8 0 0 1 0 11', 'M3.8 4a12 12 0 0 0 0 16M20.2 4a12 12 0 0 1 0 16'],
  events: ['M4 5h16v14H4z', 'M4 9.5h16', 'M8 13h3M8 16h6'],
  first: ['M19 6l-8 6 8 6z', 'M6 6v12'],
  last: ['M5 6l8 6-8 6z', 'M18 6v12'],
  save: ['M12 4v11M7.5 11l4.5 4.5 4.5-4.5', 'M5 20h14'],
  plus: ['M12 5v14M5 12h14'],
  undo: ['M9 5L4.5 9.5 9 14', 'M5 9.5h8.5a5.5 5.5 0 0 1 0 11H9'],
  bin: ['M4.5 7h15', 'M9.5 7V4.5h5V7', 'M6.5 7l1 13h9l1-13', 'M10.3 11v5.5M13.7 11v5.5'],
  area: ['M5 7l8-3 6 6-3 9-10-2z'],
  clock: ['M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z', 'M12 7.5V12l3 2'],
};

/** @typedef {keyof typeof drawings} IconName */

/**
 * icon draws one, hidden from screen readers: the button around it has a name.
 * @param {IconName} name
 */
export function icon(name) {
  return s('svg', { viewBox: '0 0 24 24', class: 'icon', 'aria-hidden': 'true' }, ...drawings[name].map(path));
}

/** mark is the wordmark's sign: a lens over a bridge's arch. */
export function mark() {
  return s('svg', { viewBox: '0 0 32 32', class: 'mark', 'aria-hidden': 'true' }, ...['M2.5 25h27', 'M4.5 25C5.5 3 26.5 3 27.5 25', 'M16 14.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8z'].map(path));
}

/** @param {string} d */
function path(d) {
  return s('path', { d });
}
