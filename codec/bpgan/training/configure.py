"""``python -m codec configure``: a model with other settings of its receiver.

The strengths of postfilter and spectrum network are chosen after training. They change neither the symbols
that are sent nor the networks, so the model keeps its calibration.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from safetensors import SafetensorError

from codec.base import CodecError
from codec.bpgan.config import ModelConfig, apply_change
from codec.bpgan.network.model import BPGANModel

#: What may be changed in a trained model; all else is what it was trained with.
SETTINGS = ("postfilter.bands", "postfilter.frames", "postfilter.top", "spectrum.strength")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``python -m codec configure``."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model to start with (.safetensors)")
    parser.add_argument(
        "--set",
        nargs="+",
        required=True,
        metavar="SECTION.KEY=VALUE",
        help=f"of {', '.join(SETTINGS)}",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="MODEL", help="model to write")


def run(args: argparse.Namespace) -> int:
    """Run the sub-command. Raises `CodecError` for errors that the user can fix."""
    model = BPGANModel.load(args.model)
    configure(model, args.set)
    try:
        model.save(args.out)
    except (OSError, SafetensorError) as error:
        raise CodecError(f"The model {args.out} cannot be written: {error}") from error
    return 0


def configure(model: BPGANModel, changes: list[str]) -> BPGANModel:
    """Change the receiver's settings of a model, in place.

    Raises:
        CodecError: a setting is not among `SETTINGS`, or its value is no number from 0 on.
    """
    data = model.config.to_dict()
    for change in changes:
        name = change.partition("=")[0].strip()
        if name not in SETTINGS:
            raise CodecError(
                f"A trained model keeps its {name}; what can be changed is {', '.join(SETTINGS)}."
            )
        apply_change(data, change)
    config = ModelConfig.from_dict(data)
    for name in SETTINGS:
        section, _, key = name.partition(".")
        value = getattr(getattr(config, section), key)
        if type(value) not in (int, float) or not 0 <= value < math.inf:
            raise CodecError(f"{name} is a number from 0 on, not {value!r}.")
    model.config = config
    return model
