/* Recordings one after the other, as one sound. */

/* Between the two of a pair: long enough to tell them apart, short enough to remember the first. */
const GAP_SECONDS = 0.5;

/**
 * @param {BaseAudioContext} context
 * @param {[string, AudioBuffer][]} sounds mono, of one sample rate
 * @returns {{buffer: AudioBuffer, spans: {name: string, start: number, end: number}[]}} spans in seconds
 */
export function join(context, sounds) {
  const rate = sounds[0][1].sampleRate;
  const gap = Math.round(GAP_SECONDS * rate);
  const length = sounds.reduce((sum, [, buffer]) => sum + buffer.length, 0) + gap * (sounds.length - 1);
  const buffer = context.createBuffer(1, length, rate);
  const spans = [];
  let at = 0;
  for (const [name, part] of sounds) {
    buffer.copyToChannel(part.getChannelData(0), 0, at);
    spans.push({ name, start: at / rate, end: (at + part.length) / rate });
    at += part.length + gap;
  }
  return { buffer, spans };
}

/**
 * The mean of sounds, sample by sample, as long as the shortest.
 *
 * @param {BaseAudioContext} context
 * @param {AudioBuffer[]} sounds mono, of one sample rate
 */
export function mean(context, sounds) {
  const length = Math.min(...sounds.map((buffer) => buffer.length));
  const buffer = context.createBuffer(1, length, sounds[0].sampleRate);
  const samples = buffer.getChannelData(0);
  for (const sound of sounds) {
    const its = sound.getChannelData(0);
    for (let i = 0; i < length; i++) samples[i] += its[i] / sounds.length;
  }
  return buffer;
}
