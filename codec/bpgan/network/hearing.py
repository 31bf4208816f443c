"""How much an error of a log-mel-spectrogram is heard: the weights of training and of the search."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from codec.bpgan.config import ObjectiveConfig
from codec.bpgan.network.mel import Mel, band_edges


def erb_number(hertz: Tensor) -> Tensor:
    """Position on the ERB-number scale, in ERB: Glasberg & Moore 1990, equation 4."""
    return 21.4 * torch.log10(1 + 0.00437 * hertz)


class Hearing(nn.Module):
    """How much an error of each log-mel value is heard, by a model's `ObjectiveConfig`.

    An error of the logarithm of a band's power changes its loudness by as much times its loudness: a power of
    about 0.23 of sound power by Stevens' law (Zwicker & Fastl, Psychoacoustics). Loudness adds up over the
    ERB-number scale (Glasberg & Moore 1990), of which 0 to 1 kHz is 47 %, but only 33 % of our bands.
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
        """Whether every error counts alike."""
        return not (self.config.loudness or self.config.erb)

    def forward(self, mel: Tensor) -> Tensor:
        """Weights of log-mels (batch, bands, frames), of the same shape, mean 1 in each file of the batch."""
        weights = self.bands.expand_as(mel)
        if self.config.loudness:
            power = self.mel.expand(mel) + self.mel.config.floor
            weights = weights * power.pow(self.config.loudness)
        return weights / weights.mean(dim=(1, 2), keepdim=True)
