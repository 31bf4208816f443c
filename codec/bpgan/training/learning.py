"""One step of training, whatever the stage: choose it, descend its loss, update the average of the weights.

What a step feeds the networks, and its loss, is up to the stage (`stages`); `train` makes a run of steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor, nn

from codec.bpgan.network.model import BPGANModel
from codec.bpgan.training.inheritance import inherit_weights
from codec.bpgan.training.stages import STAGES, Losses, ReceiverStage
from codec.bpgan.training.state import RunState


class Learner(RunState):
    """The state of a run, with the stages that move it. For the arguments see `RunState`.

    Raises:
        CodecError: the recipe trains a network that the model lacks.
    """

    def prepare(self) -> None:
        self.stages = {kind.name: kind(self) for kind in STAGES}
        for kind in STAGES:
            if issubclass(kind, ReceiverStage) and kind.begins_at(self.recipe) < 1:
                self.stages[kind.name].parameters()  # refuse now, not at the end of a long run

    def start_from(self, other: BPGANModel) -> None:
        """Begin with the weights of `other`, as `inherit_weights` does, in the quantised stage.

        Raises:
            CodecError: encoder or generator differ in more than channels of the latent and numbers of blocks,
                or a network of the receiver is of another size and this run does not train it.
        """
        trained = {kind.name for kind in STAGES if kind.begins_at(self.recipe) < 1}
        if inherit_weights(self.model, other, trained):
            self.fitted = True
        if self.fitted and not self.trains_codec:
            # What is sent stays what it is, and so do its tables and prices.
            self.model.marginals.copy_(other.marginals)
            self.averaged.contexts, self.averaged.rates = other.contexts, dict(other.rates)
            self.averaged.notes = dict(other.notes)
        self.averaged.load_state_dict(self.model.state_dict())
        # `other` has been through the float stage.
        self.recipe = replace(self.recipe, quantise_at=0.0)

    @property
    def trains_codec(self) -> bool:
        """Whether the run changes what is sent: not if it is of a receiver's stages from the beginning."""
        return not isinstance(self.stages[self.choose_stage(0.0)], ReceiverStage)

    def choose_stage(self, done: float) -> str:
        """The name of the stage at work when a fraction `done` of the run is over."""
        # 1 stands for never: the end of the run is no stage.
        begun = [kind.name for kind in STAGES if done >= kind.begins_at(self.recipe) < 1]
        return begun[-1]

    def choose_rate(self, done: float) -> float:
        """Learning rate: warm-up and cosine for encoder and generator, then for each network behind them."""
        r = self.recipe
        later = [kind.begins_at(r) for kind in STAGES if issubclass(kind, ReceiverStage)]
        begins = sorted({0.0, *later, 1.0})
        begin = max(at for at in begins[:-1] if at <= done)
        end = begins[begins.index(begin) + 1]
        part = (done - begin) / (end - begin)
        steps = self.stage_steps if begin in later else self.step
        warm = min(1.0, (steps + 1) / r.warmup)
        cosine = 0.5 * (1 + math.cos(math.pi * part))
        return r.learning_rate * warm * (r.final_rate + (1 - r.final_rate) * cosine)

    def take_step(self, done: float) -> Losses:
        """Take one step of the stage at work. Returns the parts of its loss."""
        self.model.train()
        if done >= self.recipe.quantise_at and not self.fitted:
            self._fit_levels()
        if (name := self.choose_stage(done)) != self.stage:
            self.enter_stage(name)
        stage = self.stages[name]
        loss, losses = stage.loss(done)
        self._update_weights(stage.optimiser, loss, self.choose_rate(done), stage.parameters())
        stage.count_step()
        self._update_average()
        return losses

    def enter_stage(self, name: str) -> None:
        """Forget what a stage must not take over from the one before: a finished run may be continued."""
        self.stage = name
        self.searched.clear()
        self.stages[name].enter()

    def _update_weights(
        self, optimiser: torch.optim.Optimizer, loss: Tensor, rate: float, parameters: Iterable[nn.Parameter]
    ) -> None:
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, self.recipe.clip)
        optimiser.step()

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early in the run, or of a new network, a long memory would only remember the random start.
        steps = self.stage_steps if isinstance(self.stages[self.stage], ReceiverStage) else self.step
        decay = min(self.recipe.ema, (1 + steps) / (10 + steps))
        for mine, theirs in zip(
            self.averaged.state_dict().values(), self.model.state_dict().values(), strict=True
        ):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)

    def _fit_levels(self) -> None:
        self.model.eval()
        z = self.encode_crops(self.model, 24, salt=1 << 40)
        self.model.quantizer.fit(z.transpose(0, 1).flatten(1))
        self.averaged.quantizer.centres.copy_(self.model.quantizer.centres)
        self.model.train()
        self.fitted = True
