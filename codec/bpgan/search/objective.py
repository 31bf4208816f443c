"""What the search minimises: J of the generated log-mel plus the price of the symbols' bits.

J has the terms and weights of training: errors of the log-mel and, in models whose objective counts them, the
disturbance of loudness and the dissimilarity of levels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from codec.bpgan.entropy.base import RateModel
from codec.bpgan.network.blocks import frame_mask
from codec.bpgan.network.frozen import FrozenGenerator
from codec.bpgan.network.generator import Generator1d
from codec.bpgan.network.hearing import LEAST_LOUDNESS, Heard
from codec.bpgan.network.model import BPGANModel


def difference_weights(weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of differences along mel (batch, bands - 1, frames) and along time (batch, bands, frames - 1).

    The weight of a difference is the geometric mean of its ends' `weights` (batch, bands, frames).
    """
    along_mel = (weights[:, 1:] * weights[:, :-1]).sqrt()
    return along_mel, (weights[:, :, 1:] * weights[:, :, :-1]).sqrt()


def frame_distortion(generated: Tensor, mel: Tensor, weights: Tensor | None = None) -> Tensor:
    """The contribution of each frame of log-mels (batch, bands, frames) to J, (batch, frames).

    J is the L1 norm, plus half the MSE, plus half the L1 norm of differences along mel and along time, with
    terms and weights as in training; the differences preserve harmonics. The disturbance is not in it.
    `weights` (batch, bands or 1, frames) say how much each value counts; 0 in the padding.
    """
    error = generated - mel
    level = error.abs() + 0.5 * error.square()
    across, along = (0.5 * error.diff(dim=dim).abs() for dim in (1, 2))
    if weights is None:
        level, across, along = (part.mean(dim=1) / part.shape[2] for part in (level, across, along))
    else:
        here = weights.expand_as(mel)
        up, on = difference_weights(here)
        parts = ((level, here), (across, up), (along, on))
        level, across, along = (
            (part * weight).sum(dim=1) / weight.sum(dim=(1, 2)).clamp_min(1e-6)[:, None]
            for part, weight in parts
        )
    # A difference along time belongs to both of its frames.
    pad = nn.functional.pad
    return level + across + 0.5 * (pad(along, (1, 0)) + pad(along, (0, 1)))


def distortion(generated: Tensor, mel: Tensor, weights: Tensor | None = None) -> Tensor:
    """J of log-mels (batch, bands, frames) -> (batch,): the sum of `frame_distortion`."""
    return frame_distortion(generated, mel, weights).sum(dim=1)


@dataclass(frozen=True)
class _Target:
    """The target as it is heard, from which generated log-mels differ.

    Attributes:
        model: whose mel bands they are.
        heard: loudness and intensity of the target.
        counted: 1 in frames that count, 0 in the padding, (batch, frames).
        loudness: of each frame, (batch, frames).
        share: what a difference in each frame is multiplied by, (batch, frames): 1 over the sum of all
            frames' loudness; 0 in the padding.
        levels: of the target, (batch, filters, frames), if the model counts their similarity.
    """

    model: BPGANModel
    heard: Heard
    counted: Tensor
    loudness: Tensor
    share: Tensor
    levels: Tensor | None

    @classmethod
    def hear(cls, model: BPGANModel, mel: Tensor, mask: Tensor | None) -> _Target:
        power = model.mel.expand(mel)
        heard = model.disturbance.hear(power)
        counted = mel.new_ones(len(mel), mel.shape[2]) if mask is None else mask[:, 0]
        loudness = model.disturbance.total_loudness(heard)
        whole = (counted * loudness).sum(dim=1, keepdim=True)
        least = LEAST_LOUDNESS * counted.sum(dim=1, keepdim=True)
        levels = model.similarity.hear(power, counted) if model.config.objective.similarity else None
        return cls(model, heard, counted, loudness, counted / torch.maximum(whole, least), levels)

    def select(self, rows: Tensor) -> _Target:
        heard = Heard(*(part[rows] for part in self.heard))
        counted, loudness, share = (part[rows] for part in (self.counted, self.loudness, self.share))
        levels = None if self.levels is None else self.levels[rows]
        return _Target(self.model, heard, counted, loudness, share, levels)

    def differ(self, generated: Tensor) -> Tensor:
        """What each frame of log-mels adds to J by how differently it is heard, (batch, frames)."""
        model, objective = self.model, self.model.config.objective
        power = model.mel.expand(generated)
        disturbed = model.disturbance.frames(self.heard, model.disturbance.hear(power))
        differences = objective.disturbance * disturbed
        if self.levels is not None:
            levels = model.similarity.hear(power, self.counted)
            unlike = model.similarity.frames(self.levels, levels, self.counted)
            differences = differences + objective.similarity * self.loudness * unlike
        return self.share * differences


class Problem:
    """One batch to search for: model, target, which symbols are free, and what they cost.

    Attributes:
        mel: target log-mels (batch, bands, frames * stride).
        channels: the number of the latent's channels that are sent.
        lengths: latent frames of each file (batch,), or None if the batch has no padding.
        free: 1 where symbols may be chosen, 0 in the padding and in a fixed left context, float
            (batch, 1, frames).
        unit: the spread of each channel's levels, (1, channels, 1); the search works in these units.
        levels: levels in these units, (1, channels, 1, levels).
    """

    def __init__(
        self,
        model: BPGANModel,
        mel: Tensor,
        channels: int | None = None,
        rate: RateModel | None = None,
        rate_weight: float = 0.0,
        lengths: Tensor | None = None,
        context: Tensor | None = None,
        reach: int = 16,
        exact: bool = False,
    ) -> None:
        latent = model.config.latent
        self.model, self.mel = model, mel
        self.channels = channels or latent.channels
        self.rate = rate or model.build_rates()
        self.rate_weight = rate_weight
        self.context = context
        batch, frames = mel.shape[0], mel.shape[2] // latent.stride
        if lengths is not None and bool((lengths == frames).all()):
            lengths = None
        self.lengths = lengths
        ends = mel.new_full((batch,), frames, dtype=torch.int64) if lengths is None else lengths
        fixed = 0 if context is None else context.shape[2]
        self.free = frame_mask(ends, frames)
        self.free[:, :, :fixed] = 0.0
        self.size = self.free.sum(dim=(1, 2)) * self.channels
        #: Weights of errors, or None if all count alike. The padding and context out of reach have 0.
        self.weights: Tensor | None = None
        if lengths is not None or fixed:
            self.weights = frame_mask(ends * latent.stride, frames * latent.stride)
            self.weights[:, :, : max(0, fixed - reach) * latent.stride] = 0.0
        #: The same without the audibility of each value.
        self.mask = self.weights
        if not model.hearing.plain:
            heard = model.hearing(mel)
            self.weights = heard if self.weights is None else heard * self.weights
        self.target: _Target | None = None
        if model.config.objective.disturbance or model.config.objective.similarity:
            self.target = _Target.hear(model, mel, self.mask)
        self.frozen: FrozenGenerator | None = None
        if isinstance(model.generator, Generator1d):
            self.frozen = FrozenGenerator(model.generator, self.channels, exact)
        quantizer = model.quantizer
        self.unit = quantizer.spread()[None, : self.channels].clamp_min(1e-6)
        self.levels = (quantizer.per_channel()[: self.channels] / self.unit[0])[None, :, None, :]

    def select(self, rows: Tensor) -> Problem:
        """The same problem for some files of the batch, given by their indices `rows`."""
        part = object.__new__(Problem)
        part.__dict__.update(self.__dict__)
        for name in ("mel", "lengths", "free", "size", "weights", "mask", "context"):
            value = getattr(self, name)
            setattr(part, name, None if value is None else value[rows])
        part.target = None if self.target is None else self.target.select(rows)
        return part

    def encode(self) -> Tensor:
        """The encoder's z, (batch, channels, frames), with the values of a fixed context in its place."""
        z: Tensor = self.model.encoder(self.mel, self.lengths)[:, : self.channels]
        return self.pin(z)

    def pin(self, z: Tensor) -> Tensor:
        """z, with the values of the fixed context in its place."""
        if self.context is None:
            return z
        fixed = self.model.quantizer.decode(self.context)
        return torch.cat([fixed, z[:, :, fixed.shape[2] :]], dim=2)

    def generate(self, z: Tensor) -> Tensor:
        """Log-mels of z, as the receiver would make them."""
        if self.frozen is not None and not z.requires_grad:
            return self.frozen.forward(z, self.lengths)[0]
        generated: Tensor = self.model.generator(z, self.lengths)
        return generated

    def quantise(self, x: Tensor) -> Tensor:
        """Nearest levels of x (in units of each channel's spread), int64 symbols; a fixed context stays."""
        symbols = self.model.quantizer.encode(x * self.unit)
        if self.context is not None:
            symbols[:, :, : self.context.shape[2]] = self.context
        return symbols

    def project(self, x: Tensor, symbols: Tensor, curvature: Tensor | None) -> Tensor:
        """Entropy-constrained projection onto levels that are near x and cheap in the context of `symbols`.

        `curvature` (batch, 1, 1) is the cost of half a squared distance, in units of J.
        """
        if not self.rate_weight or curvature is None:
            return self.quantise(x)
        cost = (x[..., None] - self.levels).square_().mul_(0.5 * curvature[..., None])
        chosen = cost.add_(self.alternatives(symbols)).argmin(dim=-1)
        return torch.where(self.free.bool(), chosen, symbols)

    def values(self, symbols: Tensor) -> Tensor:
        """Values of symbols, in units of each channel's spread."""
        return self.model.quantizer.decode(symbols) / self.unit

    def frame_distortion(self, generated: Tensor) -> Tensor:
        """What each frame of log-mels (batch, bands, frames) adds to J, (batch, frames)."""
        frames = frame_distortion(generated, self.mel, self.weights)
        if self.target is not None:
            frames = frames + self.target.differ(generated)
        return frames

    def distortion(self, generated: Tensor) -> Tensor:
        return self.frame_distortion(generated).sum(dim=1)

    def bits(self, symbols: Tensor) -> Tensor:
        """Mean bits of the free symbols of each file, (batch,)."""
        bits = self.rate.bits(symbols, self.lengths)
        return (bits * self.free).sum(dim=(1, 2)) / self.size

    def alternatives(self, symbols: Tensor) -> Tensor:
        """The change in the objective's rate term alone, (batch, channels, frames, levels)."""
        change = self.rate.alternatives(symbols, self.lengths)
        return change * (self.rate_weight / self.size[:, None, None, None])

    @torch.no_grad()
    def score(self, symbols: Tensor) -> Tensor:
        """J + weighted rate of symbols, (batch,), in float32 as at the decoder."""
        generated = self.generate(self.model.quantizer.decode(symbols))
        return self.distortion(generated) + self.price(symbols)

    @torch.no_grad()
    def received_score(self, symbols: Tensor) -> Tensor:
        """`score` of what the receiver's refiner makes of the generator's answer, (batch,)."""
        values = self.model.quantizer.decode(symbols)
        refined = self.model.refine(self.generate(values), values, self.lengths)
        return self.distortion(refined) + self.price(symbols)

    @torch.no_grad()
    def frame_scores(self, symbols: Tensor) -> Tensor:
        """What each latent frame adds to the objective, (batch, frames), by its mel frames and its bits."""
        generated = self.generate(self.model.quantizer.decode(symbols))
        frames = self.frame_distortion(generated)
        scores = frames.reshape(len(frames), symbols.shape[2], -1).sum(dim=2)
        if self.rate_weight:
            bits = (self.rate.bits(symbols, self.lengths) * self.free).sum(dim=1)
            scores = scores + self.rate_weight / self.size[:, None] * bits
        return scores

    def price(self, symbols: Tensor) -> Tensor:
        """The rate term of the objective, (batch,)."""
        return self.rate_weight * self.bits(symbols) if self.rate_weight else self.size * 0.0

    def gradient(self, x: Tensor, exact: bool = False) -> tuple[Tensor, Tensor]:
        """J of x (in units of each channel's spread) and its gradient, 0 where nothing is free.

        J can be compared with scores only if it is `exact`.
        """
        if self.frozen is None:
            leaf = x.detach().requires_grad_(True)
            with torch.enable_grad():
                objective = self.distortion(self.generate(leaf * self.unit))
                (gradient,) = torch.autograd.grad(objective.sum(), leaf)
            return objective.detach(), gradient * self.free
        with torch.no_grad():
            generated, saved = self.frozen.forward(x * self.unit, self.lengths, exact)
        leaf = generated.detach().requires_grad_(True)
        with torch.enable_grad():
            objective = self.distortion(leaf)
            (outer,) = torch.autograd.grad(objective.sum(), leaf)
        with torch.no_grad():
            gradient = self.frozen.gradient(outer, saved, self.lengths) * self.unit * self.free
        return objective.detach(), gradient

    def mse_gradient(self, z: Tensor) -> Tensor:
        """Gradient of the plain MSE at z (in its own units), as in the 2020 code."""
        leaf = z.detach().requires_grad_(True)
        with torch.enable_grad():
            error = (self.generate(leaf) - self.mel).square()
            mask = torch.ones_like(error[:, :1]) if self.mask is None else self.mask
            mse = (error * mask).sum(dim=(1, 2)) / (mask.sum(dim=(1, 2)) * error.shape[1])
            (gradient,) = torch.autograd.grad(mse.sum(), leaf)
        return gradient

    def curvature(self, x: Tensor, distance: float = 0.1) -> Tensor:
        """Mean second derivative of J by a value of x, (batch, 1, 1): Hutchinson's estimate, one probe."""
        generator = torch.Generator().manual_seed(1)
        # Frames first, so that a file draws the same numbers whatever its padding.
        signs = torch.randint(0, 2, (x.shape[2], x.shape[1]), generator=generator).T.to(x) * 2 - 1
        _, above = self.gradient(x + distance * signs)
        _, below = self.gradient(x - distance * signs)
        slope = ((above - below) * signs).sum(dim=(1, 2), keepdim=True) / (2 * distance)
        size = self.size[:, None, None]
        # J is convex in the mel, but not in z. Where the estimate fails, any small positive value will do.
        return (slope / size).clamp_min(0.1 / size)
