"""The ceilings: every row is measured, and what is exact is better than what is generated."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from codec.__main__ import main
from codec.bpgan.config import SpectrumConfig
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.reports.ceilings import SEARCHED, STRENGTHS
from tests.codec.bpgan.training.test_calibrate import small_model
from tests.codec.speech import harvard_sentence


def test_the_table_follows_the_chain(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", harvard_sentence(0)[:24_000], 16_000)
    small = small_model()
    model = BPGANModel(replace(small.config, spectrum=SpectrumConfig(width=8, blocks=1, noise=4)))
    model.load_state_dict(small.state_dict(), strict=False)
    model.contexts = small.contexts
    model.save(tmp_path / "model.safetensors")
    out = tmp_path / "report"
    command = ["ceilings", str(tmp_path), "--model", str(tmp_path / "model.safetensors")]
    assert main([*command, "--out", str(out), "--threads", "1"]) == 0
    with (out / "ceilings.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    searched = [r for r in rows if r["receiver's input"] == SEARCHED]
    assert [float(r["network"]) for r in searched] == [s for s in STRENGTHS for _ in range(2)]
    exact, *others = [r for r in rows if float(r["network"]) == 0]
    assert exact["receiver's input"] == "exact mel"
    assert float(exact["log_mel_db"]) == 0
    assert float(exact["pesq_wb"]) > 3.5
    assert all(float(r["pesq_wb"]) < float(exact["pesq_wb"]) for r in others)
    told = (out / "ceilings.md").read_text().splitlines()
    assert len(told) == 2 + len(rows)
    assert np.isfinite(float(told[2].split("|")[6].split()[0]))
    assert (out / "tradeoff.svg").stat().st_size > 0
    assert (out / "mels.png").stat().st_size > 0
