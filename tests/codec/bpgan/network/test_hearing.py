"""Weights of errors: Stevens' law and the ERB scale."""

from __future__ import annotations

import pytest
import torch

from codec.bpgan.config import MelConfig, ObjectiveConfig
from codec.bpgan.network.hearing import Hearing, erb_number
from codec.bpgan.network.mel import Mel, band_edges


def test_erb_numbers_are_those_of_glasberg_and_moore() -> None:
    # Their equation 3: a filter at 1 kHz is 132.6 Hz wide; one ERB further on is one number more.
    assert float(erb_number(torch.tensor(1000.0))) == pytest.approx(15.62, abs=0.01)
    width = erb_number(torch.tensor([1000 - 66.3, 1000 + 66.3])).diff()
    assert float(width) == pytest.approx(1.0, abs=0.01)


def test_half_of_what_is_heard_lies_below_1_khz() -> None:
    mel = Mel(MelConfig())
    hearing = Hearing(mel, ObjectiveConfig(erb=True))
    weights = hearing(torch.zeros(1, 128, 4))[0, :, 0]
    low = torch.from_numpy(band_edges(16_000, 128)[1:-1]) < 1000
    assert float(weights.mean()) == pytest.approx(1.0)
    assert float(weights[low].sum() / weights.sum()) == pytest.approx(0.47, abs=0.01)


def test_ten_times_the_power_counts_by_stevens_law() -> None:
    mel = Mel(MelConfig(floor=1e-9))
    hearing = Hearing(mel, ObjectiveConfig(loudness=0.23))
    log_mel = mel.compress(torch.tensor([1.0, 10.0]).expand(1, 128, 2))
    weights = hearing(log_mel)
    torch.testing.assert_close(weights[..., 1] / weights[..., 0], torch.full((1, 128), 10**0.23))


def test_without_settings_all_count_alike() -> None:
    hearing = Hearing(Mel(MelConfig()), ObjectiveConfig())
    assert hearing.plain
    assert torch.equal(hearing(torch.randn(2, 128, 3)), torch.ones(2, 128, 3))
