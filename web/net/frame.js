/**
 * The binary message: 24 bytes of header, big endian, then the JPEG.
 *
 *     0 u8 version = 1 | 1 u8 flags | 2 u16 channel | 4 u32 sequence
 *     8 u64 received, Unix ms | 16 u64 captured, Unix ms, 0 = unknown
 */

const headerSize = 24;

/**
 * @typedef {object} Frame
 * @property {number} channel
 * @property {number} sequence
 * @property {boolean} placeholder  drawn by the bridge, there is no picture
 * @property {number} received      when the bridge had it, bridge's clock, Unix ms
 * @property {number} captured      the camera's own clock, Unix ms, or 0
 * @property {Uint8Array<ArrayBuffer>} jpeg
 */

/**
 * parseFrame reads a message, or returns null if it is none of ours.
 * @param {ArrayBuffer} message
 * @returns {Frame | null}
 */
export function parseFrame(message) {
  if (message.byteLength < headerSize) return null;
  const view = new DataView(message);
  if (view.getUint8(0) !== 1) return null;
  const flags = view.getUint8(1);
  return {
    channel: view.getUint16(2),
    sequence: view.getUint32(4),
    placeholder: (flags & 1) !== 0,
    received: uint64(view, 8),
    captured: (flags & 2) !== 0 ? uint64(view, 16) : 0,
    jpeg: new Uint8Array(message, headerSize),
  };
}

/** @param {DataView} view @param {number} at */
function uint64(view, at) {
  return view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
}
