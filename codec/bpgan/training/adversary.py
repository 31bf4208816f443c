"""The adversary in a training stage: discriminators of spectrograms, their training and their verdict."""

from __future__ import annotations

from typing import TypedDict

import torch
from torch import Tensor, nn
from torch.optim.optimizer import StateDict

from codec.bpgan.config import TrainConfig
from codec.bpgan.network.discriminators import (
    Discriminators,
    adversarial_loss,
    discriminator_loss,
    feature_loss,
)
from codec.bpgan.network.precision import autocast


class State(TypedDict):
    """An adversary in a checkpoint."""

    critics: dict[str, Tensor]
    optimiser: StateDict
    steps: int


class Adversary:
    """Discriminators with their optimiser. They take a step before each of the generator's."""

    def __init__(self, recipe: TrainConfig, device: torch.device) -> None:
        self.recipe = recipe
        self.critics = Discriminators(recipe.discriminator_scales, recipe.discriminator_width).to(device)
        self.optimiser = torch.optim.AdamW(
            self.critics.parameters(),
            recipe.discriminator_rate,
            recipe.betas,
            weight_decay=recipe.weight_decay,
        )
        self.steps = 0

    def state_dict(self) -> State:
        return {
            "critics": self.critics.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "steps": self.steps,
        }

    def load_state_dict(self, state: State) -> None:
        self.critics.load_state_dict(state["critics"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.steps = state["steps"]

    def loss(
        self,
        real: Tensor,
        generated: Tensor,
        w_adversarial: float,
        w_feature: float,
        losses: dict[str, Tensor],
    ) -> Tensor:
        """Train the discriminators, then let them judge. Returns what to add to the generator's loss.

        Args:
            real: log-spectrograms (batch, bands, frames).
            generated: of the same shape; the result can be differentiated by them.
            w_adversarial: weight of the verdict.
            w_feature: weight of feature matching.
            losses: receives ``discriminator`` and, after the warm-up, ``adversarial`` and ``feature``.
        """
        r, crops = self.recipe, self.recipe.discriminator_crops or len(real)
        real, generated = real[:crops], generated[:crops]
        with autocast(real.device):
            verdict = discriminator_loss(self.critics(real), self.critics(generated.detach()))
        self.optimiser.zero_grad(set_to_none=True)
        verdict.backward()
        nn.utils.clip_grad_norm_(self.critics.parameters(), r.clip)
        self.optimiser.step()
        losses["discriminator"] = verdict.detach()
        self.steps += 1
        if self.steps <= r.discriminator_warmup:
            return real.new_zeros(())
        self.critics.requires_grad_(False)
        with autocast(real.device):
            with torch.no_grad():
                features = self.critics(real)
            fake = self.critics(generated)
        self.critics.requires_grad_(True)
        losses["adversarial"], losses["feature"] = adversarial_loss(fake), feature_loss(features, fake)
        return w_adversarial * losses["adversarial"] + w_feature * losses["feature"]
