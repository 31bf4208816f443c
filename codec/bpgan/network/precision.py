"""Where the networks run, and with what precision."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def choose_device() -> torch.device:
    """Where the networks run: ``EARSHOT_DEVICE``, else a GPU if there is one, in full float32.

    TF32, which GPUs use for convolutions unless told otherwise, yields a different mel-spectrogram from the
    same symbols. Once amplified by Griffin-Lim, the difference from a CPU's output is measurable.
    """
    chosen = torch.device(
        os.environ.get("EARSHOT_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    )
    if chosen.type == "cuda":
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return chosen


def has_onednn() -> bool:
    """Whether this build of PyTorch contains oneDNN, which computes in bfloat16 on CPUs."""
    return bool(torch.backends.mkldnn.is_available())


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Mixed precision for training: bfloat16 where available, twice as fast and without loss scaling."""
    if device.type == "cuda" or has_onednn():
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
