"""The models of this installation, and how a bitstream of any age finds the one that wrote it.

A bitstream names its model by the first two bytes of the SHA-256 of the model file. Whatever was released
stays readable for ever, which rests on three rules:

- the weights of every release stay in ``codec/bpgan/weights``, listed in `RELEASED`;
- the first release calls its only probability table ``frequencies``, later ones have ``contexts.*``
  (`BPGANModel.load`);
- streams of version 1 carry no layer: all channels of the model were sent (`bitstream.unpack`).

``tests/codec/bpgan/golden`` has a stream for each of them.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from codec.base import CodecError, CodecUnavailable, gettext_noop
from codec.bpgan.network.model import BPGANModel, model_id
from codec.bpgan.network.precision import choose_device

WEIGHTS = Path(str(files("codec.bpgan") / "weights"))

#: Files of the released models by their number in bitstreams. A release adds a line and removes none.
RELEASED = {
    0x7AB8: "2026-11-22",
    0x9E35: "2026-11-22b",
    0x13CC: "2026-11-23",
    0xBFC0: "2026-11-30",
    0xFFEF: "default",
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
    name = RELEASED.get(wanted) or _find_own_models().get(wanted)
    if name and (WEIGHTS / f"{name}.safetensors").is_file() and load_model(name).model_id == wanted:
        return load_model(name)
    raise CodecError(
        gettext_noop(
            "The bitstream was written by model %(wanted)04x, which this installation does not have."
        ),
        wanted=wanted,
    )


@cache
def _find_own_models() -> dict[int, str]:
    """Models that were trained here and put beside the released ones, by their number."""
    return {model_id(path): path.stem for path in sorted(WEIGHTS.glob("*.safetensors"))}
