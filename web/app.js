/**
 * The page: builds its parts, connects them, and shows again what changed.
 *
 *     Link (socket) -> Bridge (what is known) -> render -> Wall, Panel, Bar
 *          '--------> Feeds (pictures) -------> Tile -> Screen -> Painter
 */
import { find, h, setText } from './lib/dom.js';
import { Signal } from './lib/signal.js';
import { Api } from './net/api.js';
import { Bridge } from './net/bridge.js';
import { Feeds } from './net/feeds.js';
import { Link } from './net/link.js';
import { Workshop } from './paint/workshop.js';
import { truth } from './lib/state.js';
import { Bar } from './ui/bar.js';
import { Banner } from './ui/banner.js';
import { empty } from './ui/empty.js';
import { Log } from './ui/log.js';
import { Login } from './ui/login.js';
import { Panel } from './ui/panel.js';
import { Route } from './ui/route.js';
import { Toasts } from './ui/toasts.js';
import { Wall } from './ui/wall.js';

const tick = 500; // ms between two looks at the clock

const api = new Api(new URL('.', document.baseURI));
/** @type {Bridge} */
const bridge = new Bridge(
  () => link,
  ({ camera, message }) => toasts.fault(camera ? `${bridge.nameOf(camera)}: ${message}` : message),
);
const link = new Link(api, {
  message: (message) => bridge.receive(message),
  frame: (frame) => feeds.frame(frame),
  open: (open) => feeds.hold('closed', !open),
});
const feeds = new Feeds(link);
const route = new Route();
const paused = new Signal(false);

const toasts = new Toasts();
const log = new Log(bridge);
const bar = new Bar({ log, onpause: () => (paused.value = !paused.value), onexit: () => void logout() });
const wall = new Wall({ feeds, workshop: new Workshop(), clock: link.clock, onpick: (id) => (route.camera === id ? route.back() : route.go(id)) });
const panel = new Panel({ bridge, api, toasts, onback: () => route.back(), onstep: (by) => step(by) });
const login = new Login(api, () => link.open());
const note = empty(api.base);
const main = h('main', null, wall, panel, note);

document.body.prepend(bar, new Banner(link), main, login, toasts);
find('.loading').remove();

let version = '';
let waiting = false;
/** render shows what is true now, at most once per repaint. */
function render() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    const cameras = bridge.cameras.value;
    const session = bridge.session.value;
    const view = { now: link.clock.now(), paused: paused.value, away: link.status.value.phase !== 'open' };
    const one = cameras.get(route.camera ?? '') ?? null;
    const kinds = wall.update(cameras, view);
    wall.enlarge(one?.id ?? null);
    main.dataset.view = one ? 'one' : 'all';
    const tile = wall.tile(one?.id ?? '');
    panel.show(one, tile, one && tile ? truth(one, { ...view, received: tile.received }) : null, view.now);
    note.hidden = !session.known || cameras.size > 0;
    bar.update(session, kinds);
    setText(document.querySelector('title') ?? document.head, title(session.name, one?.name));
  });
}

/** @param {string} name @param {string | undefined} camera */
function title(name, camera) {
  return [camera, name, 'espcam-bridge'].filter(Boolean).join(' · ');
}

/** step goes to a neighbour of the enlarged camera. @param {number} by */
function step(by) {
  const ids = [...bridge.cameras.value.keys()];
  const to = ids[(ids.indexOf(route.camera ?? '') + by + ids.length) % ids.length];
  if (to) route.go(to);
}

async function logout() {
  const answer = await api.logout();
  if (answer.kind === 'ok') location.reload();
  else toasts.fault(answer.fault.message);
}

bridge.cameras.watch(render);
bridge.session.watch((session) => {
  if (version && session.version !== version) location.reload(); // the bridge was replaced, and so was this page
  version = session.version;
  render();
});
route.watch(render);
wall.addEventListener('fresh', render);
setInterval(render, tick);
link.status.watch(({ phase }) => {
  document.body.dataset.link = phase;
  render();
  for (const part of [bar, main]) part.inert = phase === 'denied';
  if (phase === 'denied') login.ask();
});
paused.watch((on) => {
  feeds.hold('paused', on);
  bar.pause(on);
  render();
});
document.addEventListener('visibilitychange', () => {
  feeds.hold('hidden', document.hidden);
  if (!document.hidden) link.wake();
});
window.addEventListener('online', () => link.wake());
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || document.querySelector('dialog[open]')) return;
  if (event.target instanceof HTMLInputElement && event.target.type === 'text') event.target.blur();
  else route.back();
});
feeds.hold('hidden', document.hidden);
link.open();
