"""The stages of training: what each feeds the networks, and its loss. One loop drives them (`learning`).

A stage begins at a fraction of the run that the recipe sets, and lasts until a later one in `STAGES` begins.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from codec.base import CodecError
from codec.bpgan.config import TrainConfig
from codec.bpgan.network.hearing import Hearing
from codec.bpgan.network.precision import autocast
from codec.bpgan.network.refiner import Refiner
from codec.bpgan.network.spectrum import FLOOR, SpectrumNetwork
from codec.bpgan.search.objective import difference_weights
from codec.bpgan.training.adversary import Adversary
from codec.bpgan.training.pool import Pool
from codec.bpgan.training.state import RunState

#: Parts of a loss by name, for the log.
Losses = dict[str, Tensor]


def measure_distortion(generated: Tensor, mel: Tensor, hearing: Hearing) -> Losses:
    """Errors of log-mels (`objective.frame_distortion`): means over all values, weighted by audibility."""
    here = torch.ones_like(mel) if hearing.plain else hearing(mel)
    along_mel, along_time = difference_weights(here)
    error = generated - mel
    return {
        "l1": (here * error.abs()).mean(),
        "mse": (here * error.square()).mean(),
        "gradient": (along_mel * error.diff(dim=1).abs()).mean()
        + (along_time * error.diff(dim=2).abs()).mean(),
    }


class Stage(ABC):
    """A stage of a run.

    Attributes:
        name: in logs and checkpoints.
        start: the recipe's setting that says when the stage begins; empty: with the run.
        pool: searched symbols, in stages that learn from them, from the first that they draw.
    """

    name: ClassVar[str]
    start: ClassVar[str] = ""
    pool: Pool | None = None

    def __init__(self, run: RunState) -> None:
        self.run = run

    @classmethod
    def begins_at(cls, recipe: TrainConfig) -> float:
        """The fraction of the run at which the stage begins; 1: never."""
        return float(getattr(recipe, cls.start)) if cls.start else 0.0

    @abstractmethod
    def parameters(self) -> Iterable[nn.Parameter]:
        """The weights whose gradients are clipped together."""

    @property
    @abstractmethod
    def optimiser(self) -> torch.optim.Optimizer:
        """What moves the weights."""

    @abstractmethod
    def loss(self, done: float) -> tuple[Tensor, Losses]:
        """The loss of one step, and its parts. `done` is the fraction of the run that lies behind."""

    def weigh_distortion(self, generated: Tensor, mel: Tensor, more: float = 0.0) -> tuple[Tensor, Losses]:
        """J of generated log-mels (batch, bands, frames), and its parts.

        `more` is a weight of the disturbance besides its share of J.
        """
        model, r = self.run.model, self.run.recipe
        losses = measure_distortion(generated, mel, model.hearing)
        j = r.w_l1 * losses["l1"] + r.w_mse * losses["mse"] + r.w_gradient * losses["gradient"]
        objective = model.config.objective
        heard = {
            "disturbance": (objective.disturbance + more, model.disturbance),
            "dissimilarity": (objective.similarity, model.similarity),
        }
        for name, (weight, measure) in heard.items():
            if weight:
                losses[name] = measure(model.mel.expand(mel), model.mel.expand(generated))
                j = j + weight * losses[name]
        return j, losses

    def enter(self) -> None:  # noqa: B027 (most stages need none)
        """Prepare the networks, once, before the first step of the stage."""

    def count_step(self) -> None:  # noqa: B027
        """Count a finished step, where the stage has a schedule of its own."""


class CodecStage(Stage):
    """A stage that trains encoder and generator: J of the generated log-mel, and what else the stage asks."""

    @property
    def optimiser(self) -> torch.optim.Optimizer:
        return self.run.optimiser

    def parameters(self) -> Iterable[nn.Parameter]:
        model = self.run.model
        return [*model.encoder.parameters(), *model.generator.parameters()]

    @abstractmethod
    def draw(self, done: float) -> tuple[Tensor, Tensor, Tensor]:
        """Target log-mels, what the generator gets for them, and the commitment loss."""

    def loss(self, done: float) -> tuple[Tensor, Losses]:
        run, r = self.run, self.run.recipe
        mel, values, commitment = self.draw(done)
        with autocast(run.device):
            generated = run.model.generator(values)
        generated = generated.float()
        j, losses = self.weigh_distortion(generated, mel)
        return j + r.w_commitment * commitment + self.judge(mel, generated, done, losses), losses

    def judge(self, mel: Tensor, generated: Tensor, done: float, losses: Losses) -> Tensor:
        """The adversary's share of the loss, once it has joined."""
        run, r = self.run, self.run.recipe
        if done < r.adversarial_at:
            return mel.new_zeros(())
        return run.adversary.loss(mel, generated, r.w_adversarial, r.w_feature, losses)

    def draw_encoded(self, adapt: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """What `draw` returns, of the encoder's symbols; `adapt`: how far the levels follow them."""
        run, quantizer = self.run, self.run.model.quantizer
        mel = run.crops.targets(run.step)
        z = self.encode(mel)
        values, _ = quantizer(z)
        commitment = ((z - values.detach()) / quantizer.spread()).square().mean()
        if adapt:
            quantizer.adapt(z, adapt)
        return mel, values * run.crops.channel_mask(run.step), commitment

    def encode(self, mel: Tensor) -> Tensor:
        """The encoder's z, float32 (batch, channels, frames)."""
        with autocast(self.run.device):
            z: Tensor = self.run.model.encoder(mel)
        return z.float()


class FloatStage(CodecStage):
    """An autoencoder without levels, whose latent gets noise so that it will stand quantisation."""

    name = "float"

    def draw(self, done: float) -> tuple[Tensor, Tensor, Tensor]:
        run = self.run
        mel = run.crops.targets(run.step)
        z = self.encode(mel)
        rng = np.random.default_rng([run.seed, run.step, 2])
        noise = torch.from_numpy(rng.uniform(-1, 1, z.shape).astype(np.float32)).to(run.device)
        values = z + noise * run.recipe.latent_noise * z.detach().std(dim=(0, 2), keepdim=True)
        return mel, values * run.crops.channel_mask(run.step), z.new_zeros(())


class QuantisedStage(CodecStage):
    """The generator gets levels, straight through; the encoder commits to them, and they follow it."""

    name = "quantised"
    start = "quantise_at"

    def draw(self, done: float) -> tuple[Tensor, Tensor, Tensor]:
        return self.draw_encoded(adapt=0.02)


class AdversarialStage(CodecStage):
    """As the stage before it, quantised or still float, with the discriminators' verdict in the loss."""

    name = "adversarial"
    start = "adversarial_at"

    def __init__(self, run: RunState) -> None:
        super().__init__(run)
        self._float, self._quantised = FloatStage(run), QuantisedStage(run)

    def draw(self, done: float) -> tuple[Tensor, Tensor, Tensor]:
        quantised = done >= self.run.recipe.quantise_at
        return (self._quantised if quantised else self._float).draw(done)


class SearchStage(CodecStage):
    """The generator learns from what the search sends; the levels stay.

    If the recipe says so, every few steps are of the encoder's own symbols, from which the encoder learns as
    well: so the generator does not forget those, and a sender without time to search may send them.
    """

    name = "search"
    start = "search_at"

    def enter(self) -> None:
        self.pool = None

    def draw(self, done: float) -> tuple[Tensor, Tensor, Tensor]:
        run, every = self.run, self.run.recipe.encoder_every
        if every and run.step % every == every - 1:
            return self.draw_encoded()
        self.pool = self.pool or Pool(run, run.crops.targets)
        step, values = self.pool.draw(run.step - run.step // every if every else run.step)
        mel = run.crops.targets(step)
        return mel, values, mel.new_zeros(())


class ReceiverStage(Stage):
    """A network behind the generator learns alone; all others stay as the average of their weights is.

    Its input alternates between what the search sends, which is of one layer, and the encoder's symbols,
    which keep the others in use.
    """

    @property
    @abstractmethod
    def network(self) -> nn.Module:
        """The network to train. Raises `CodecError` if the model has none."""

    @property
    def optimiser(self) -> torch.optim.Optimizer:
        found = {"refiner": self.run.refiner_optimiser, "spectrum": self.run.spectrum_optimiser}[self.name]
        assert found is not None  # noqa: S101 (the model has the network)
        return found

    def parameters(self) -> Iterable[nn.Parameter]:
        return list(self.network.parameters())

    def enter(self) -> None:
        self.pool = None
        self.run.stage_steps = 0
        self.run.model.load_state_dict(self.run.averaged.state_dict())

    def count_step(self) -> None:
        self.run.stage_steps += 1

    @torch.no_grad()
    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """STFT power of a step's crops, the values that are sent for them, and the log-mels made of these."""
        run, model, crops = self.run, self.run.model, self.run.crops
        # The running averages of their normalisation must not move either.
        model.encoder.eval()
        model.generator.eval()
        step, values = run.step, None
        if run.recipe.search_at < 1 and run.stage_steps % 2:
            self.pool = self.pool or Pool(run, crops.mel, kept=True)
            step, values = self.pool.draw(run.stage_steps // 2)
        power = crops.power(step)
        if values is None:
            # In full precision, as a sender's encoder gets it: half of it would move symbols.
            mel = model.mel.compress(model.mel.filters @ power)
            with autocast(run.device):
                z = model.encoder(mel)
            symbols = model.quantizer.encode(z.float())
            values = model.quantizer.decode(symbols) * crops.channel_mask(run.step)
        with autocast(run.device):
            generated: Tensor = model.generator(values)
        return power, values, generated.float()


class RefinerStage(ReceiverStage):
    """The refiner learns to bring the generated log-mel nearer to its target, by J."""

    name = "refiner"
    start = "refiner_at"

    @property
    def network(self) -> Refiner:
        if self.run.model.refiner is None:
            raise CodecError("The model has no refiner to train: set refiner.blocks.")
        return self.run.model.refiner

    def loss(self, done: float) -> tuple[Tensor, Losses]:
        model = self.run.model
        power, values, generated = self.draw()
        with autocast(self.run.device):
            refined = self.network(generated, values)
        return self.weigh_distortion(refined.float(), model.mel.compress(model.mel.filters @ power))


class SpectrumStage(ReceiverStage):
    """The spectrum network learns the STFT power of what the refiner, if there is one, hands it."""

    name = "spectrum"
    start = "spectrum_at"

    @property
    def network(self) -> SpectrumNetwork:
        if self.run.model.spectrum is None:
            raise CodecError("The model has no spectrum network to train: set spectrum.blocks.")
        return self.run.model.spectrum

    @property
    def adversary(self) -> Adversary:
        assert self.run.spectrum_adversary is not None  # noqa: S101
        return self.run.spectrum_adversary

    def loss(self, done: float) -> tuple[Tensor, Losses]:
        run, r, model = self.run, self.run.recipe, self.run.model
        power, values, generated = self.draw()
        mel, target = model.mel.compress(model.mel.filters @ power), torch.log(power + FLOOR)
        with torch.no_grad(), autocast(run.device):
            refined = model.refine(generated, values).float()
        with autocast(run.device):
            out = self.network.log_power(refined, values, start=run.step * r.frames)
        out = out.float()
        made = (out.exp() - FLOOR).clamp_min(0.0)
        j, losses = self.weigh_distortion(
            model.mel.compress(model.mel.filters @ made), mel, more=r.w_disturbance
        )
        loss = j + r.w_spectrum * (out - target).abs().mean()
        loss = loss + self.adversary.loss(
            _normalise(target), _normalise(out), r.w_spectrum_adversarial, r.w_spectrum_feature, losses
        )
        return loss, losses


def _normalise(log_power: Tensor) -> Tensor:
    """Bring log-power to about N(0, 1), for the discriminators."""
    return (log_power + 2.0) / 4.0


#: In the order of a run. Where several have begun, the last in this list is the one at work.
STAGES: tuple[type[Stage], ...] = (
    FloatStage,
    QuantisedStage,
    AdversarialStage,
    SearchStage,
    RefinerStage,
    SpectrumStage,
)
