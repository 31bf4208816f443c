"""How audible errors of a spectrogram are: weights and measures for training and search."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from codec.bpgan.config import ObjectiveConfig
from codec.bpgan.network.mel import Mel, band_edges
from codec.hearing import filter_bandwidth, threshold_in_quiet


def erb_number(hertz: Tensor) -> Tensor:
    """Position on the ERB-number scale, in ERB: Glasberg & Moore 1990, equation 4."""
    return 21.4 * torch.log10(1 + 0.00437 * hertz)


class Hearing(nn.Module):
    """How audible an error of each log-mel value is, by a model's `ObjectiveConfig`.

    An error in the logarithm of a band's power changes its loudness in proportion to that loudness, which by
    Stevens' law grows with the power 0.23 of sound power (Zwicker & Fastl, Psychoacoustics). Loudness is
    summed over the ERB-number scale (Glasberg & Moore 1990): 0 to 1 kHz takes up 47 % of it, but only 33 % of
    the mel bands.
    """

    bands: Tensor

    def __init__(self, mel: Mel, config: ObjectiveConfig) -> None:
        super().__init__()
        self.mel, self.config = mel, config
        bands = torch.ones(mel.config.bands)
        if config.erb:
            edges = erb_number(torch.from_numpy(band_edges(mel.config.sample_rate, mel.config.bands)))
            bands = (edges[2:] - edges[:-2]).float()
        self.register_buffer("bands", bands[:, None], persistent=False)

    @property
    def plain(self) -> bool:
        """Whether all errors count alike."""
        return not (self.config.loudness or self.config.erb)

    def forward(self, mel: Tensor) -> Tensor:
        """Weights of log-mels (batch, bands, frames), of the same shape, mean 1 in each file of the batch."""
        weights = self.bands.expand_as(mel)
        if self.config.loudness:
            power = self.mel.expand(mel) + self.mel.config.floor
            weights = weights * power.pow(self.config.loudness)
        return weights / weights.mean(dim=(1, 2), keepdim=True)


#: What speech is played at, dB SPL (P.862, 10.1).
_SPEECH_LEVEL = 79.0
#: Exponent of loudness (Zwicker), and the share of the lesser loudness below which differences are masked.
_ZWICKER, _DEAD_ZONE = 0.23, 0.25
#: Of what is added: exponent and limits of the ratio of powers by which it counts, and its share of the sum.
_ADDED_POWER, _ADDED_LEAST, _ADDED_MOST, _ADDED_SHARE = 1.2, 3.0, 12.0, 0.3


#: The least mean loudness that frames' loudness is a share of, a third of speech's: in a pause as long as a
#: block of the search, what nobody hears would else outweigh everything.
LEAST_LOUDNESS = 3.0


def intensity_per_hertz(mel: Mel) -> float:
    """What the power of a mel band is multiplied by, for intensity per hertz in 10⁻¹² W/m².

    Speech at the model's level is played at the level of P.862. A band's area is 1 over hertz, so its power
    is the mean power of a bin divided by their distance.
    """
    config = mel.config
    per_hertz = 2 / (config.sample_rate * float(mel.window.square().sum()))
    mean_bin = config.sample_rate / config.n_fft
    return mean_bin * per_hertz * 10 ** (_SPEECH_LEVEL / 10) / config.level**2


class Heard(NamedTuple):
    """What the ear makes of mel bands, each (batch, bands, frames).

    Attributes:
        intensity: in auditory filters around the bands, in 10⁻¹² W/m².
        loudness: specific loudness, without unit.
    """

    intensity: Tensor
    loudness: Tensor


class Disturbance(nn.Module):
    """How much the loudness of generated speech differs from that of the recording, as a share of the latter.

    As in ITU-T P.862 (PESQ), 10.2: power in auditory filters, Zwicker's loudness above the threshold in
    quiet, a dead zone for differences that are masked, the root of their mean square over the scale of
    hearing, and once more what has been added, which is heard more easily than what is missing. Unlike there
    the bands are the model's mel bands, weighted by their width in ERB, and neither spectra nor gains are
    aligned first: a network would learn to exploit that.
    """

    bands: Tensor
    threshold: Tensor
    scale: Tensor

    def __init__(self, mel: Mel) -> None:
        super().__init__()
        config = mel.config
        edges = band_edges(config.sample_rate, config.bands)
        centres = edges[1:-1]
        width = erb_number(torch.from_numpy(edges))
        bands = (width[2:] - width[:-2]).float()
        self.register_buffer("bands", (bands / bands.sum())[:, None], persistent=False)
        scale = torch.from_numpy(filter_bandwidth(centres)) * intensity_per_hertz(mel)
        self.register_buffer("scale", scale.float()[:, None], persistent=False)
        threshold = 10 ** (torch.from_numpy(threshold_in_quiet(centres)) / 10)
        self.register_buffer("threshold", threshold.float()[:, None], persistent=False)

    def hear(self, power: Tensor) -> Heard:
        """What is heard of the power of mel bands (batch, bands, frames). Loudness: P.862, equation 6."""
        intensity = self.scale * power
        louder = (0.5 + 0.5 * intensity / self.threshold).pow(_ZWICKER) - 1
        return Heard(intensity, ((self.threshold / 0.5).pow(_ZWICKER) * louder).clamp_min(0.0))

    def frames(self, reference: Heard, generated: Heard) -> Tensor:
        """How much each frame is disturbed, (batch, frames), in the unit of `total_loudness`."""
        wanted, heard = reference.loudness, generated.loudness
        apart = heard - wanted
        apart = apart.sign() * (apart.abs() - _DEAD_ZONE * torch.minimum(heard, wanted)).clamp_min(0.0)
        # Plus 17 dB SPL, so that ratios of what is hardly heard do not count.
        with torch.no_grad():
            ratio = ((generated.intensity + 50.0) / (reference.intensity + 50.0)).pow(_ADDED_POWER)
            added = torch.where(ratio < _ADDED_LEAST, 0.0, ratio.clamp_max(_ADDED_MOST))
        symmetric = (self.bands * apart.square()).sum(dim=1).add(1e-12).sqrt()
        return symmetric + _ADDED_SHARE * (self.bands * added * apart.abs()).sum(dim=1)

    def total_loudness(self, heard: Heard) -> Tensor:
        """Loudness of each frame, (batch, frames): the mean of specific loudness over the ERB scale."""
        return (self.bands * heard.loudness).sum(dim=1)

    def forward(self, reference: Tensor, generated: Tensor) -> Tensor:
        """Mean disturbance of the power of mel bands (batch, bands, frames), as a share of the loudness.

        0: none is heard.
        """
        theirs = self.hear(reference)
        disturbed = self.frames(theirs, self.hear(generated)).mean()
        return disturbed / self.total_loudness(theirs).mean().clamp_min(LEAST_LOUDNESS)


#: Auditory filters, from and to these centres, Hz, and what they are averaged over and compared at, seconds.
_FILTERS, _LOWEST, _HIGHEST = 21, 50.0, 8000.0
_WINDOW, _STEP = 0.072, 0.024
#: Levels below those of the loudest filter by more than this, dB, are masked.
_RANGE = 60.0
#: NSIM's window: what a level and its neighbours in frequency and time count, one step away each.
_CENTRE, _BESIDE, _CORNER = 0.6195, 0.0838, 0.0113
#: Levels are counted from here, dB, where they vary: in the squares of large numbers that would be lost.
_MIDDLE = 40.0
#: What keeps the ratios finite where levels are 0 dB, and where they do not vary: dB².
_LEVEL_FLOOR, _VARIANCE_FLOOR = 0.01, 0.5


class Similarity(nn.Module):
    """How similar the levels in auditory filters are, by their pattern rather than by their errors.

    NSIM (Hines & Harte 2012), the measure within ViSQOL (Hines et al. 2015; Chinen et al. 2020): levels of
    gammatone filters over some 80 ms are compared like pixels of an image, by the product of the ratio of
    their local means and the correlation with their neighbours in frequency and time. Unlike there the
    filters are sums of mel bands, levels are those of a listener (0 dB is the threshold of hearing), and the
    range is narrower, as what is 60 dB below the loudest filter is not heard. A frame counts by its loudness.
    """

    filters: Tensor
    kernel: Tensor

    def __init__(self, mel: Mel, disturbance: Disturbance) -> None:
        super().__init__()
        # Not a submodule: it is the model's.
        self._disturbance = (disturbance,)
        config = mel.config
        edges = band_edges(config.sample_rate, config.bands)
        ends = erb_number(torch.tensor([_LOWEST, _HIGHEST], dtype=torch.float64)).tolist()
        numbers = np.linspace(ends[0], ends[1], _FILTERS, endpoint=False)
        centres = (10 ** (numbers / 21.4) - 1) / 0.00437
        # The response of gammatone filters of fourth order (Patterson et al. 1987).
        apart = (edges[1:-1] - centres[:, None]) / (1.019 * filter_bandwidth(centres)[:, None])
        width = (edges[2:] - edges[:-2]) / 2
        filters = (1 + apart**2) ** -4.0 * width * intensity_per_hertz(mel)
        self.register_buffer("filters", torch.from_numpy(filters).float(), persistent=False)
        corner = [_CORNER, _BESIDE, _CORNER]
        kernel = torch.tensor([corner, [_BESIDE, _CENTRE, _BESIDE], corner])
        self.register_buffer("kernel", kernel[None, None], persistent=False)
        self._window = 2 * round(_WINDOW / 2 * config.sample_rate / config.hop) + 1
        self._step = max(1, round(_STEP * config.sample_rate / config.hop))

    def hear(self, power: Tensor, counted: Tensor) -> Tensor:
        """Levels of auditory filters, dB, (batch, filters, frames).

        Args:
            power: of mel bands, (batch, bands, frames).
            counted: 1, or 0 in frames that do not count, such as padding, (batch, frames).
        """
        intensity = (self.filters @ power) * counted[:, None]
        here, weight = (
            nn.functional.avg_pool1d(x, self._window, stride=1, padding=self._window // 2)
            for x in (intensity, counted[:, None])
        )
        return 10 * torch.log10(here / weight.clamp_min(1e-3) + 1)

    def frames(self, reference: Tensor, generated: Tensor, counted: Tensor) -> Tensor:
        """How unlike each frame's levels are, (batch, frames): from 0 (alike) to 2.

        Args:
            reference, generated: levels by `hear`, (batch, filters, frames).
            counted: as in `hear`.
        """
        loudest = torch.maximum(reference, generated.detach()).amax(dim=1, keepdim=True)
        floor = loudest - _RANGE
        theirs, ours = (
            (torch.maximum(x, floor) - _MIDDLE) * counted[:, None] for x in (reference, generated)
        )
        weight = self._blur(counted[:, None].expand_as(theirs)).clamp_min(1e-3)
        mean_theirs, mean_ours = self._blur(theirs) / weight, self._blur(ours) / weight
        spread_theirs, spread_ours, together = (
            self._blur(a * b) / weight - mean_a * mean_b
            for a, b, mean_a, mean_b in (
                (theirs, theirs, mean_theirs, mean_theirs),
                (ours, ours, mean_ours, mean_ours),
                (theirs, ours, mean_theirs, mean_ours),
            )
        )
        a, b = mean_theirs + _MIDDLE, mean_ours + _MIDDLE
        level = (2 * a * b + _LEVEL_FLOOR) / (a.square() + b.square() + _LEVEL_FLOOR)
        spread = (spread_theirs.clamp_min(0.0) * spread_ours.clamp_min(0.0) + 1e-8).sqrt()
        pattern = (together + _VARIANCE_FLOOR) / (spread + _VARIANCE_FLOOR)
        return 1 - (level * pattern).mean(dim=1)

    def forward(self, reference: Tensor, generated: Tensor) -> Tensor:
        """How unlike the power of mel bands (batch, bands, frames) is: mean over frames, by loudness."""
        (disturbance,) = self._disturbance
        # In bfloat16 small variances are lost in the squares.
        with torch.autocast(reference.device.type, enabled=False):
            counted = torch.ones_like(reference[:, 0])
            wanted, heard = self.hear(reference, counted), self.hear(generated, counted)
            loudness = disturbance.total_loudness(disturbance.hear(reference))
            unlike = loudness * self.frames(wanted, heard, counted)
            return unlike.mean() / loudness.mean().clamp_min(LEAST_LOUDNESS)

    def _blur(self, x: Tensor) -> Tensor:
        """Weighted mean of values and their neighbours, (batch, filters, frames); 0 beyond the edges."""
        step = (1, self._step)
        return nn.functional.conv2d(x[:, None], self.kernel, padding=step, dilation=step)[:, 0]
