// A mask as a PNG of one bit a pixel (ISO/IEC 15948). The browser's own encoder would write 32.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** @param {Uint8Array} bits one byte a pixel, 0 or 1 @param {number} width @param {number} height */
export async function encodePng(bits, width, height) {
  const stride = 1 + Math.ceil(width / 8); // each row begins with its filter, 0: none
  const rows = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (bits[y * width + x]) rows[y * stride + 1 + (x >> 3)] |= 128 >> (x & 7);
    }
  }
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, width);
  head.setUint32(4, height);
  head.setUint8(8, 1); // bit depth; colour type 0 is gray
  const zipped = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const data = new Uint8Array(await new Response(zipped).arrayBuffer());
  const parts = [new Uint8Array(SIGNATURE), chunk("IHDR", new Uint8Array(head.buffer)), chunk("IDAT", data)];
  return new Blob([...parts, chunk("IEND", new Uint8Array(0))], { type: "image/png" });
}

/** @param {string} name @param {Uint8Array} data */
function chunk(name, data) {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) out[4 + i] = name.charCodeAt(i);
  out.set(data, 8);
  let crc = 0xffffffff;
  for (let i = 4; i < out.length - 4; i++) crc = CRC[(crc ^ out[i]) & 255] ^ (crc >>> 8);
  view.setUint32(8 + data.length, ~crc >>> 0);
  return out;
}
