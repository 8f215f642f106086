/** Figures and times in words. Everything here is pure. */

/**
 * age is the age of a picture: "0.4 s", "12 s", "3 min".
 * @param {number} ms
 */
export function age(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  return span(ms);
}

/**
 * span is a length of time in its one or two largest units: "45 s", "3 min", "2 h 5 min", "4 d 3 h".
 * @param {number} ms
 */
export function span(ms) {
  const s = Math.floor(Math.max(0, ms) / 1000);
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return `${min} min`;
  const hours = Math.floor(min / 60);
  if (hours < 24) return two(hours, 'h', min % 60, 'min');
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** @param {number} a @param {string} unitA @param {number} b @param {string} unitB */
function two(a, unitA, b, unitB) {
  return b === 0 ? `${a} ${unitA}` : `${a} ${unitA} ${b} ${unitB}`;
}

/**
 * clock is a local time of day, with the date in front if it is not of today: "14:02:07", "Nov 20 14:02:07".
 * @param {number} ms Unix time
 * @param {number} [now]
 */
export function clock(ms, now = Date.now()) {
  const t = new Date(ms);
  const time = `${pad(t.getHours())}:${pad(t.getMinutes())}:${pad(t.getSeconds())}`;
  if (t.toDateString() === new Date(now).toDateString()) return time;
  return `${t.toLocaleDateString('en', { month: 'short', day: 'numeric' })} ${time}`;
}

/**
 * stamp is a time for a file name: "2026-11-21-140207".
 * @param {number} ms Unix time
 */
export function stamp(ms) {
  const t = new Date(ms);
  const date = `${t.getFullYear()}-${pad(t.getMonth() + 1)}-${pad(t.getDate())}`;
  return `${date}-${pad(t.getHours())}${pad(t.getMinutes())}${pad(t.getSeconds())}`;
}

/** @param {number} n */
function pad(n) {
  return String(n).padStart(2, '0');
}

/**
 * bytes is an amount of data: "840 B", "12 KB", "3.4 MB" (powers of 1000).
 * @param {number} n
 */
export function bytes(n) {
  if (n < 1000) return `${Math.round(n)} B`;
  if (n < 1e6) return `${(n / 1e3).toFixed(n < 1e4 ? 1 : 0)} KB`;
  return `${(n / 1e6).toFixed(1)} MB`;
}

/**
 * fps is a frame rate: "15 fps", "0.5 fps".
 * @param {number} n
 */
export function fps(n) {
  return `${n < 9.95 && n % 1 >= 0.05 ? n.toFixed(1) : Math.round(n)} fps`;
}

/**
 * signal judges a Wi-Fi signal: bars from 0 to 4 and a word.
 * @param {number} dBm
 * @returns {{bars: number, word: string}}
 */
export function signal(dBm) {
  if (dBm >= -55) return { bars: 4, word: 'excellent' };
  if (dBm >= -67) return { bars: 3, word: 'good' };
  if (dBm >= -75) return { bars: 2, word: 'fair' };
  if (dBm >= -82) return { bars: 1, word: 'weak' };
  return { bars: 0, word: 'very weak' };
}

/** @type {Record<string, string>} the driver's names of picture sizes */
const sizes = {
  '96X96': '96×96', QQVGA: '160×120', '128X128': '128×128', QCIF: '176×144', HQVGA: '240×176', '240X240': '240×240',
  QVGA: '320×240', '320X320': '320×320', CIF: '400×296', HVGA: '480×320', VGA: '640×480', SVGA: '800×600',
  XGA: '1024×768', HD: '1280×720', SXGA: '1280×1024', UXGA: '1600×1200', FHD: '1920×1080', P_HD: '720×1280',
  P_3MP: '864×1536', QXGA: '2048×1536', QHD: '2560×1440', WQXGA: '2560×1600', P_FHD: '1080×1920', QSXGA: '2560×1920', '5MP': '2592×1944',
};

/**
 * frameSize adds the pixels to a name that few people know by heart: "SVGA · 800×600".
 * @param {string} name
 */
export function frameSize(name) {
  const pixels = sizes[name];
  return pixels ? `${name} · ${pixels}` : name;
}
