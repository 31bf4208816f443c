"""What one step of training does, in each of the stages; `codec.bpgan.training.train` makes a run of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codec.base import CodecError
from codec.bpgan.config import ModelConfig, TrainConfig
from codec.bpgan.entropy import fitting
from codec.bpgan.entropy.rates import HuffmanRates
from codec.bpgan.network.blocks import ConvNeXt
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.network.precision import autocast
from codec.bpgan.network.spectrum import FLOOR, SpectrumNetwork
from codec.bpgan.search.objective import difference_weights
from codec.bpgan.search.search import SearchConfig, search
from codec.bpgan.training import data
from codec.bpgan.training.adversary import Adversary

#: Searched batches that the decoder learns from in turn.
_POOL = 64


class Learner:
    """Networks, their optimisers, and an average of the weights.

    Args:
        model: sizes of the networks.
        recipe: how to train them.
        corpus: speech.
        members: indices of the utterances to learn from.
        seed: with the number of a step, all that is random in it follows from this.
        device: where the networks are.

    Raises:
        CodecError: the recipe trains a network that the model lacks.
    """

    def __init__(
        self,
        model: ModelConfig,
        recipe: TrainConfig,
        corpus: data.Corpus,
        members: Sequence[int],
        seed: int,
        device: torch.device,
    ) -> None:
        torch.manual_seed(seed)
        self.recipe, self.corpus, self.seed, self.device = recipe, corpus, seed, device
        self.members: NDArray[np.int64] = np.array(members, dtype=np.int64)
        self.model = BPGANModel(model).to(device)
        self.averaged = BPGANModel(model).to(device).requires_grad_(False).eval()
        self.averaged.load_state_dict(self.model.state_dict())
        self.adversary = Adversary(recipe, device)
        self.optimiser = self._adam([*self.model.encoder.parameters(), *self.model.generator.parameters()])
        spectrum = self.model.spectrum
        self.spectrum_adversary = Adversary(recipe, device) if spectrum else None
        self.spectrum_optimiser = self._adam(spectrum.parameters()) if spectrum else None
        self.step, self.fitted = 0, False
        #: The stage of the last step, and how many steps of the spectrum stage there were.
        self.stage, self.stage_steps = "", 0
        if recipe.spectrum_at < 1:
            self._spectrum_parts()  # refused now, not at the end of a long run
        #: Batches that were searched: the steps whose crops they are, and their symbols.
        self.searched: dict[int, Tensor] = {}

    def start_from(self, other: BPGANModel) -> None:
        """Take over `other`'s weights; where this run's networks are larger, they begin as `other`'s do.

        Latent channels that `other` lacks start unheard by the generator, and blocks that follow the last of
        a stage start as identities. The run begins in the quantised stage: `other` has been through the
        float one.

        Raises:
            CodecError: if the networks differ in more than channels of the latent and numbers of blocks.
        """
        _take(self.model.encoder, other.encoder)
        _take(self.model.generator, other.generator)
        if self.model.config.latent == other.config.latent:
            self.model.quantizer.load_state_dict(other.quantizer.state_dict())
            self.fitted = True
        if self.model.spectrum and other.spectrum:
            if self.model.config.spectrum != replace(
                other.config.spectrum, strength=self.model.config.spectrum.strength
            ):
                raise CodecError("The weights to start from have a spectrum network of another size.")
            self.model.spectrum.load_state_dict(other.spectrum.state_dict())
        self.averaged.load_state_dict(self.model.state_dict())
        self.recipe = replace(self.recipe, quantise_at=0.0)

    def _adam(self, parameters: Any) -> torch.optim.AdamW:
        r = self.recipe
        return torch.optim.AdamW(list(parameters), r.learning_rate, r.betas, weight_decay=r.weight_decay)

    def _stage(self, done: float) -> str:
        r = self.recipe
        # What comes last in this list has the last word where stages begin together.
        begins = {
            "float": 0.0,
            "quantised": r.quantise_at,
            "adversarial": r.adversarial_at,
            "search": r.search_at,
            "spectrum": r.spectrum_at,
        }
        # 1 stands for never: the end of the run is no stage.
        return [name for name, at in begins.items() if done >= at and at < 1][-1]

    def _rate(self, done: float) -> float:
        """Warm-up and cosine: once for encoder and generator, once for the spectrum network."""
        r = self.recipe
        last = done >= r.spectrum_at
        part = (done - r.spectrum_at) / (1 - r.spectrum_at) if last else done / min(1.0, r.spectrum_at)
        warm = min(1.0, ((self.stage_steps if last else self.step) + 1) / r.warmup)
        cosine = 0.5 * (1 + math.cos(math.pi * part))
        return r.learning_rate * warm * (r.final_rate + (1 - r.final_rate) * cosine)

    def _power(self, step: int) -> Tensor:
        """STFT power of one step's crops (batch, bins, frames)."""
        audio = data.batch(self.corpus, self.members, self.model.config.mel, self.recipe, self.seed, step)
        return self.model.mel.power(torch.from_numpy(audio).to(self.device))

    def _mel(self, step: int) -> Tensor:
        """Log-mels of one step's crops (batch, bands, frames)."""
        mel = self.model.mel
        return mel.compress(mel.filters @ self._power(step))

    def _crops(self, step: int) -> Tensor:
        """Target mels of one step (batch, bands, frames), with a random spectral tilt and equaliser."""
        model, r = self.model, self.recipe
        mel = self._mel(step)
        lowest = float(model.mel.compress(torch.zeros(())))
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

    def _one_step(self, done: float) -> dict[str, Tensor]:
        self.model.train()
        if done >= self.recipe.quantise_at and not self.fitted:
            self._fit_levels()
        if (stage := self._stage(done)) != self.stage:
            self._enter(stage)
        step = self._spectrum_step if stage == "spectrum" else self._codec_step
        losses = step(done)
        self._average()
        return losses

    def _enter(self, stage: str) -> None:
        """What a stage must not take over from the one before: a finished run may be gone on with."""
        self.stage = stage
        self.searched.clear()
        if stage == "spectrum":
            self.stage_steps = 0
            self.model.load_state_dict(self.averaged.state_dict())

    def _codec_step(self, done: float) -> dict[str, Tensor]:
        """One step of encoder and generator, or of the generator on what the search sends."""
        r, model = self.recipe, self.model
        commitment = torch.zeros((), device=self.device)
        if done >= r.search_at:
            step, values = self._found(self._crops, self.step)
            mel = self._crops(step)
        else:
            mel = self._crops(self.step)
            values, commitment = self._values(mel, done >= r.quantise_at)
        with autocast(self.device):
            generated = model.generator(values)
        generated = generated.float()
        losses = self._distortion(generated, mel)
        loss = self._objective(losses) + r.w_commitment * commitment
        if done >= r.adversarial_at:
            loss = loss + self.adversary.loss(mel, generated, r.w_adversarial, r.w_feature, losses)
        parameters = [*model.encoder.parameters(), *model.generator.parameters()]
        self._update(self.optimiser, loss, self._rate(done), parameters)
        return losses

    def _values(self, mel: Tensor, quantised: bool) -> tuple[Tensor, Tensor]:
        """What the generator gets of the encoder's z, and the commitment loss."""
        r, model = self.recipe, self.model
        with autocast(self.device):
            z = model.encoder(mel)
        z = z.float()
        if not quantised:
            rng = np.random.default_rng([self.seed, self.step, 2])
            noise = torch.from_numpy(rng.uniform(-1, 1, z.shape).astype(np.float32)).to(self.device)
            values = z + noise * r.latent_noise * z.detach().std(dim=(0, 2), keepdim=True)
            return values * self._sent(), z.new_zeros(())
        values, _ = model.quantizer(z)
        commitment = ((z - values.detach()) / model.quantizer.spread()).square().mean()
        model.quantizer.adapt(z, 0.02)
        return values * self._sent(), commitment

    def _found(self, target: Callable[[int], Tensor], use: int) -> tuple[int, Tensor]:
        """A step of the past and the values that the search sends for its `target`: the receiver's real diet.

        `use` counts the calls. Every few of them a new batch is searched by the averaged model; a pool of the
        latest is drawn from.
        """
        r, model = self.recipe, self.averaged
        if not self.searched:
            codes = model.quantizer.encode(self._latents(model, 24, salt=1 << 41))
            model.marginals.copy_(fitting.fit_marginals(list(codes.cpu()), model.config.latent.levels))
            self.model.marginals.copy_(model.marginals)
        if use % r.search_reuse == 0 or not self.searched:
            config = SearchConfig(iterations=r.search_steps, rate_weight=r.search_price)
            rates = HuffmanRates(model.marginals.cpu().numpy(), self.device)
            found = search(model, target(self.step), config, channels=self._commonest(), rate=rates)
            self.searched[self.step] = found.symbols.to(torch.uint8)
            while len(self.searched) > _POOL:
                del self.searched[min(self.searched)]
        steps = sorted(self.searched)
        step = steps[int(np.random.default_rng([self.seed, self.step, 6]).integers(len(steps)))]
        return step, self.model.quantizer.decode(self.searched[step].long())

    def _spectrum_step(self, done: float) -> dict[str, Tensor]:
        """One step of the spectrum network, after encoder and generator as they are."""
        r, model = self.recipe, self.model
        spectrum, adversary, optimiser = self._spectrum_parts()
        # They stay as they are, moving averages of their activations included.
        model.encoder.eval()
        model.generator.eval()
        with torch.no_grad():
            # What is searched is of one layer; the encoder's symbols keep the others alive.
            step, values = self.step, None
            if r.search_at < 1 and self.stage_steps % 2:
                step, values = self._found(self._mel, self.stage_steps // 2)
            power = self._power(step)
            mel, target = model.mel.compress(model.mel.filters @ power), torch.log(power + FLOOR)
            if values is None:
                with autocast(self.device):
                    z = model.encoder(mel)
                values = model.quantizer.decode(model.quantizer.encode(z.float())) * self._sent()
            with autocast(self.device):
                generated = model.generator(values)
            generated = generated.float()
        with autocast(self.device):
            out = spectrum.log_power(generated, start=self.step * r.frames)
        out = out.float()
        heard = model.mel.compress(model.mel.filters @ (out.exp() - FLOOR).clamp_min(0.0))
        losses = self._distortion(heard, mel)
        loss = self._objective(losses) + r.w_spectrum * (out - target).abs().mean()
        loss = loss + adversary.loss(
            _scaled(target), _scaled(out), r.w_spectrum_adversarial, r.w_spectrum_feature, losses
        )
        self._update(optimiser, loss, self._rate(done), list(spectrum.parameters()))
        self.stage_steps += 1
        return losses

    def _spectrum_parts(self) -> tuple[SpectrumNetwork, Adversary, torch.optim.AdamW]:
        network, adversary, optimiser = self.model.spectrum, self.spectrum_adversary, self.spectrum_optimiser
        if network is None or adversary is None or optimiser is None:
            raise CodecError("The model has no spectrum network to train: set spectrum.blocks.")
        return network, adversary, optimiser

    def _objective(self, losses: dict[str, Tensor]) -> Tensor:
        r = self.recipe
        return r.w_l1 * losses["l1"] + r.w_mse * losses["mse"] + r.w_gradient * losses["gradient"]

    def _distortion(self, generated: Tensor, mel: Tensor) -> dict[str, Tensor]:
        """Parts of J (`objective.frame_distortion`): means of values, weighted by how they are heard."""
        hearing = self.model.hearing
        here = torch.ones_like(mel) if hearing.plain else hearing(mel)
        up, on = difference_weights(here)
        error = generated - mel
        return {
            "l1": (here * error.abs()).mean(),
            "mse": (here * error.square()).mean(),
            "gradient": (up * error.diff(dim=1).abs()).mean() + (on * error.diff(dim=2).abs()).mean(),
        }

    def _sent(self) -> Tensor:
        """Which channels each crop of this step sends: 1 or 0, (batch, channels, 1)."""
        latent = self.model.config.latent
        if not latent.layers:
            return torch.ones(1, 1, 1, device=self.device)
        shares = np.array(self.recipe.layer_shares or [1] * len(latent.layers), dtype=np.float64)
        rng = np.random.default_rng([self.seed, self.step, 3])
        counts = torch.from_numpy(rng.choice(latent.layers, self.recipe.batch, p=shares / shares.sum()))
        sent = torch.arange(latent.channels) < counts[:, None]
        return sent[..., None].float().to(self.device)

    def _update(
        self, optimiser: torch.optim.Optimizer, loss: Tensor, rate: float, parameters: list[nn.Parameter]
    ) -> None:
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, self.recipe.clip)
        optimiser.step()

    @torch.no_grad()
    def _average(self) -> None:
        # Early in the run, or of a new network, a long memory would only remember the random start.
        steps = self.stage_steps if self.stage == "spectrum" else self.step
        decay = min(self.recipe.ema, (1 + steps) / (10 + steps))
        for mine, theirs in zip(
            self.averaged.state_dict().values(), self.model.state_dict().values(), strict=True
        ):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)

    @torch.no_grad()
    def _latents(self, model: BPGANModel, batches: int, salt: int) -> Tensor:
        """Encoder outputs for random training crops, (batches * batch, channels, frames)."""
        with autocast(self.device):
            return torch.cat([model.encoder(self._crops(salt + i)).float() for i in range(batches)])

    def _fit_levels(self) -> None:
        self.model.eval()
        z = self._latents(self.model, 24, salt=1 << 40)
        self.model.quantizer.fit(z.transpose(0, 1).flatten(1))
        self.averaged.quantizer.centres.copy_(self.model.quantizer.centres)
        self.model.train()
        self.fitted = True

    def _commonest(self) -> int:
        """The number of channels that most crops send."""
        latent = self.model.config.latent
        layers = latent.layers or (latent.channels,)
        return layers[int(np.argmax(self.recipe.layer_shares or [1] * len(layers)))]


def _scaled(log_power: Tensor) -> Tensor:
    """About N(0, 1), for the discriminators."""
    return (log_power + 2.0) / 4.0


@torch.no_grad()
def _take(mine: nn.Module, theirs: nn.Module) -> None:
    """Copy the layers of a network into one that has as many of them, or more blocks in a stage."""
    layers = list(mine.get_submodule("layers").children())
    waiting = list(theirs.get_submodule("layers").children())
    for layer in layers:
        if isinstance(layer, ConvNeXt) and not (waiting and isinstance(waiting[0], ConvNeXt)):
            nn.init.zeros_(layer.down.weight)
            nn.init.zeros_(layer.down.bias)
            continue
        other = waiting.pop(0) if waiting else None
        if type(other) is not type(layer):
            raise CodecError("The weights to start from are of another kind of network, or of a deeper one.")
        for (name, target), source in zip(layer.named_parameters(), other.parameters(), strict=True):
            # Only the ends of the networks face the latent: there it may have more channels.
            end = layer in (layers[0], layers[-1])
            fits = [min(a, b) for a, b in zip(target.shape, source.shape, strict=True)]
            if list(source.shape) != (fits if end else list(target.shape)):
                raise CodecError(f"The weights to start from do not fit: {name} is {tuple(source.shape)}.")
            if layer is layers[0]:
                target.zero_()
            target[tuple(slice(n) for n in fits)] = source
