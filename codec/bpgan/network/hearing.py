"""How audible errors of a spectrogram are: weights for training and search, and a loss for training."""

from __future__ import annotations

from typing import NamedTuple

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


#: The least mean loudness of which a disturbance is a share, a third of speech's: in a pause as long as a
#: block of the search, what nobody hears would else outweigh everything.
LEAST_LOUDNESS = 3.0


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
        # A filter's area is 1 over hertz, so it gives the mean power of a bin divided by their distance.
        per_hertz = 2 / (config.sample_rate * float(mel.window.square().sum()))
        mean_bin = config.sample_rate / config.n_fft
        heard = 10 ** (_SPEECH_LEVEL / 10) / config.level**2
        scale = torch.from_numpy(filter_bandwidth(centres)) * mean_bin * per_hertz * heard
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
