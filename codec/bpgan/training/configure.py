"""``python -m codec configure``: a model with other settings of its receiver.

The strengths of postfilter and spectrum network are chosen after training. They change neither the symbols
that are sent nor the networks, so the model keeps its calibration.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from codec.bpgan.config import RECEIVER_SETTINGS, change_receiver
from codec.bpgan.network.model import BPGANModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``python -m codec configure``."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model to start with (.safetensors)")
    parser.add_argument(
        "--set",
        nargs="+",
        required=True,
        metavar="SECTION.KEY=VALUE",
        help=f"of {', '.join(RECEIVER_SETTINGS)}",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="MODEL", help="model to write")


def run(args: argparse.Namespace) -> int:
    """Run the sub-command. Raises `CodecError` for errors that the user can fix."""
    model = BPGANModel.load(args.model)
    model.config = change_receiver(model.config, args.set)
    model.save(args.out)
    return 0
