/**
 * What is true of a camera and its picture right now, in one word and in a
 * sentence. An old picture must never look live.
 */
import { age, clock, span } from './format.js';

/** @typedef {import('../net/types.js').Camera} Camera */

/**
 * @typedef {'live' | 'old' | 'stale' | 'waiting' | 'paused' | 'lost' | 'offline' | 'disabled' | 'pending'} Kind
 *   lost: the camera's connection broke a moment ago
 *
 * @typedef {object} Truth
 * @property {Kind} kind
 * @property {string} chip    a word or two
 * @property {string} title   for people who see no picture, empty if they do
 * @property {string} detail  a second line, may be empty
 */

const oldAfter = 3000;
const staleAfter = 10_000;

/**
 * @param {Camera} camera
 * @param {object} view
 * @param {number} view.now       the bridge's time, Unix ms
 * @param {number} view.received  when the bridge had the picture that is shown, 0 if none is
 * @param {boolean} view.paused   pictures were stopped on this page
 * @param {boolean} view.away     the bridge does not answer, so nothing is live
 * @returns {Truth}
 */
export function truth(camera, { now, received, paused, away }) {
  if (!camera.enabled || camera.state === 'disabled') {
    return { kind: 'disabled', chip: 'off', title: 'Switched off', detail: 'no pictures leave the bridge' };
  }
  if (camera.state === 'pending') {
    return { kind: 'pending', chip: 'pending', title: 'Waiting to be adopted', detail: camera.address };
  }
  if (camera.state === 'offline') return offline(camera, now);
  if (!camera.connected) return { kind: 'lost', chip: 'lost', title: 'Connection lost', detail: lastPicture(camera, now) };
  if (paused) return { kind: 'paused', chip: 'paused', title: '', detail: '' };
  return picture(received === 0 ? null : now - received, away);
}

/** @param {Camera} camera @param {number} now @returns {Truth} */
function offline(camera, now) {
  const last = Date.parse(camera.last_frame_at ?? '');
  if (Number.isNaN(last)) return { kind: 'offline', chip: 'offline', title: 'Offline', detail: 'no picture since the bridge started' };
  return { kind: 'offline', chip: 'offline', title: `Offline for ${span(now - last)}`, detail: lastPicture(camera, now) };
}

/** @param {Camera} camera @param {number} now */
function lastPicture(camera, now) {
  const last = Date.parse(camera.last_frame_at ?? '');
  return Number.isNaN(last) ? '' : `last picture ${clock(last, now)}`;
}

/** @param {number | null} ms the picture's age @param {boolean} away @returns {Truth} */
function picture(ms, away) {
  if (ms === null) return { kind: 'waiting', chip: 'waiting', title: 'Waiting for a picture', detail: '' };
  if (ms >= staleAfter) return { kind: 'stale', chip: `stale · ${span(ms)}`, title: '', detail: '' };
  if (ms >= oldAfter || away) return { kind: 'old', chip: `${age(ms)} old`, title: '', detail: '' };
  return { kind: 'live', chip: 'live', title: '', detail: '' };
}

/**
 * counted is the one-glance sentence: "4 cameras, all live", "3 of 4 live".
 * @param {Kind[]} kinds of all cameras
 */
export function counted(kinds) {
  if (kinds.length === 0) return 'no cameras';
  const live = kinds.filter((kind) => kind === 'live').length;
  return `${live} of ${kinds.length} live`;
}
