/* Short-time spectra, drawn on one fixed scale so that two pictures can be compared. */

import { channelsOf } from "../audio/waveform.js";

const WINDOW_SECONDS = 0.032; // harmonics of a voice are apart, syllables too
export const FLOOR_DB = -100;
export const CEILING_DB = -20;

/**
 * In-place radix-2 FFT.
 *
 * @param {Float64Array} re
 * @param {Float64Array} im of the same length, a power of two
 */
export function fft(re, im) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i += 1) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2;
    for (let k = 0; k < half; k += 1) {
      const angle = (-2 * Math.PI * k) / size;
      const cos = Math.cos(angle);
      const sin = Math.sin(angle);
      for (let start = k; start < n; start += size) {
        const end = start + half;
        const real = re[end] * cos - im[end] * sin;
        const imaginary = re[end] * sin + im[end] * cos;
        re[end] = re[start] - real;
        im[end] = im[start] - imaginary;
        re[start] += real;
        im[start] += imaginary;
      }
    }
  }
}

/**
 * The samples of a spectrum: the power of two that lasts 32 ms, or the next longer one; 512 at 16 kHz.
 *
 * @param {number} rate Hz
 */
export function fftSize(rate) {
  return 2 ** Math.ceil(Math.log2(WINDOW_SECONDS * rate) - 1e-9);
}

/**
 * Levels in dB relative to a full-scale sine, Hann window, the mean power of all channels: `columns` frames evenly
 * spread over the sound, each `size` / 2 + 1 bins from 0 Hz up, one frame after the other.
 *
 * @param {Float32Array[]} channels
 * @param {number} columns
 * @param {number} size samples of a spectrum
 */
export function spectrogram(channels, columns, size) {
  const bins = size / 2 + 1;
  const levels = new Float32Array(columns * bins);
  const hann = Float64Array.from({ length: size }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / size));
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  const power = new Float64Array(bins);
  for (let column = 0; column < columns; column += 1) {
    power.fill(0);
    for (const samples of channels) {
      const first = Math.round(((column + 0.5) * samples.length) / columns) - size / 2;
      for (let i = 0; i < size; i += 1) {
        re[i] = (samples[first + i] ?? 0) * hann[i];
        im[i] = 0;
      }
      fft(re, im);
      for (let bin = 0; bin < bins; bin += 1) power[bin] += (re[bin] ** 2 + im[bin] ** 2) / channels.length;
    }
    for (let bin = 0; bin < bins; bin += 1) {
      const magnitude = Math.sqrt(power[bin]) / (size / 4);
      levels[column * bins + bin] = 20 * Math.log10(Math.max(magnitude, 1e-10));
    }
  }
  return levels;
}

/* Magma: perceptually uniform, and still ordered when printed grey. 17 points of the original map. */
const MAGMA = (
  "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 " +
  "d0416f e75263 f56b5c fc8961 fea772 fec488 fde2a3 fcfdbf"
).split(" ").map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));

const PALETTE = Uint8ClampedArray.from({ length: 256 * 3 }, (_, i) => {
  const place = (Math.floor(i / 3) / 255) * (MAGMA.length - 1);
  const low = Math.min(Math.floor(place), MAGMA.length - 2);
  return MAGMA[low][i % 3] + (place - low) * (MAGMA[low + 1][i % 3] - MAGMA[low][i % 3]);
});

/**
 * The colour scale from quiet (0) to loud (1) as a CSS gradient.
 *
 * @param {string} direction
 */
export function gradient(direction) {
  return `linear-gradient(${direction}, ${MAGMA.map((rgb) => `rgb(${rgb.join(" ")})`).join(", ")})`;
}

/**
 * A picture of a sound: a canvas of `columns` by half its `fftSize` + 1 pixels, 0 Hz at the bottom.
 *
 * @param {AudioBuffer} sound
 * @param {number} columns
 */
export function picture(sound, columns) {
  const size = fftSize(sound.sampleRate);
  const bins = size / 2 + 1;
  const levels = spectrogram(channelsOf(sound), columns, size);
  const canvas = new OffscreenCanvas(columns, bins);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser draws no pictures off the screen.");
  const image = context.createImageData(columns, bins);
  for (let column = 0; column < columns; column += 1) {
    for (let bin = 0; bin < bins; bin += 1) {
      const share = (levels[column * bins + bin] - FLOOR_DB) / (CEILING_DB - FLOOR_DB);
      const colour = Math.round(Math.min(1, Math.max(0, share)) * 255) * 3;
      const pixel = ((bins - 1 - bin) * columns + column) * 4;
      image.data[pixel] = PALETTE[colour];
      image.data[pixel + 1] = PALETTE[colour + 1];
      image.data[pixel + 2] = PALETTE[colour + 2];
      image.data[pixel + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
