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


def has_bfloat16(device: torch.device) -> bool:
    """Whether matrix products in bfloat16 are faster than in float32 there.

    On a CPU they need oneDNN and instructions for them (AVX512-BF16, AMX, or Arm's BF16). Without these they
    are emulated: on an AVX2 processor a block of the network took ten times as long as in float32.
    """
    if device.type == "cuda":
        return True
    if not torch.backends.mkldnn.is_available():  # a build of PyTorch without oneDNN lacks its operators, too
        return False
    # oneDNN accepts AVX-512 without BF16, where it emulates.
    emulated = torch.backends.cpu.get_cpu_capability().startswith("AVX512") and not (
        torch.cpu._is_avx512_bf16_supported()
    )
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and not emulated


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Mixed precision for training: bfloat16 where it is faster; it needs no loss scaling."""
    return torch.autocast(device.type, torch.bfloat16) if has_bfloat16(device) else nullcontext()
