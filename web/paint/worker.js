/**
 * The painting thread: decodes and paints for many canvases, so that the page's
 * own thread stays free. See workshop.js for the other side.
 */

/** @typedef {{canvas: OffscreenCanvas, context: ImageBitmapRenderingContext | null, shown: boolean}} Target */

/** @type {Map<number, Target>} */
const canvases = new Map();

/** @param {MessageEvent} event */
self.onmessage = ({ data }) => {
  if (data.canvas) canvases.set(data.id, { canvas: data.canvas, context: data.canvas.getContext('bitmaprenderer'), shown: false });
  else if (data.jpeg) void paint(data.id, data.jpeg);
  else canvases.delete(data.id);
};

/** @param {number} id @param {Uint8Array<ArrayBuffer>} jpeg */
async function paint(id, jpeg) {
  try {
    const bitmap = await createImageBitmap(new Blob([jpeg], { type: 'image/jpeg' }));
    const { width, height } = bitmap;
    const target = canvases.get(id);
    if (target) {
      if (target.canvas.width !== width) target.canvas.width = width;
      if (target.canvas.height !== height) target.canvas.height = height;
      target.context?.transferFromImageBitmap(bitmap);
      if (!target.shown) await new Promise((done) => requestAnimationFrame(done)); // until the page has it
      target.shown = true;
    }
    bitmap.close();
    self.postMessage({ id, width, height });
  } catch (error) {
    self.postMessage({ id, error: String(error) });
  }
}

export {};
