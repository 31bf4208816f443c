"""The ceilings: every row is measured, and what is exact is better than what is generated."""

from __future__ import annotations

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codec.__main__ import main
from codec.bpgan.config import MelConfig, SpectrumConfig
from codec.bpgan.network.mel import Mel
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.reports import ceilings
from codec.bpgan.reports.bands import measure_bands
from tests.codec.bpgan.training.test_calibrate import small_model
from tests.codec.speech import harvard_sentence


@pytest.mark.rest
def test_the_table_follows_the_chain(tmp_path: Path) -> None:
    # Eight times this is 10 s: one of DNSMOS' windows, and no more.
    soundfile.write(tmp_path / "a.wav", harvard_sentence(0)[:20_000], 16_000)
    small = small_model()
    model = BPGANModel(replace(small.config, spectrum=SpectrumConfig(width=8, blocks=1, noise=4)))
    model.load_state_dict(small.state_dict(), strict=False)
    model.contexts = small.contexts
    model.save(tmp_path / "model.safetensors")
    out = tmp_path / "report"
    command = ["ceilings", str(tmp_path), "--model", str(tmp_path / "model.safetensors")]
    assert main([*command, "--out", str(out), "--threads", "1", "--strengths", "0,0.5"]) == 0
    with (out / "ceilings.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    searched = [r for r in rows if r["receiver's input"] == ceilings.SEARCHED]
    assert [float(r["network"]) for r in searched] == [0.0, 0.0, 0.5, 0.5]
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
    assert (out / "bands.svg").stat().st_size > 0
    table = (out / "bands.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in table[2:]] == [
        "original",
        "plain receiver",
        "the model's receiver",
    ]


def test_noise_varies_as_an_exponential_distribution_does_and_a_tone_not_at_all() -> None:
    mel = Mel(MelConfig())
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(160_000).astype(np.float32)
    tone = np.sin(2 * np.pi * 1000 * np.arange(160_000) / 16_000).astype(np.float32)
    even = (noise.reshape(10, -1) * np.float32([[1], [0]] * 5)).ravel()  # on and off
    steady = measure_bands(mel, [noise], [noise])
    # The power of one bin of noise has an exponential distribution: its logarithm's standard deviation is
    # pi / sqrt(6).
    single = ((mel.filters > 0).sum(dim=1) == 1).numpy()
    assert single.sum() > 5
    assert steady.spread[single].mean() == pytest.approx(10 / np.log(10) * np.pi / np.sqrt(6), rel=0.05)
    at = int(measure_bands(mel, [tone], [tone]).level.argmax())
    assert measure_bands(mel, [tone], [tone]).spread[at] < 0.5
    # Pauses of the reference do not count, whatever is in them.
    assert measure_bands(mel, [even], [even]).spread.mean() == pytest.approx(steady.spread.mean(), rel=0.2)


def test_the_curve_has_five_strengths_unless_others_are_asked_for() -> None:
    parser = argparse.ArgumentParser()
    ceilings.add_arguments(parser)
    required = ["speech", "--out", "report"]
    assert parser.parse_args(required).strengths == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert parser.parse_args([*required, "--strengths", "0.3"]).strengths == (0.3,)
    with pytest.raises(SystemExit):
        parser.parse_args([*required, "--strengths", "0.3,2"])
