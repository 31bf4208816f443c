"""Log-mel-spectrogram -> waveform by an inverse STFT: the paper's receiver after the generator.

Non-negative multiplicative updates take mel power back to linear frequency; fast Griffin-Lim (Perraudin,
Balazs & Soendergaard 2013) finds a phase, which is not transmitted.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from codec.bpgan.network.mel import Mel

#: More iterations at this momentum do not help, and a higher momentum diverges for some voices.
_ITERATIONS, _MOMENTUM = 32, 0.9
_MEL_ITERATIONS = 60
# Where frames disagree about a phase, their sum is small and its direction arbitrary. The sum is scaled to
# the target magnitude only if it has at least half of it, and by 2 otherwise. Without this limit, rounding
# errors grow to 3e-3 of the peak within 5 s of speech; with it, to 3e-4, and PESQ-WB of 16 validation
# utterances rises by 0.02.
_LEAST = 0.5
#: Initial phases repeat after this many frames (8 s), too long a period to be heard.
_PHASE_FRAMES = 1024


def invert_mel(mel: Mel, log_mel: Tensor, iterations: int = _MEL_ITERATIONS) -> Tensor:
    """Log-mel (batch, bands, frames) -> non-negative STFT power (batch, n_fft // 2 + 1, frames).

    Minimises ``|F p - m|^2`` over p >= 0 by Lee & Seung's multiplicative update, which needs no step size and
    keeps p positive.
    """
    filters = mel.filters
    power = mel.expand(log_mel)
    target = filters.T @ power
    gram = filters.T @ filters
    spectrum = filters.T @ (power / filters.square().sum(dim=1)[:, None].clamp_min(1e-12)) + 1e-8
    for _ in range(iterations):
        spectrum = spectrum * target / (gram @ spectrum).clamp_min(1e-12)
    return spectrum


def reach(mel: Mel, iterations: int = _ITERATIONS) -> int:
    """The number of frames to either side that a sample from `griffin_lim` depends on.

    Each synthesis and analysis connects all frames whose windows overlap.
    """
    overlapping = -(-mel.config.n_fft // mel.config.hop) - 1
    return overlapping * (iterations + 1)


def random_phases(bins: int, start: int, frames: int) -> Tensor:
    """Numbers in [0, 2 pi), float32 (bins, frames) on the CPU: the initial phases of Griffin-Lim.

    They are hashes of bin and absolute frame (the finaliser "lowbias32" of C. Wellons' hash-prospector), so
    that any part of a file starts with the same phases as within the whole, on every machine.
    """
    frame = np.arange(start, start + frames, dtype=np.uint32) % np.uint32(_PHASE_FRAMES)
    x = np.arange(bins, dtype=np.uint32)[:, None] + np.uint32(bins) * frame
    x = (x ^ x >> np.uint32(16)) * np.uint32(0x7FEB352D)
    x = (x ^ x >> np.uint32(15)) * np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return torch.from_numpy((x * (2 * np.pi / 2**32)).astype(np.float32))


def griffin_lim(
    mel: Mel,
    power: Tensor,
    iterations: int = _ITERATIONS,
    momentum: float = _MOMENTUM,
    start: int = 0,
) -> Tensor:
    """STFT power (batch, n_fft // 2 + 1, frames) -> waveform (batch, frames * hop) by fast Griffin-Lim.

    `start` is the index of the first frame within its file. Deterministic: see `random_phases`.
    """
    n_fft, hop = mel.config.n_fft, mel.config.hop
    magnitude = power.sqrt()
    length = power.shape[-1] * hop
    padding = (n_fft // 2, n_fft // 2 - hop)

    def analyse(audio: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(audio, padding)
        return torch.stft(padded, n_fft, hop, window=mel.window, center=False, return_complex=True)

    # Overlap-add is written out because torch.istft refuses signals whose window sum is zero at the very
    # edge.
    envelope = _overlap_add(mel.window.square()[None, :, None].expand(1, n_fft, power.shape[-1]), hop)

    def synthesise(spectrum: Tensor) -> Tensor:
        frames = torch.fft.irfft(spectrum, n=n_fft, dim=1) * mel.window[None, :, None]
        audio = _overlap_add(frames, hop) / envelope.clamp_min(1e-3)
        return audio[:, padding[0] : padding[0] + length]

    angles = random_phases(magnitude.shape[1], start, magnitude.shape[2])
    spectrum = torch.polar(magnitude, angles.to(magnitude).expand_as(magnitude))
    previous = torch.zeros_like(spectrum)
    least = (_LEAST * magnitude).clamp_min(1e-8)
    for _ in range(iterations):
        rebuilt = analyse(synthesise(spectrum))
        ahead = rebuilt + momentum * (rebuilt - previous)
        previous = rebuilt
        spectrum = magnitude * ahead / torch.maximum(ahead.abs(), least)
    return synthesise(spectrum)


def _overlap_add(frames: Tensor, hop: int) -> Tensor:
    """(batch, n_fft, frames) -> (batch, n_fft + hop * (frames - 1))."""
    batch, n_fft, count = frames.shape
    out = torch.nn.functional.fold(frames, (1, n_fft + hop * (count - 1)), (1, n_fft), stride=(1, hop))
    return out.reshape(batch, -1)
