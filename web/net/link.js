/**
 * Link is the page's one connection to the bridge. It opens by itself, comes
 * back by itself, notices a socket that is only half alive, and says at any
 * time how it stands.
 */
import { Signal } from '../lib/signal.js';
import { backoff } from '../lib/backoff.js';
import { BridgeClock } from './clock.js';
import { Outbox } from './outbox.js';
import { parseFrame } from './frame.js';

/** @typedef {import('./api.js').Api} Api */
/** @typedef {import('./types.js').Fault} Fault */
/** @typedef {import('./types.js').Camera} Camera */
/** @typedef {import('./frame.js').Frame} Frame */

/**
 * @typedef {object} Status
 * @property {'connecting' | 'open' | 'late' | 'lost' | 'denied'} phase
 *   late: open, but the bridge is silent; lost: waiting for the next attempt
 * @property {number} retryAt  local Unix ms of the next attempt, when lost
 * @property {Fault | null} fault  why
 */

/** @typedef {{ok: true, camera?: Camera} | {ok: false, error: Fault}} Result */

/**
 * @typedef {object} Listener
 * @property {(message: any) => void} message  JSON that is no answer to a request
 * @property {(frame: Frame) => void} frame
 * @property {(open: boolean) => void} open    after welcome, and when it is over
 */

const beat = 400; // ms between pings
const late = 1300; // ms of silence until people are told
const dead = 6000; // ms of silence until the socket is given up
const asleep = 1600; // ms between two beats that mean that machine, tab or page slept
const stable = 5000; // ms open until the next failure starts with short waits again
const patience = 15_000; // ms until a request counts as unanswered

export class Link {
  status = new Signal(/** @type {Status} */ ({ phase: 'connecting', retryAt: 0, fault: null }));
  clock = new BridgeClock();
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Outbox | null} */ #outbox = null;
  /** @type {Map<string, (result: Result) => void>} */ #requests = new Map();
  #nextID = 1;
  #attempt = 0;
  #heard = 0;
  #lastBeat = 0;
  #opened = 0;
  #retry = 0;
  #beats = 0;
  #tries = 0;

  /** @param {Api} api @param {Listener} listener */
  constructor(api, listener) {
    this.api = api;
    this.listener = listener;
  }

  /** open connects, now. Call it also to cut a wait short. */
  open() {
    clearTimeout(this.#retry);
    this.#drop();
    this.#set('connecting');
    void this.#connect(++this.#tries);
  }

  /** wake cuts a wait short when there are reasons to hope: the network is back, the tab is looked at. */
  wake() {
    if (this.status.value.phase === 'lost') this.open();
    this.#heard = performance.now();
    this.#ping();
  }

  /** post sends a message that needs no answer; without a connection it is forgotten. @param {object} message */
  post(message) {
    this.#outbox?.post(message);
  }

  /** painted gives back a picture's credit. @param {number} channel */
  painted(channel) {
    this.#outbox?.painted(channel);
  }

  /**
   * ask sends a request and waits for its result. It never rejects.
   * @param {{type: string, [key: string]: unknown}} message
   * @returns {Promise<Result>}
   */
  ask(message) {
    const outbox = this.#outbox;
    if (!outbox) return Promise.resolve(refused('unavailable', 'there is no connection to the bridge'));
    const id = String(this.#nextID++);
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(refused('timeout', 'the bridge did not answer')), patience);
      /** @param {Result} result */
      const settle = (result) => {
        clearTimeout(timer);
        this.#requests.delete(id);
        resolve(result);
      };
      this.#requests.set(id, settle);
      outbox.post({ ...message, id });
    });
  }

  /** @param {number} mine */
  async #connect(mine) {
    const answer = await this.api.me();
    if (mine !== this.#tries) return;
    if (answer.kind === 'denied') return this.#set('denied', answer.fault);
    if (answer.kind === 'down') return this.#lost(answer.fault);
    const socket = new WebSocket(this.api.socket());
    socket.binaryType = 'arraybuffer';
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = () => this.#lost({ code: 'unavailable', message: 'the connection to the bridge broke' });
    this.#socket = socket;
    this.#startBeats();
  }

  /** @param {string | ArrayBuffer} data */
  #receive(data) {
    this.#heard = performance.now();
    if (this.status.value.phase === 'late') this.#set('open');
    if (typeof data !== 'string') {
      const frame = parseFrame(data);
      if (frame) this.listener.frame(frame);
      return;
    }
    const message = JSON.parse(data);
    if (message.type === 'welcome') this.#welcome(message);
    else if (message.type === 'pong') this.clock.sample(message.echo, message.time);
    else if (message.type === 'result') this.#requests.get(message.id)?.(message);
    else this.listener.message(message);
  }

  /** @param {import('./types.js').Welcome} message */
  #welcome(message) {
    const socket = /** @type {WebSocket} */ (this.#socket);
    this.#outbox = new Outbox((text) => socket.readyState === WebSocket.OPEN && socket.send(text));
    this.#opened = performance.now();
    this.clock.reset();
    this.clock.sample(this.clock.local(), message.time);
    this.#set('open');
    this.#ping();
    this.listener.message(message);
    this.listener.open(true);
  }

  #ping() {
    this.#outbox?.post({ type: 'ping', time: this.clock.local() });
  }

  #startBeats() {
    clearInterval(this.#beats);
    this.#heard = this.#lastBeat = performance.now();
    this.#beats = setInterval(() => this.#onBeat(), beat);
  }

  /** onBeat is the watchdog. Timers of a sleeping tab say nothing about the bridge, so a late beat starts afresh. */
  #onBeat() {
    const now = performance.now();
    if (now - this.#lastBeat > asleep || document.hidden) this.#heard = now;
    this.#lastBeat = now;
    if (document.hidden) return;
    this.#ping();
    const silence = now - this.#heard;
    if (silence > dead) this.#lost({ code: 'timeout', message: 'the bridge stopped answering' });
    else if (silence > late && this.status.value.phase === 'open') {
      this.#set('late', { code: 'timeout', message: 'the bridge is not answering' });
    }
  }

  /** @param {Fault} fault */
  #lost(fault) {
    if (this.#opened && performance.now() - this.#opened > stable) this.#attempt = 0;
    this.#drop();
    const wait = backoff(this.#attempt++);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.open(), wait);
    this.#set('lost', fault, Date.now() + wait);
  }

  /** drop lets go of the socket, whose close event may be minutes away when the bridge is half dead. */
  #drop() {
    clearInterval(this.#beats);
    const socket = this.#socket;
    const was = this.#outbox;
    this.#socket = this.#outbox = null;
    this.#opened = 0;
    was?.close();
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
    for (const settle of [...this.#requests.values()]) settle(refused('unavailable', 'the connection to the bridge broke'));
    if (was) this.listener.open(false);
  }

  /** @param {Status['phase']} phase @param {Fault | null} [fault] @param {number} [retryAt] */
  #set(phase, fault = null, retryAt = 0) {
    this.status.value = { phase, fault, retryAt };
  }
}

/** @param {string} code @param {string} message @returns {Result} */
function refused(code, message) {
  return { ok: false, error: { code, message } };
}
