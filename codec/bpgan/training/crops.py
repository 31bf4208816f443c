"""Crops of training speech as the networks get them: spectrograms, augmented, and how many channels are sent.

Everything random about a crop follows from the run's seed and the number of its step, so the crops of any
step can be made again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codec.bpgan.config import LatentConfig, TrainConfig
from codec.bpgan.network.mel import Mel
from codec.bpgan.training import data


class Crops:
    """Batches of training material by the number of the step.

    Args:
        corpus: speech.
        members: indices of the utterances to learn from.
        mel: front end; its device is where the crops end up.
        latent: says which layers there are.
        recipe: how to crop and augment.
        seed: of the run.
    """

    def __init__(
        self,
        corpus: data.Corpus,
        members: Sequence[int],
        mel: Mel,
        latent: LatentConfig,
        recipe: TrainConfig,
        seed: int,
    ) -> None:
        self.corpus, self.front_end, self.latent = corpus, mel, latent
        self.recipe, self.seed = recipe, seed
        self.members: NDArray[np.int64] = np.array(members, dtype=np.int64)
        self.device = mel.filters.device

    def power(self, step: int) -> Tensor:
        """STFT power of a step's crops, (batch, bins, frames)."""
        config = self.front_end.config
        audio = data.batch(self.corpus, self.members, config, self.recipe, self.seed, step)
        return self.front_end.power(torch.from_numpy(audio).to(self.device))

    def mel(self, step: int) -> Tensor:
        """Log-mels of a step's crops, (batch, bands, frames)."""
        return self.front_end.compress(self.front_end.filters @ self.power(step))

    def targets(self, step: int) -> Tensor:
        """Log-mels of a step's crops (batch, bands, frames), with a random spectral tilt and equaliser."""
        r = self.recipe
        mel = self.mel(step)
        lowest = float(self.front_end.compress(torch.zeros(())))
        if r.tilt:
            rng = np.random.default_rng([self.seed, step, 1])
            slopes = torch.from_numpy(rng.uniform(-r.tilt, r.tilt, (r.batch, 1, 1)).astype(np.float32))
            line = torch.linspace(-1, 1, mel.shape[1], device=self.device)[:, None]
            mel = (mel + slopes.to(self.device) * line).clamp_min(lowest)
        if r.equaliser:
            rng = np.random.default_rng([self.seed, step, 4])
            gains = torch.from_numpy(rng.uniform(-1, 1, (r.batch, 3)).astype(np.float32) * r.equaliser)
            where = torch.linspace(0, torch.pi, mel.shape[1]) * torch.arange(1, 4)[:, None]
            curves = (gains @ torch.cos(where)).to(self.device)[..., None]
            mel = (mel + curves).clamp_min(lowest)
        return mel

    def channel_mask(self, step: int) -> Tensor:
        """1 for the channels that each of a step's crops sends, 0 for the others: (batch, channels, 1)."""
        latent = self.latent
        if not latent.layers:
            return torch.ones(1, 1, 1, device=self.device)
        shares = np.array(self.recipe.layer_shares or [1] * len(latent.layers), dtype=np.float64)
        rng = np.random.default_rng([self.seed, step, 3])
        counts = torch.from_numpy(rng.choice(latent.layers, self.recipe.batch, p=shares / shares.sum()))
        sent = torch.arange(latent.channels) < counts[:, None]
        return sent[..., None].float().to(self.device)

    @property
    def usual_channels(self) -> int:
        """The number of channels that most crops send."""
        layers = self.latent.layers or (self.latent.channels,)
        return layers[int(np.argmax(self.recipe.layer_shares or [1] * len(layers)))]
