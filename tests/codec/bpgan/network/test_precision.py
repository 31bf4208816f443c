"""Where training may use bfloat16: only where the processor itself computes in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from codec.bpgan.network.precision import autocast

CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(not CPUINFO.is_file(), reason="needs Linux, which lists a processor's instructions")
def test_bfloat16_is_not_emulated() -> None:
    instructions = set(CPUINFO.read_text(encoding="ascii").split())
    may = not instructions.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})
    x = torch.ones(2, 2)
    with autocast(torch.device("cpu")):
        product = x @ x
    assert may or product.dtype == torch.float32
