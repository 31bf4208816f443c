"""How even decoded speech is: long-term spectrum, and how much the energy of each band varies.

An uncertain generator draws fricatives, and all that is above 4 kHz, more evenly than a voice is. Means do
not show that; the spread of a band's energy over time does, and so does its change from frame to frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from codec.base import Audio
from codec.bpgan.network.mel import Mel, active_level, band_edges

#: Frames this far below the loudest are pauses, in dB; they tell of the recording, not of the codec.
_PAUSE_DB = 40.0
#: The split between the halves of the table, Hz.
_SPLIT = 4000.0


@dataclass(frozen=True)
class Bands:
    """Of each mel band, all in dB: level (of its mean power), spread, and change from frame to frame.

    Spread is the standard deviation over frames of the band's power in dB; change is the root mean square of
    its difference between neighbouring frames.
    """

    level: NDArray[np.float64]
    spread: NDArray[np.float64]
    change: NDArray[np.float64]


def measure_bands(mel: Mel, references: Sequence[Audio], audios: Sequence[Audio]) -> Bands:
    """Measure recordings (samples,) in the frames in which their `references` are no pauses.

    Each is brought to the model's level first.
    """
    powers, changes = [], []
    for reference, audio in zip(references, audios, strict=True):
        loudness = _band_powers(mel, reference).sum(axis=0)
        heard = loudness > loudness.max() / 10 ** (_PAUSE_DB / 10)
        own = _band_powers(mel, audio) + mel.config.floor
        powers.append(own[:, heard])
        decibels = 10 * np.log10(own)
        changes.append(np.diff(decibels, axis=1)[:, heard[1:] & heard[:-1]])
    power, change = np.concatenate(powers, axis=1), np.concatenate(changes, axis=1)
    decibels = 10 * np.log10(power)
    return Bands(
        10 * np.log10(power.mean(axis=1)), decibels.std(axis=1), np.sqrt(np.square(change).mean(axis=1))
    )


def _band_powers(mel: Mel, audio: Audio) -> NDArray[np.float64]:
    """Power in mel bands, (bands, frames)."""
    config = mel.config
    gain = config.level / max(active_level(audio), 1e-9)
    padded = np.pad(audio * np.float32(gain), (0, -audio.size % config.hop))
    with torch.no_grad():
        power = mel.filters @ mel.power(torch.from_numpy(padded)[None].to(mel.filters.device))
    return np.asarray(power[0].cpu().numpy(), dtype=np.float64)


def build_bands_table(mel: Mel, measured: Mapping[str, Bands]) -> str:
    """A Markdown table: means over the bands below and above 4 kHz, of the first row and against it."""
    centres = _centres(mel)
    halves = (centres < _SPLIT, centres >= _SPLIT)
    names = ("level", "spread", "change")
    heads = [f"{name}, {side} 4 kHz" for name in names for side in ("below", "above")]
    lines = [f"| | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    (_, first), *_ = measured.items()
    for title, own in measured.items():
        cells = []
        for name in names:
            for half in halves:
                value = float(getattr(own, name)[half].mean())
                apart = value - float(getattr(first, name)[half].mean())
                cells.append(f"{value:.1f}" if own is first else f"{apart:+.1f}")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def plot_bands(mel: Mel, measured: Mapping[str, Bands], path: Path) -> None:
    """Plot level, spread and change of all bands over their frequencies."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    panels = {
        "level": "long-term spectrum, dB",
        "spread": "spread of a band's energy, dB",
        "change": "change from frame to frame, dB",
    }
    figure, axes = plt.subplots(1, len(panels), figsize=(13.5, 4), layout="constrained")
    for axis, (name, title) in zip(axes, panels.items(), strict=True):
        for index, (label, own) in enumerate(measured.items()):
            axis.plot(
                _centres(mel) / 1000,
                getattr(own, name),
                label=label,
                color="black" if not index else f"C{index - 1}",
                linewidth=1.8 if not index else 1.2,
            )
        axis.set(xlabel="kHz", title=title)
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(path)
    plt.close(figure)


def _centres(mel: Mel) -> NDArray[np.float64]:
    centres: NDArray[np.float64] = band_edges(mel.config.sample_rate, mel.config.bands)[1:-1]
    return centres
