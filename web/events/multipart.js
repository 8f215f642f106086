/**
 * Reads a clip: a body of multipart/x-mixed-replace whose parts say their
 * length, in pieces of any size as the network delivers them.
 *
 *     --frame CRLF Content-Type: image/jpeg CRLF Content-Length: 31337 CRLF
 *     X-Timestamp: 1772366400.123456 CRLF CRLF <31337 bytes> CRLF --frame CRLF ...
 */

const longestHead = 4096; // bytes
const longestPart = 16 << 20;

/** @typedef {{time: number, jpeg: Uint8Array<ArrayBuffer>}} Part   time: Unix ms, NaN if the part does not say */

export class Multipart {
  #head = '';
  /** @type {Part | null} whose picture is being read */ #part = null;
  #filled = 0;

  /** True where a clip may end: not within a part. */
  get whole() {
    return this.#part === null && /^\s*(--\S*\s*)?$/.test(this.#head);
  }

  /**
   * push takes the next bytes and returns the parts that are complete now. It
   * throws where the bytes are no clip.
   * @param {Uint8Array} chunk
   */
  push(chunk) {
    /** @type {Part[]} */
    const done = [];
    for (let at = 0; at < chunk.length; ) {
      at = this.#part ? this.#fill(chunk, at, this.#part) : this.#read(chunk, at);
      if (!this.#part || this.#filled < this.#part.jpeg.length) continue;
      done.push(this.#part);
      this.#part = null;
    }
    return done;
  }

  /** @param {Uint8Array} chunk @param {number} at @param {Part} part */
  #fill(chunk, at, { jpeg }) {
    const piece = chunk.subarray(at, at + jpeg.length - this.#filled);
    jpeg.set(piece, this.#filled);
    this.#filled += piece.length;
    return at + piece.length;
  }

  /** read goes on with a part's headers, to their end or the chunk's. @param {Uint8Array} chunk @param {number} at */
  #read(chunk, at) {
    while (at < chunk.length) {
      this.#head += String.fromCharCode(/** @type {number} */ (chunk[at++]));
      if (this.#head === '\r\n') this.#head = ''; // the one behind a picture
      if (this.#head.length > longestHead) throw new Error('the headers of a part have no end');
      if (!this.#head.endsWith('\r\n\r\n')) continue;
      this.#part = begin(this.#head);
      this.#head = '';
      this.#filled = 0;
      break;
    }
    return at;
  }
}

/** @param {string} head @returns {Part} */
function begin(head) {
  const length = Number(/^content-length: *(\d+)\r$/im.exec(head)?.[1] ?? NaN);
  if (!(length > 0 && length <= longestPart)) throw new Error('a part does not say how long it is');
  return { time: Number(/^x-timestamp: *([\d.]+)\r$/im.exec(head)?.[1] ?? NaN) * 1000, jpeg: new Uint8Array(length) };
}
