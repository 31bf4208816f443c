"""A run that begins with the weights of an older model, whose networks may be smaller."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

import torch
from torch import Tensor, nn

from codec.base import CodecError
from codec.bpgan.network.blocks import ConvNeXt
from codec.bpgan.network.model import BPGANModel


def inherit_weights(model: BPGANModel, other: BPGANModel, trained: Collection[str] = ()) -> bool:
    """Copy `other`'s weights into `model`; where `model` is larger, it begins as `other` does.

    Latent channels that `other` lacks start unheard by the generator, blocks appended to a stage of the
    network start as identities, and at twice the width every unit is there twice. So does a network of the
    receiver (`refiner`, `spectrum`) that is going to be `trained` and has more blocks than `other`'s, or is
    shown the symbols, too. One that `other` lacks starts untrained, as does one of another width among the
    `trained`.

    Returns:
        whether the quantiser's levels were copied, too, as they are for equal latents.

    Raises:
        CodecError: encoder or generator differ in more than channels of the latent, numbers of blocks and
            twice the width, or a network of the receiver is of another size and not among the `trained`.
    """
    _copy_layers(model.encoder, other.encoder)
    _copy_layers(model.generator, other.generator)
    fitted = model.config.latent == other.config.latent
    if fitted:
        model.quantizer.load_state_dict(other.quantizer.state_dict())
    for name in ("refiner", "spectrum"):
        mine, theirs = getattr(model, name), getattr(other, name)
        if mine is None or theirs is None:
            continue
        now, then = asdict(getattr(model.config, name)), asdict(getattr(other.config, name))
        unlike = {key for key in now if now[key] != then[key]} - {"strength"}
        if not unlike:
            mine.load_state_dict(theirs.state_dict())
        elif name not in trained:
            raise CodecError(
                f"The weights to start from have a {name} network of another size, and this run trains none."
            )
        elif unlike <= {"blocks", "latent"} and all(now[key] > then[key] for key in unlike):
            _copy_layers(mine, theirs)
    return fitted


@torch.no_grad()
def _copy_layers(target: nn.Module, source: nn.Module) -> None:
    """Copy the layers of a network into one with as many, more blocks in a stage, or twice the width."""
    layers = list(target.get_submodule("layers").children())
    waiting = list(source.get_submodule("layers").children())
    for layer in layers:
        if isinstance(layer, ConvNeXt) and not (waiting and isinstance(waiting[0], ConvNeXt)):
            nn.init.zeros_(layer.down.weight)
            nn.init.zeros_(layer.down.bias)
            continue
        other = waiting.pop(0) if waiting else None
        if other is None or type(other) is not type(layer):
            raise CodecError("The weights to start from are of another kind of network, or of a deeper one.")
        first, last = layer is layers[0], layer is layers[-1]
        for (name, mine), theirs in zip(layer.named_parameters(), other.parameters(), strict=True):
            # Only the first and the last layer face the latent, which may have more channels here.
            fitting = _widen(layer, name, theirs, mine.shape, first=first, last=last)
            shared = [min(a, b) for a, b in zip(mine.shape, fitting.shape, strict=True)]
            if list(fitting.shape) != (shared if first or last else list(mine.shape)):
                raise CodecError(f"The weights to start from do not fit: {name} is {tuple(theirs.shape)}.")
            if first:
                mine.zero_()
            mine[tuple(slice(n) for n in shared)] = fitting


def _widen(
    layer: nn.Module, name: str, weights: Tensor, wanted: torch.Size, *, first: bool, last: bool
) -> Tensor:
    """The weights of a layer for twice the width, with which it computes the same.

    Every unit is there twice (Chen, Goodfellow & Shlens, "Net2Net", ICLR 2016). What reads the two takes a
    random share of its old weight from each, so that the two learn different things.
    """
    outputs, inputs = (1, 0) if isinstance(layer, nn.ConvTranspose1d) else (0, 1)
    if weights.dim() == 1:
        outputs = 0
    if not last and wanted[outputs] == 2 * weights.shape[outputs]:
        weights = torch.cat([weights, weights], dim=outputs)
    # A depthwise convolution reads one unit alone.
    reads = weights.dim() > 1 and not name.startswith("depthwise")
    if reads and not first and wanted[inputs] == 2 * weights.shape[inputs]:
        share = torch.empty_like(weights).uniform_(0.1, 0.9)
        weights = torch.cat([share * weights, (1 - share) * weights], dim=inputs)
    return weights
