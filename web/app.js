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
import { Later } from './ui/later.js';
import { Log } from './ui/log.js';
import { Login } from './ui/login.js';
import { Route, eventsAddress, pluginsAddress } from './ui/route.js';
import { Toasts } from './ui/toasts.js';
import { Wall } from './ui/wall.js';

const tick = 500; // ms between two looks at the clock

const api = new Api(new URL('.', document.baseURI));
/** @type {Bridge} */
const bridge = new Bridge(
  () => link,
  ({ camera, code, message }) => toasts[code ? 'fault' : 'say'](camera ? `${bridge.nameOf(camera)}: ${message}` : message),
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
const bar = new Bar({ log, onpause: () => (paused.value = !paused.value), onevents: () => void route.open(eventsAddress({})), onplugins: () => void route.open(pluginsAddress), onexit: () => void logout() });
const wall = new Wall({ feeds, workshop: new Workshop(), clock: link.clock, onpick: (id) => void (route.camera === id ? route.back() : route.go(id)) });
const panel = new Later(async () => new (await import('./ui/panel.js')).Panel({ bridge, api, toasts, route, onback: () => void route.back(), onstep: (by) => step(by) }));
const login = new Login(api, () => link.open());
const note = empty(api.base);
const events = new Later(async () => new (await import('./events/events.js')).Events({ bridge, api, route }), 'events');
const plugins = new Later(async () => new (await import('./plugins/plugins.js')).Plugins({ bridge, api, route, toasts, now: () => link.clock.now() }), 'plugins');
const main = h('main', null, wall, panel, events, plugins, note);

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
    showOther(one ? 'one' : 'all');
    showPanel(one, view);
    note.hidden = !session.known || cameras.size > 0 || route.events !== null || route.plugins;
    bar.update(session, kinds);
    setText(document.querySelector('title') ?? document.head, title(session.name, route.plugins ? 'Plugins' : route.events ? 'Events' : one?.name));
  });
}

/**
 * showPanel shows what there is about the enlarged camera.
 * @param {import('./net/types.js').Camera | null} one
 * @param {{now: number, paused: boolean, away: boolean}} view
 */
function showPanel(one, view) {
  panel.hidden = one === null;
  if (one && !panel.content) void panel.want().then((content) => content && render());
  const tile = wall.tile(one?.id ?? '');
  panel.content?.show(one, tile, one && tile ? truth(one, { ...view, received: tile.received }) : null, view.now);
}

/** showOther shows events or plugins in place of the cameras, or the cameras. @param {'one' | 'all'} cameras */
function showOther(cameras) {
  const view = route.plugins ? 'plugins' : route.events ? 'events' : cameras;
  main.dataset.view = view;
  wall.hidden = view !== cameras;
  for (const [part, name] of /** @type {const} */ ([[events, 'events'], [plugins, 'plugins']])) {
    part.hidden = view !== name;
    if (view === name && !part.content) void part.want().then((content) => content?.update());
    else part.content?.update();
  }
}

/** @param {string} name @param {string | undefined} what is shown */
function title(name, what) {
  return [what, name, 'espcam-bridge'].filter(Boolean).join(' · ');
}

/** step goes to a neighbour of the enlarged camera. @param {number} by */
function step(by) {
  const ids = [...bridge.cameras.value.keys()];
  const to = ids[(ids.indexOf(route.camera ?? '') + by + ids.length) % ids.length];
  if (to) void route.go(to);
}

async function logout() {
  const answer = await api.logout();
  if (answer.kind === 'ok') location.reload();
  else toasts.fault(answer.fault.message);
}

/** tell shows and says what begins to move. @param {import('./net/types.js').EventNews | null} news */
function tell(news) {
  if (!news) return;
  wall.tile(news.event.camera)?.mark(news.now ?? []);
  if (!news.active || told.get(news.event.camera) === news.event.id) return;
  told.set(news.event.camera, news.event.id);
  toasts.whisper(`Motion: ${bridge.nameOf(news.event.camera)}`);
}
/** @type {Map<string, string>} by camera, the event that was read out last */
const told = new Map();

bridge.news.watch(tell);
bridge.cameras.watch(render);
bridge.plugins.watch(render);
bridge.session.watch((session) => {
  if (version && session.version !== version) location.reload(); // the bridge was replaced, and so was this page
  version = session.version;
  render();
});
route.watch(render);
wall.addEventListener('fresh', render);
wall.addEventListener('fresh', () => void panel.want(), { once: true }); // once the first picture is there, so that a click finds it
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
  event.preventDefault(); // or it closes at once the question that going back may ask
  if (event.target instanceof HTMLElement && event.target.matches('[type=text], [type=password], textarea')) event.target.blur();
  else void route.back();
});
feeds.hold('hidden', document.hidden);
link.open();
