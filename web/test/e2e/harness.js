/**
 * What the browser tests share: the real program, a real browser, and pages
 * that notice every error. Nothing here sleeps; everything waits for a
 * condition, and gives up with a sentence.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const program = process.env.ESPCAM_BRIDGE_BIN ?? process.env.ESPCAM_BRIDGE ?? fileURLToPath(new URL('../../../bin/espcam-bridge', import.meta.url));
/** The bridge takes each ESPCAM_ variable for a key of its configuration; those of the tests are none. */
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ESPCAM_')));
const chromiumPath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

/** Pictures taken by the tests, for people to look at. */
export const shots = process.env.ESPCAM_SHOTS ?? mkdtempSync(join(tmpdir(), 'espcam-page-'));

/** How long a condition may take on a busy machine, ms. */
export const patience = 15_000;

/** A running bridge. */
export class BridgeProcess {
  /** @param {string[]} args */
  static async start(...args) {
    const bridge = new BridgeProcess(args);
    await bridge.ready;
    return bridge;
  }

  /** demo is the bridge with four simulated cameras. @param {number} [port] */
  static demo(port = 0) {
    return BridgeProcess.start('demo', '--http', `127.0.0.1:${port}`, '--mqtt', '127.0.0.1:0');
  }

  /** serve is the bridge with a configuration file. @param {string} yaml */
  static async serve(yaml) {
    const dir = mkdtempSync(join(tmpdir(), 'espcam-serve-'));
    const file = join(dir, 'bridge.yaml');
    writeFileSync(file, `data: ${join(dir, 'data')}\n${yaml}`, { mode: 0o600 });
    const bridge = await BridgeProcess.start('serve', '--config', file);
    bridge.dir = dir;
    return bridge;
  }

  constructor(args) {
    this.process = spawn(program, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    this.output = '';
    this.ended = new Promise((done) => this.process.once('exit', done));
    this.ready = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${program} was not ready in time; it said:\n${this.output}`)), patience);
      for (const stream of [this.process.stdout, this.process.stderr]) {
        createInterface({ input: stream }).on('line', (line) => {
          this.output += `${line}\n`;
          const found = /^ready .*\bhttp=(http:\S+)/.exec(line);
          if (!found) return;
          clearTimeout(timer);
          this.url = found[1].replace(/\/?$/, '/');
          this.port = Number(new URL(this.url).port);
          resolve();
        });
      }
      this.process.once('error', (error) => reject(new Error(`${program} cannot be started (make build): ${error.message}`)));
      this.process.once('exit', (code) => reject(new Error(`${program} ended with ${code}; it said:\n${this.output}`)));
    });
    this.ready.catch(() => {});
  }

  /** kill is how power cuts end a bridge. */
  async kill() {
    this.process.kill('SIGKILL');
    await this.ended;
  }

  /** stop is how its owner does. */
  async stop() {
    this.process.kill('SIGCONT');
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.process.kill('SIGKILL'), 5000);
    await this.ended;
    clearTimeout(timer);
    if (this.dir) rmSync(this.dir, { recursive: true, force: true });
  }

  /** camera is what the API says of one. @param {string} id */
  camera(id) {
    return this.#get(`api/v1/cameras/${id}`);
  }

  /** cameras is what it says of all, once all have said who they are. */
  cameras() {
    return until(async () => {
      const { items } = await this.#get('api/v1/cameras');
      return items.every(({ stats }) => stats.frames > 0) && items;
    }, 'pictures of all cameras');
  }

  async #get(path) {
    const response = await fetch(new URL(path, this.url));
    if (!response.ok) throw new Error(`GET ${path}: ${response.status}`);
    return response.json();
  }
}

/** One browser for a file of tests. */
export function browser() {
  return chromium.launch({ executablePath: chromiumPath, args: flags });
}

/**
 * open opens a page in a context of its own and fails the test if anything goes
 * wrong in it that is not expected: console errors, exceptions, breaches of the
 * content security policy, requests to others.
 * @param {import('node:test').TestContext} t
 * @param {import('playwright-core').Browser} from
 * @param {string} url
 * @param {{expect?: RegExp, init?: Function, [key: string]: any}} [options] expect: console errors that belong to the test
 */
export async function open(t, from, url, { expect, init, ...options } = {}) {
  const context = await from.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  /** @type {string[]} */
  const faults = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !expect?.test(message.text())) faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`exception: ${error.stack}`));
  page.on('request', (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (protocol.startsWith('http') && hostname !== '127.0.0.1') faults.push(`request to ${request.url()}`);
  });
  await page.addInitScript(() => document.addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`)));
  if (init) await page.addInitScript(init);
  t.after(async () => {
    await context.close();
    if (faults.length > 0) throw new Error(`the page was not silent:\n${faults.join('\n')}`);
  });
  await page.goto(url);
  return page;
}

/** tile is the locator of a camera's tile. */
export const tile = (page, id) => page.locator(`espcam-tile[data-camera="${id}"]`);

/** live waits until that many tiles (or the tile of that camera) show live pictures. */
export async function live(page, what = 4, timeout = patience) {
  const where = typeof what === 'number' ? 'espcam-tile' : `espcam-tile[data-camera="${what}"]`;
  await page.waitForFunction(
    ([selector, count]) => document.querySelectorAll(`${selector}[data-kind=live] .screen > *`).length >= count,
    [where, typeof what === 'number' ? what : 1],
    { timeout },
  );
}

/**
 * pixels are the colours of a camera's picture, scaled down.
 * @returns {Promise<number[]>}
 */
export function pixels(page, id) {
  return page.evaluate((camera) => {
    const picture = document.querySelector(`espcam-tile[data-camera="${camera}"] .screen > *`);
    const canvas = new OffscreenCanvas(96, 72);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(picture, 0, 0, 96, 72);
    return [...context.getImageData(0, 0, 96, 72).data];
  }, id);
}

/** spread says how far apart the colours of a picture are; a blank one has 0. @param {number[]} data */
export function spread(data) {
  const values = data.filter((_, i) => i % 4 !== 3);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** difference is the share of pixels that differ clearly. */
export function difference(a, b) {
  let count = 0;
  for (let i = 0; i < a.length; i += 4) if (Math.abs(a[i] - b[i]) + Math.abs(a[i + 1] - b[i + 1]) + Math.abs(a[i + 2] - b[i + 2]) > 60) count++;
  return count / (a.length / 4);
}

/**
 * until polls a condition.
 * @template T
 * @param {() => Promise<T> | T} condition something true ends it
 * @param {string} what for the sentence when it never came true
 * @returns {Promise<T>}
 */
export async function until(condition, what, timeout = patience) {
  const end = Date.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`after ${timeout} ms still not: ${what}`);
    await new Promise((done) => setTimeout(done, 30));
  }
}

/**
 * traffic counts what goes through the page's sockets. Call it before the page
 * opens one, that is on a page made by open with the url about:blank.
 */
export function traffic(page) {
  const seen = { sockets: 0, pictures: 0, texts: 0, sent: /** @type {any[]} */ ([]) };
  page.on('websocket', (socket) => {
    seen.sockets++;
    socket.on('framereceived', ({ payload }) => seen[typeof payload === 'string' ? 'texts' : 'pictures']++);
    socket.on('framesent', ({ payload }) => seen.sent.push({ at: Date.now(), ...JSON.parse(String(payload)) }));
  });
  return seen;
}
