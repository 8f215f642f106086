/** What the page says before there is any camera. */
import { h } from '../lib/dom.js';
import { mark } from './icons.js';

/**
 * empty makes the note.
 * @param {URL} base of the bridge
 */
export function empty(base) {
  const ingest = new URL('ingest/ws', base);
  ingest.protocol = ingest.protocol === 'https:' ? 'wss:' : 'ws:';
  return h(
    'div',
    { class: 'empty' },
    mark(),
    h('h2', null, 'No cameras yet'),
    h('p', null, 'Where the bridge runs, make a key for the first one. The last word is the name it will have in addresses:'),
    h('code', null, 'espcam-bridge keys add porch'),
    h('p', null, 'Give that key to the camera, together with this address:'),
    h('code', null, ingest.href),
    h('p', { class: 'note' }, 'It appears here by itself as soon as it connects.'),
  );
}
