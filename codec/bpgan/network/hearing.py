"""How audible an error of a log-mel-spectrogram is: the weights used in training and in the search."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.bpgan.config import ObjectiveConfig
from codec.bpgan.network.mel import Mel, band_edges


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
