// How one sound gives way to another: 5 ms raised-cosine out, then 5 ms in, never both at once.
// A cross-fade would mix two codecs' phases and be heard as a sound that neither of them makes.

export const FADE_SECONDS = 0.005;

/** Raised-cosine gains from 0 to 1 over `points` points; `rising` false runs from 1 to 0. */
export function raisedCosine(points, rising = true) {
  const curve = new Float32Array(points);
  for (let i = 0; i < points; i += 1) {
    const gain = 0.5 - 0.5 * Math.cos((Math.PI * i) / (points - 1));
    curve[rising ? i : points - 1 - i] = gain;
  }
  return curve;
}

const RISE = raisedCosine(81);
const FALL = raisedCosine(81, false);

export function fadeIn(param, at) {
  param.setValueCurveAtTime(RISE, at, FADE_SECONDS);
}

export function fadeOut(param, at) {
  param.setValueCurveAtTime(FALL, at, FADE_SECONDS);
}

/** Fade `from` out at time `at`, then `to` in. Returns the time at which both curves are over. */
export function switchGains(from, to, at) {
  fadeOut(from, at);
  fadeIn(to, at + FADE_SECONDS);
  return at + 2 * FADE_SECONDS;
}

/**
 * A copy of `samples` whose loop, samples `start` (included) to `end` (excluded), fades in at its
 * beginning and out at its end, so that going round makes no click. What lies outside is untouched.
 */
export function withLoopFades(samples, start, end, sampleRate) {
  const copy = Float32Array.from(samples);
  const length = Math.min(Math.round(FADE_SECONDS * sampleRate), Math.floor((end - start) / 2));
  if (length < 2) return copy;
  const rise = raisedCosine(length);
  for (let i = 0; i < length; i += 1) {
    copy[start + i] *= rise[i];
    copy[end - 1 - i] *= rise[i];
  }
  return copy;
}
