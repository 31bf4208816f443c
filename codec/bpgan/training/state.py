"""The state of a run: networks, their optimisers and adversaries, an average of the weights, and counters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from codec.bpgan.config import ModelConfig, TrainConfig
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.network.precision import autocast
from codec.bpgan.training.adversary import Adversary
from codec.bpgan.training.crops import Crops
from codec.bpgan.training.data import Corpus


class RunState:
    """What the steps of a run move, and what they draw from.

    Args:
        model: sizes of the networks.
        recipe: how to train them.
        corpus: speech.
        members: indices of the utterances to learn from.
        seed: everything random in a step follows from this and the step's number.
        device: where the networks are.
    """

    def __init__(
        self,
        model: ModelConfig,
        recipe: TrainConfig,
        corpus: Corpus,
        members: Sequence[int],
        seed: int,
        device: torch.device,
    ) -> None:
        torch.manual_seed(seed)
        self.recipe, self.corpus, self.seed, self.device = recipe, corpus, seed, device
        self.model = BPGANModel(model).to(device)
        self.averaged = BPGANModel(model).to(device).requires_grad_(False).eval()
        self.averaged.load_state_dict(self.model.state_dict())
        self.adversary = Adversary(recipe, device)
        self.optimiser = self._build_optimiser(
            [*self.model.encoder.parameters(), *self.model.generator.parameters()]
        )
        spectrum = self.model.spectrum
        self.spectrum_adversary = Adversary(recipe, device) if spectrum else None
        refiner = self.model.refiner
        self.refiner_optimiser = self._build_optimiser(refiner.parameters()) if refiner else None
        self.spectrum_optimiser = self._build_optimiser(spectrum.parameters()) if spectrum else None
        self.crops = Crops(corpus, members, self.model.mel, model.latent, recipe, seed)
        #: Batches that were searched (`pool`): the steps whose crops they are, and their symbols, uint8.
        self.searched: dict[int, Tensor] = {}
        #: Steps so far, and whether the levels have been fitted.
        self.step, self.fitted = 0, False
        #: The stage of the last step, and the number of steps of a receiver's stage.
        self.stage, self.stage_steps = "", 0
        self.prepare()

    def prepare(self) -> None:
        """Build what a kind of run needs beside its state."""

    @torch.no_grad()
    def encode_crops(self, model: BPGANModel, batches: int, salt: int) -> Tensor:
        """Encoder outputs for random training crops, (batches * batch, channels, frames)."""
        with autocast(self.device):
            return torch.cat([model.encoder(self.crops.targets(salt + i)).float() for i in range(batches)])

    def _build_optimiser(self, parameters: Iterable[nn.Parameter]) -> torch.optim.AdamW:
        r = self.recipe
        return torch.optim.AdamW(list(parameters), r.learning_rate, r.betas, weight_decay=r.weight_decay)
