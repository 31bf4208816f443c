"""Calibration: rates are met from below, and tables come from what is searched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from codec.__main__ import main
from codec.base import CodecError
from codec.bpgan.config import LatentConfig, ModelConfig, NetworkConfig
from codec.bpgan.entropy import fitting
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.search.search import SEARCHES
from codec.bpgan.system import BPGAN
from codec.bpgan.training import data
from codec.bpgan.training.calibrate import TARGETS, Calibration, find_weight
from tests.codec.speech import harvard_sentence

#: A search that is through soon.
QUICK = replace(SEARCHES["realtime"], iterations=2, flip_rounds=1)
NETWORK = NetworkConfig(encoder_width=16, encoder_blocks=(1, 1), generator_width=16, generator_blocks=(1, 1))


def small_model(channels: int = 20, layers: tuple[int, ...] = (16, 20)) -> BPGANModel:
    """An untrained model whose levels fit its encoder."""
    torch.set_num_threads(1)
    torch.manual_seed(3)
    model = BPGANModel(ModelConfig("small", latent=LatentConfig(channels, layers=layers), network=NETWORK))
    model.eval().requires_grad_(False)
    z = model.encoder(model.mel(torch.from_numpy(harvard_sentence(0)[None, : 512 * 60].copy())))
    model.quantizer.fit(z.transpose(0, 1).flatten(1))
    return model


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speech")
    for index in range(4):
        soundfile.write(folder / f"speaker{index}_{index}.wav", harvard_sentence(index)[:16_000], 16_000)
    return folder


@pytest.fixture
def short_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit tables in few steps: seconds of speech through an untrained model have nothing more to teach."""
    fit = fitting.fit
    monkeypatch.setattr(fitting, "fit", lambda *codes, **options: fit(*codes, **{**options, "steps": 100}))


@pytest.mark.parametrize(
    ("measure", "guess"),
    [
        (lambda w: 3 / (1 + 10 * w), 0.001),
        (lambda w: 3 / (1 + 10 * w), 4.0),
        (lambda w: 2.0 + 1.5 * np.exp(-5 * w) - 0.5 * min(w, 1), 0.05),
    ],
)
def test_a_price_is_found_that_meets_the_rate_from_below(
    measure: Callable[[float], float], guess: float
) -> None:
    weight = find_weight(measure, 2.0, 0.01, guess)
    assert 2.0 * 0.99 <= measure(weight) <= 2.0


def test_a_rate_that_is_met_without_a_price_has_none() -> None:
    assert find_weight(lambda w: 1.9 - w, 2.0, 0.01, 0.05) == 0.0


def test_a_rate_that_no_price_meets_is_an_error() -> None:
    with pytest.raises(CodecError, match="No price"):
        find_weight(lambda w: 3.0, 2.0, 0.01, 0.05)


def test_a_calibrated_model_keeps_its_rates_and_serves_its_systems(
    speech: Path, tmp_path: Path, short_fits: None
) -> None:
    model = small_model()
    corpus = data.pack(data.find_utterances([speech]), tmp_path, 16_000)
    calibration = Calibration(model, corpus, QUICK, seed=0)
    calibration.fit(seconds=1.0)
    assert set(model.rates) == {"bpgan-2k", "unified-gan-2k"}  # the layers that this model has
    for target in TARGETS:
        if target.slug in model.rates:
            assert calibration.measured[target.slug]["upper_kbps"] <= target.kbps
            assert model.rates[target.slug].channels == target.channels

    model.save(tmp_path / "calibrated.safetensors")
    loaded = BPGANModel.load(tmp_path / "calibrated.safetensors")
    assert loaded.rates == model.rates
    codec = BPGAN("bpgan-2k", model=loaded, search="instant")
    encoded = codec.encode(harvard_sentence(1)[:8_000])
    assert encoded.parameters["rate_weight"] == model.rates["bpgan-2k"].rate_weight


@pytest.mark.rest
def test_the_command_writes_a_model_with_its_history(
    speech: Path, tmp_path: Path, short_fits: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SEARCHES, "realtime", QUICK)
    model = small_model(layers=())
    model.notes["trained"] = '{"steps": 1}'
    model.save(tmp_path / "trained.safetensors")
    arguments = [
        "calibrate",
        str(tmp_path / "trained.safetensors"),
        "--data",
        str(speech),
        "--minutes",
        "0.02",
    ]
    out = tmp_path / "calibrated.safetensors"
    assert main([*arguments, "--out", str(out), "--cache", str(tmp_path), "--threads", "1"]) == 0
    notes = BPGANModel.load(out).notes
    assert notes["trained"] == '{"steps": 1}'
    assert '"bpgan-2k"' in notes["calibrated"]


def test_a_model_of_foreign_layers_is_refused(speech: Path, tmp_path: Path) -> None:
    corpus = data.pack(data.find_utterances([speech]), tmp_path, 16_000)
    with pytest.raises(CodecError, match="no system"):
        Calibration(small_model(12, ()), corpus, SEARCHES["realtime"], 0)
