import test from 'node:test';
import assert from 'node:assert/strict';
import { Multipart } from '../../events/multipart.js';
import { Clip } from '../../events/clip.js';
import { clipOf } from '../e2e/moving.js';

const pictures = [[0xff, 0xd8, 1, 2, 3], [0xff, 0xd8, 13, 10, 13, 10, 45, 45], [7]].map((bytes) => Uint8Array.from(bytes));
const from = 1_772_366_400_123;
const file = clipOf(pictures, from);

/** read cuts a body into pieces of some size. */
function read(body, size) {
  const parser = new Multipart();
  const parts = [];
  for (let at = 0; at < body.length; at += size) parts.push(...parser.push(body.subarray(at, at + size)));
  return { parts, whole: parser.whole };
}

test('a clip is read in pieces of any size, whatever its pictures contain', () => {
  for (let size = 1; size <= file.length; size++) {
    const { parts, whole } = read(file, size);
    assert.deepEqual(parts.map(({ jpeg }) => [...jpeg]), pictures.map((jpeg) => [...jpeg]), `pieces of ${size}`);
    assert.deepEqual(parts.map(({ time }) => Math.round(time)), [from, from + 200, from + 400]);
    assert.equal(whole, true, `pieces of ${size}`);
  }
});

test('a clip that ends within a part is known as such, wherever that is', () => {
  const ends = new Set([0, '--frame\r\n'.length]); // and behind each picture's boundary
  let at = file.indexOf('\r\n--frame\r\n', 1);
  for (; at >= 0; at = file.indexOf('\r\n--frame\r\n', at + 1)) ends.add(at + '\r\n--frame\r\n'.length);
  for (const length of ends) assert.equal(read(file.subarray(0, length), 7).whole, true, `${length} bytes`);
  for (const length of [12, 40, 60, file.length - 15]) assert.equal(read(file.subarray(0, length), 7).whole, false, `${length} bytes`);
});

test('what is no clip is refused, and never takes memory for it', () => {
  const refused = (text, words) => assert.throws(() => new Multipart().push(Buffer.from(text)), words);
  refused('--frame\r\nContent-Type: image/jpeg\r\n\r\nxx', /how long/);
  refused('--frame\r\nContent-Length: 0\r\n\r\n', /how long/);
  refused('--frame\r\nContent-Length: 99999999999\r\n\r\n', /how long/);
  refused('x'.repeat(5000), /no end/);
});

/** load makes a clip of a body that comes in these pieces; one that is an Error breaks the connection. */
async function load(t, pieces, status = 200) {
  const body = new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece === undefined) controller.close();
      else if (piece instanceof Error) controller.error(piece);
      else controller.enqueue(piece);
    },
  });
  t.mock.method(globalThis, 'fetch', async () => new Response(body, { status }));
  const clip = new Clip(() => {});
  await clip.load(new URL('http://127.0.0.1/clip.mjpeg'));
  return clip;
}

test('a clip says how it came out: whole, cut short, absent, failed', async (t) => {
  assert.equal((await load(t, [file])).state, 'whole');
  const cut = await load(t, [file.subarray(0, file.length - 20)]);
  assert.deepEqual([cut.state, cut.pictures.length], ['cut', 2]);
  const broken = await load(t, [file.subarray(0, 200), new TypeError('network error')]);
  assert.deepEqual([broken.state, broken.pictures.length > 0], ['cut', true]);
  assert.equal((await load(t, [], 404)).state, 'absent');
  assert.equal((await load(t, [Buffer.from('--frame\r\n')])).state, 'absent');
  assert.equal((await load(t, [], 500)).state, 'failed');
  assert.equal((await load(t, [new TypeError('network error')])).state, 'failed');
  assert.equal((await load(t, [Buffer.from('<html>'.repeat(2000))])).state, 'failed');
});

test('a picture is found by its time, and times that make no sense become the usual step', async (t) => {
  const clip = await load(t, [file]);
  assert.deepEqual(clip.pictures.map(({ at }) => Math.round(at)), [0, 200, 400]);
  assert.deepEqual([-5, 0, 199, 200.001, 399, 5000].map((at) => clip.index(at)), [0, 0, 0, 1, 1, 2]);
  const odd = await load(t, [clipOf([pictures[0]], from), clipOf([pictures[1]], from - 60_000).subarray(9), clipOf([pictures[2]], from + 3_600_000).subarray(9)]);
  assert.deepEqual(odd.pictures.map(({ at }) => Math.round(at)), [0, 200, 400]);
});

test('a clip without end is left off, with what there is', async (t) => {
  const clip = await load(t, Array.from({ length: 5000 }, () => clipOf([pictures[2]], from).subarray(9)));
  assert.equal(clip.state, 'cut');
  assert.equal(clip.pictures.length, 1000);
});

test('a clip that was closed holds nothing', async (t) => {
  const clip = await load(t, [file]);
  clip.close();
  assert.equal(clip.pictures.length, 0);
});
