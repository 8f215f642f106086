import test, { after, before } from 'node:test';
import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { BridgeProcess, browser, difference, live, open, pixels, tile, until } from './harness.js';

let chromium;
before(async () => (chromium = await browser()));
after(() => chromium?.close());

/** Chromium itself writes to the console that a connection was refused or broken. */
const whileAway = /ERR_CONNECTION_(REFUSED|RESET|CLOSED)|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED|WebSocket connection to/;

test('a killed bridge is told within 2 seconds; started again, pictures are back within 12 without a reload', async (t) => {
  let bridge = await BridgeProcess.demo();
  t.after(() => bridge.stop());
  const [{ id }] = await bridge.cameras();
  const page = await open(t, chromium, bridge.url, { expect: whileAway });
  await live(page, 4);
  await page.evaluate(() => (window.sameDocument = true));
  const banner = page.locator('espcam-banner');
  assert.equal(await banner.isVisible(), false);

  const killed = Date.now();
  await bridge.kill();
  await banner.getByText('No connection').waitFor({ timeout: 2000 });
  assert.ok(Date.now() - killed < 2000, `the banner came after ${Date.now() - killed} ms`);
  const frozen = await pixels(page, id);

  bridge = await BridgeProcess.demo(bridge.port);
  const back = Date.now();
  await until(async () => difference(frozen, await pixels(page, id)) > 0.0005, 'new pictures', 12_000);
  t.diagnostic(`pictures were back after ${Date.now() - back} ms`);
  await banner.waitFor({ state: 'hidden' });
  await live(page, 4);
  assert.equal(await page.evaluate(() => window.sameDocument), true);
});

test('a bridge that hangs without hanging up is told within 2 seconds, given up, and found again', async (t) => {
  const bridge = await BridgeProcess.demo();
  t.after(() => bridge.stop());
  const page = await open(t, chromium, bridge.url, { expect: whileAway });
  await live(page, 4);
  bridge.process.kill('SIGSTOP');
  const stopped = Date.now();
  const banner = page.locator('espcam-banner');
  await banner.getByText('not answering').waitFor();
  t.diagnostic(`told after ${Date.now() - stopped} ms`);
  assert.ok(Date.now() - stopped < 2500, `the banner came after ${Date.now() - stopped} ms`);
  await banner.getByText('No connection').waitFor();
  bridge.process.kill('SIGCONT');
  await banner.waitFor({ state: 'hidden', timeout: 20_000 });
  await live(page, 4);
});

test('Try now does not wait', async (t) => {
  let bridge = await BridgeProcess.demo();
  t.after(() => bridge.stop());
  const page = await open(t, chromium, bridge.url, { expect: whileAway, init: () => (Math.random = () => 1) });
  await live(page, 4);
  await bridge.kill();
  const banner = page.locator('espcam-banner');
  await banner.getByText(/in [2-9] s/).waitFor(); // the second wait at least
  bridge = await BridgeProcess.demo(bridge.port);
  await banner.getByRole('button', { name: 'Try now' }).click();
  await banner.waitFor({ state: 'hidden' });
  await live(page, 4);
});

test('the page works below a path prefix, as in Home Assistant', async (t) => {
  const bridge = await BridgeProcess.demo();
  t.after(() => bridge.stop());
  const proxy = await prefixed(bridge.port, '/api/ingress/abc');
  t.after(() => proxy.close());
  const page = await open(t, chromium, `${proxy.url}/api/ingress/abc/`);
  await live(page, 4);
  const [{ id }] = await bridge.cameras();
  await tile(page, id).locator('.picture').click();
  await page.locator('summary', { hasText: 'Addresses' }).click();
  const snapshot = await page.getByRole('textbox', { name: 'Snapshot address' }).inputValue();
  assert.equal(snapshot, `${proxy.url}/api/ingress/abc/live/live/${id}/frame.jpg`);
  assert.equal((await fetch(snapshot)).status, 200);
});

/** prefixed is a reverse proxy that shows the bridge below a path, and nothing beside it. */
async function prefixed(port, prefix) {
  const ahead = (from) => ({ port, path: from.url.slice(prefix.length), method: from.method, headers: from.headers });
  const server = createServer((from, to) => {
    if (!from.url.startsWith(`${prefix}/`)) return to.writeHead(404).end();
    from.pipe(request(ahead(from), (answer) => answer.pipe(to.writeHead(answer.statusCode, answer.headers))));
  });
  server.on('upgrade', (from, socket) => {
    if (!from.url.startsWith(`${prefix}/`)) return socket.destroy();
    const up = request(ahead(from)).end();
    up.on('upgrade', (answer, other, head) => {
      const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      socket.write(head);
      for (const [a, b] of [[socket, other], [other, socket]]) a.on('error', () => b.destroy()).pipe(b);
    });
    up.on('error', () => socket.destroy());
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => (server.closeAllConnections(), server.close()) };
}
