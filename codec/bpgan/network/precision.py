"""Mixed precision of training."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """bf16 where the hardware has it: twice the speed on such CPUs, no loss scaling needed."""
    if device.type == "cuda" or torch.backends.mkldnn.is_available():
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
