/* Samples as a file. */

const HEADER_BYTES = 44;
const SAMPLE_BYTES = 2;
const FULL_SCALE = 32767;

/**
 * Mono as a 16-bit WAV.
 *
 * @param {Float32Array[]} blocks samples in [-1, 1]
 * @param {number} rate Hz
 * @returns {Blob}
 */
export function wavOf(blocks, rate) {
  const count = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(HEADER_BYTES + SAMPLE_BYTES * count));
  let at = 0;
  /** @param {string} text */
  const tag = (text) => { for (const letter of text) view.setUint8(at++, letter.charCodeAt(0)); };
  /** @param {number} value */
  const long = (value) => { view.setUint32(at, value, true); at += 4; };
  /** @param {number} value */
  const short = (value) => { view.setUint16(at, value, true); at += 2; };
  tag("RIFF");
  long(view.byteLength - 8);
  tag("WAVEfmt ");
  long(16);
  short(1); // PCM
  short(1); // channels
  long(rate);
  long(rate * SAMPLE_BYTES);
  short(SAMPLE_BYTES);
  short(8 * SAMPLE_BYTES);
  tag("data");
  long(SAMPLE_BYTES * count);
  for (const block of blocks) {
    for (const sample of block) {
      view.setInt16(at, Math.round(FULL_SCALE * Math.max(-1, Math.min(1, sample))), true);
      at += SAMPLE_BYTES;
    }
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}
