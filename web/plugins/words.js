/** What there is to say about a plugin and about an alert that was given up. Pure. */
import { bytes, clock, span } from '../lib/format.js';

/** @typedef {import('../net/types.js').Plugin} Plugin */
/** @typedef {import('../net/types.js').PluginState} PluginState */
/** @typedef {import('../ui/icons.js').IconName} IconName */

/** How a state looks: live is well, wait is on its way, warn and bad want a person, off is nobody's wish. @typedef {'live' | 'wait' | 'warn' | 'bad' | 'off'} Mood */

/** @type {Record<PluginState, {word: string, mood: Mood, icon: IconName}>} */
const states = {
  ready: { word: 'running', mood: 'live', icon: 'check' },
  degraded: { word: 'running, with a problem', mood: 'warn', icon: 'warn' },
  starting: { word: 'starting', mood: 'wait', icon: 'clock' },
  configuring: { word: 'starting', mood: 'wait', icon: 'clock' },
  draining: { word: 'finishing', mood: 'wait', icon: 'clock' },
  stopped: { word: 'stopped', mood: 'off', icon: 'pause' },
  disabled: { word: 'switched off', mood: 'off', icon: 'pause' },
  backoff: { word: 'ended, starts again', mood: 'warn', icon: 'restart' },
  tripped: { word: 'ended too often', mood: 'bad', icon: 'warn' },
  bad_config: { word: 'needs other settings', mood: 'bad', icon: 'pencil' },
  incompatible: { word: 'does not fit this bridge', mood: 'bad', icon: 'close' },
  untrusted: { word: 'not accepted', mood: 'bad', icon: 'warn' },
  missing: { word: 'not installed', mood: 'bad', icon: 'close' },
};

/** stateOf is a state in a word, a colour and a sign; a new one of the bridge in its own word. @param {PluginState} state */
export function stateOf(state) {
  return states[state] ?? { word: String(state).replaceAll('_', ' '), mood: 'off', icon: 'clock' };
}

/**
 * when says since when the state holds, and when the bridge does something of its own accord.
 * @param {Plugin} plugin
 * @param {number} now
 */
export function when({ since, next }, now) {
  const from = Date.parse(since ?? '');
  const to = Date.parse(next ?? '');
  const parts = [!Number.isNaN(from) && `since ${clock(from, now)}`, !Number.isNaN(to) && (to > now ? `next start in ${span(to - now + 999)}` : 'next start now')];
  return parts.filter(Boolean).join(' · ');
}

/** @param {Plugin} plugin @param {number} now @returns {[string, string][]} */
export function facts({ type, version, roles, memory, started, restarts, permissions, source }, now) {
  const begun = Date.parse(started ?? '');
  /** @type {[string, string][]} */
  const all = [
    ['Type', type],
    ['Version', version],
    ['Role', roles.join(', ')],
    ['Memory', memory > 0 ? bytes(memory) : ''],
    ['Process', Number.isNaN(begun) ? '' : `since ${clock(begun, now)}`],
    ['Restarts', String(restarts)],
    ['May', permissions.join(', ') || 'nothing of the bridge'],
    ['Configured in', source],
  ];
  return all.filter(([, text]) => text);
}

/** mayTest says whether a message can be sent through it. @param {Plugin} plugin */
export function mayTest({ roles }) {
  return roles.includes('notifier');
}

/** given says how an alert came to be given up. @param {import('../net/types.js').FailedAlert} alert @param {number} now */
export function given({ instance, attempts, at }, now) {
  return `${clock(Date.parse(at), now)} · ${instance} · ${attempts === 1 ? '1 attempt' : `${attempts} attempts`}`;
}
