"""A run that begins with the weights of an older model, whose networks may be smaller."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

import torch
from torch import nn

from codec.base import CodecError
from codec.bpgan.network.blocks import ConvNeXt
from codec.bpgan.network.model import BPGANModel


def inherit_weights(model: BPGANModel, other: BPGANModel, trained: Collection[str] = ()) -> bool:
    """Copy `other`'s weights into `model`; where `model` is larger, it begins as `other` does.

    Latent channels that `other` lacks start unheard by the generator, and blocks appended to a stage of the
    network start as identities. So does a network of the receiver (`refiner`, `spectrum`) that is going to be
    `trained` and has more blocks than `other`'s, or is shown the symbols, too. One that `other` lacks starts
    untrained, as does one of another width among the `trained`.

    Returns:
        whether the quantiser's levels were copied, too, as they are for equal latents.

    Raises:
        CodecError: encoder or generator differ in more than channels of the latent and numbers of blocks, or
            a network of the receiver is of another size and not among the `trained`.
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
    """Copy the layers of a network into one that has as many of them, or more blocks in a stage."""
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
        for (name, mine), theirs in zip(layer.named_parameters(), other.parameters(), strict=True):
            # Only the first and the last layer face the latent, which may have more channels here.
            end = layer in (layers[0], layers[-1])
            shared = [min(a, b) for a, b in zip(mine.shape, theirs.shape, strict=True)]
            if list(theirs.shape) != (shared if end else list(mine.shape)):
                raise CodecError(f"The weights to start from do not fit: {name} is {tuple(theirs.shape)}.")
            if layer is layers[0]:
                mine.zero_()
            mine[tuple(slice(n) for n in shared)] = theirs
