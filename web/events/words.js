/** Events in words. Pure. */
import { clock, span } from '../lib/format.js';

/** @typedef {import('../net/types.js').MotionEvent} MotionEvent */

/** @type {Record<string, string>} */
const endings = {
  length: 'It lasted as long as one event may; what went on is the next one.',
  disconnected: 'It ended because the camera went away.',
  disabled: 'It ended because the camera or its motion detection was switched off.',
  stopped: 'It ended because the bridge stopped.',
};

/** @type {Record<string, string>} */
const sources = { pixels: 'the pictures', pir: 'the camera’s motion sensor' };

/**
 * day names the local day of a time: "Today", "Yesterday", "Wednesday, November 19".
 * @param {number} ms Unix time
 * @param {number} [now]
 */
export function day(ms, now = Date.now()) {
  const date = new Date(ms);
  const today = new Date(now);
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (date.toDateString() === today.toDateString()) return 'Today';
  if (date.toDateString() === yesterday.toDateString()) return 'Yesterday';
  const year = date.getFullYear() === today.getFullYear() ? {} : /** @type {const} */ ({ year: 'numeric' });
  return date.toLocaleDateString('en', { weekday: 'long', month: 'long', day: 'numeric', ...year });
}

/** time is when an event began, without its day: "14:02:07". @param {MotionEvent} event */
export function time({ begin }) {
  return clock(Date.parse(begin), Date.parse(begin));
}

/** lasted is how long an event took, or takes until now. @param {MotionEvent} event @param {number} now */
export function lasted({ begin, end }, now) {
  return span(Math.max(1000, (end ? Date.parse(end) : now) - Date.parse(begin)));
}

/** things are what was seen where: "person 87 %, door". @param {MotionEvent} event */
export function things({ labels, zones }) {
  return [...(labels ?? []).map(({ label, score }) => `${label} ${percent(score)}`), ...(zones ?? [])];
}

/** facts are what else is known of an event. @param {MotionEvent} event @returns {[string, string][]} */
export function facts(event) {
  const seen = (event.sources ?? []).map((name) => sources[name] ?? name).join(', ');
  /** @type {[string, string][]} */
  const all = [
    ['Zones', (event.zones ?? []).join(', ')],
    ['Seen', (event.labels ?? []).map(({ label, score }) => `${label} ${percent(score)}`).join(', ')],
    ['Noticed by', seen],
    ['Score', percent(event.score)],
  ];
  return all.filter(([, text]) => text);
}

/** ending says why an event was over, where that is not just quiet. @param {MotionEvent} event */
export function ending({ ending: why }) {
  return endings[why ?? ''] ?? '';
}

/**
 * timecode is a place in a clip: "0:07.4".
 * @param {number} ms
 */
export function timecode(ms) {
  const tenths = Math.floor(Math.max(0, ms) / 100);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, '0')}.${tenths % 10}`;
}

/** @param {number} share */
function percent(share) {
  return `${Math.round(share * 100)} %`;
}
