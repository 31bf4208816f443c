"""How audible errors of a spectrogram are: weights for training and search, and a loss for training."""

from __future__ import annotations

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
        self.mel = mel
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

    def intensity(self, power: Tensor) -> Tensor:
        """STFT power (batch, bins, frames) -> that in auditory filters around bands, in 10⁻¹² W/m²."""
        return self.scale * (self.mel.filters @ power)

    def loudness(self, intensity: Tensor) -> Tensor:
        """Zwicker's specific loudness, without unit: P.862, equation 6."""
        louder = (0.5 + 0.5 * intensity / self.threshold).pow(_ZWICKER) - 1
        return ((self.threshold / 0.5).pow(_ZWICKER) * louder).clamp_min(0.0)

    def forward(self, reference: Tensor, generated: Tensor) -> Tensor:
        """Mean disturbance over the frames of two STFT powers (batch, bins, frames); 0: none is heard."""
        theirs, ours = self.intensity(reference), self.intensity(generated)
        wanted, heard = self.loudness(theirs), self.loudness(ours)
        apart = heard - wanted
        apart = apart.sign() * (apart.abs() - _DEAD_ZONE * torch.minimum(heard, wanted)).clamp_min(0.0)
        # Plus 17 dB SPL, so that ratios of what is hardly heard do not count.
        with torch.no_grad():
            ratio = ((ours + 50.0) / (theirs + 50.0)).pow(_ADDED_POWER)
            added = torch.where(ratio < _ADDED_LEAST, 0.0, ratio.clamp_max(_ADDED_MOST))
        whole = (self.bands * wanted).sum(dim=1).mean().clamp_min(1e-6)
        symmetric = (self.bands * apart.square()).sum(dim=1).add(1e-12).sqrt().mean()
        return (symmetric + _ADDED_SHARE * (self.bands * added * apart.abs()).sum(dim=1).mean()) / whole
