/**
 * A camera of the tests' own: it speaks the StreamHub protocol, and sends
 * exactly what it is told to, when it is told to.
 */
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';

export class TestCamera {
  /**
   * connect resolves when the bridge is ready for pictures.
   * @param {number} port of the bridge
   * @param {string} key
   * @returns {Promise<TestCamera>}
   */
  static connect(port, key) {
    return new Promise((resolve, reject) => {
      const handshake = request({
        port,
        path: `/ingest/ws?key=${key}`,
        headers: { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': randomBytes(16).toString('base64') },
      });
      handshake.once('error', reject);
      handshake.once('response', (response) => reject(new Error(`the bridge answered ${response.statusCode}`)));
      handshake.once('upgrade', (_, socket, head) => {
        const camera = new TestCamera(socket);
        if (head.length > 0) resolve(camera);
        else socket.once('data', () => resolve(camera));
        socket.on('data', () => {});
        socket.on('error', () => {});
      });
      handshake.end();
    });
  }

  /** @param {import('node:stream').Duplex} socket */
  constructor(socket) {
    this.socket = socket;
  }

  /** send sends one picture. @param {Uint8Array} jpeg */
  send(jpeg) {
    const head = Buffer.alloc(8); // with a mask of zeros, as small boards send it
    head.writeUInt16BE(0x82fe, 0);
    head.writeUInt16BE(jpeg.length, 2);
    this.socket.write(Buffer.concat([head, jpeg]));
  }

  /** stream sends these pictures over and over, until hold or close. @param {Uint8Array[]} pictures @param {number} fps */
  stream(pictures, fps = 4) {
    let n = 0;
    this.timer = setInterval(() => this.send(pictures[n++ % pictures.length]), 1000 / fps);
    this.send(pictures[0]);
  }

  /** hold stops sending, but stays. */
  hold() {
    clearInterval(this.timer);
  }

  /** close goes away. */
  close() {
    this.hold();
    this.socket.destroy();
  }
}

/**
 * paint makes small JPEGs, each of another colour, in a browser.
 * @param {import('playwright-core').Browser} browser
 * @param {number} count
 * @param {{width: number, height: number}} [size]
 * @returns {Promise<Uint8Array[]>}
 */
export async function paint(browser, count, { width, height } = { width: 320, height: 240 }) {
  const page = await browser.newPage();
  const pictures = await page.evaluate(
    async ([n, w, h]) => {
      const out = [];
      for (let i = 0; i < n; i++) {
        const canvas = new OffscreenCanvas(w, h);
        const context = canvas.getContext('2d');
        context.fillStyle = `hsl(${(i * 360) / n} 70% 55%)`;
        context.fillRect(0, 0, w, h);
        context.fillStyle = '#fff';
        context.fillRect(0, 0, w / 2, h / 2);
        const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.8 });
        out.push([...new Uint8Array(await blob.arrayBuffer())]);
      }
      return out;
    },
    [count, width, height],
  );
  await page.close();
  return pictures.map((bytes) => Uint8Array.from(bytes));
}
