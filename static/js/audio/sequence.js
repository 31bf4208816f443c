/* Recordings one after the other, as one sound. */

/* Between the two of a pair: long enough to tell them apart, short enough to remember the first. */
const GAP_SECONDS = 0.5;

/**
 * @param {BaseAudioContext} context
 * @param {[string, AudioBuffer][]} sounds of one sample rate and number of channels
 * @returns {{buffer: AudioBuffer, spans: {name: string, start: number, end: number}[]}} spans in seconds
 */
export function join(context, sounds) {
  const { sampleRate: rate, numberOfChannels } = sounds[0][1];
  const gap = Math.round(GAP_SECONDS * rate);
  const length = sounds.reduce((sum, [, buffer]) => sum + buffer.length, 0) + gap * (sounds.length - 1);
  const buffer = context.createBuffer(numberOfChannels, length, rate);
  const spans = [];
  let at = 0;
  for (const [name, part] of sounds) {
    for (let channel = 0; channel < numberOfChannels; channel++) {
      buffer.copyToChannel(part.getChannelData(channel), channel, at);
    }
    spans.push({ name, start: at / rate, end: (at + part.length) / rate });
    at += part.length + gap;
  }
  return { buffer, spans };
}

/**
 * The mean of sounds, sample by sample, as long as the shortest.
 *
 * @param {BaseAudioContext} context
 * @param {AudioBuffer[]} sounds of one sample rate and number of channels
 */
export function mean(context, sounds) {
  const length = Math.min(...sounds.map((buffer) => buffer.length));
  const { sampleRate, numberOfChannels } = sounds[0];
  const buffer = context.createBuffer(numberOfChannels, length, sampleRate);
  for (let channel = 0; channel < numberOfChannels; channel++) {
    const samples = buffer.getChannelData(channel);
    for (const sound of sounds) {
      const its = sound.getChannelData(channel);
      for (let i = 0; i < length; i++) samples[i] += its[i] / sounds.length;
    }
  }
  return buffer;
}
