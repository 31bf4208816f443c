"""The models of this installation, and how a bitstream of any age finds the one that wrote it.

A bitstream names its model by the first two bytes of the SHA-256 of the model file. Whatever was released
stays readable for ever, which rests on three rules:

- the weights of every release stay in ``codec/bpgan/weights``, listed in `RELEASED`. Of one that differs from
  another in some parts, only these are kept; one that differs in its receiver's settings alone is that other
  with these settings, and has no file;
- the first release calls its only probability table ``frequencies``, later ones have ``contexts.*``
  (`BPGANModel.load`);
- streams of version 1 carry no layer: all channels of the model were sent (`bitstream.unpack`).

``tests/codec/bpgan/golden`` has a stream for each of them.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from codec.base import CodecError, CodecUnavailable, gettext_noop
from codec.bpgan.config import change_receiver
from codec.bpgan.network.model import BPGANModel, model_id
from codec.bpgan.network.precision import choose_device

WEIGHTS = Path(str(files("codec.bpgan") / "weights"))


@dataclass(frozen=True)
class Release:
    """A released model.

    Attributes:
        file: name of its weights, or of those of its parts that are not as in `like`; empty if it has none.
        like: number of the release that it resembles; 0: it has a file of all its weights.
        settings: those of its receiver that differ from `like`, as `change_receiver` takes them.
    """

    file: str = ""
    like: int = 0
    settings: tuple[str, ...] = ()


#: The released models by their number in bitstreams. A release adds a line and removes none.
RELEASED = {
    0x7AB8: Release("2026-11-22"),
    0x9E35: Release("2026-11-22b"),
    0x13CC: Release("2026-11-23"),
    0xBFC0: Release(like=0x13CC, settings=("postfilter.top=7000.0",)),
    0xFFEF: Release("2026-11-30b", like=0x13CC),
    # Its streams were searched without the similarity of levels, at other prices of a bit.
    0x545A: Release(
        like=0x6CB7, settings=("postfilter.bands=0.25", "postfilter.kept=0.0", "spectrum.strength=0.7")
    ),
    0x6CB7: Release("default"),
}


@cache
def load_model(name: str = "default") -> BPGANModel:
    """Load a model of this installation by name, ready for inference.

    Raises:
        CodecUnavailable: there is no such model.
    """
    path = WEIGHTS / f"{name}.safetensors"
    if not path.is_file():
        raise CodecUnavailable(
            gettext_noop("The model %(name)s is not in this installation (codec/bpgan/weights)."),
            name=path.name,
        )
    return read_model(path)


def read_model(path: Path) -> BPGANModel:
    """Read any model file, ready for inference. Raises `CodecError` if it is missing or damaged."""
    return BPGANModel.load(path).to(choose_device())


def find_model(wanted: int) -> BPGANModel:
    """Load the model that a bitstream names. Raises `CodecError` if this installation lacks it."""
    release = RELEASED.get(wanted)
    if release and release.like:
        return _derive_model(wanted)
    name = release.file if release else _find_own_models().get(wanted)
    if name and (WEIGHTS / f"{name}.safetensors").is_file() and load_model(name).model_id == wanted:
        return load_model(name)
    raise CodecError(
        gettext_noop(
            "The bitstream was written by model %(wanted)04x, which this installation does not have."
        ),
        wanted=wanted,
    )


@cache
def _derive_model(wanted: int) -> BPGANModel:
    """A released model that has weights of another. Raises `CodecError` if they are missing."""
    release = RELEASED[wanted]
    like = find_model(release.like)
    if release.file:
        model = BPGANModel.load(WEIGHTS / f"{release.file}.safetensors", like).to(choose_device())
    else:
        model = copy(like)
        model.config = change_receiver(model.config, release.settings)
    model.model_id = wanted
    return model


@cache
def _find_own_models() -> dict[int, str]:
    """Models that were trained here and put beside the released ones, by their number."""
    return {model_id(path): path.stem for path in sorted(WEIGHTS.glob("*.safetensors"))}
