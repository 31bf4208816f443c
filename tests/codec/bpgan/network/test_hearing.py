"""Weights of errors: Stevens' law and the ERB scale; and the disturbance of loudness."""

from __future__ import annotations

import pytest
import torch

from codec.bpgan.config import MelConfig, ObjectiveConfig
from codec.bpgan.network.hearing import Disturbance, Hearing, erb_number
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


def power_of_noise(level_db: float, seconds: float = 4.0, seed: int = 0) -> torch.Tensor:
    """Power in mel bands of white noise so many dB above the level to which speech is scaled."""
    generator = torch.Generator().manual_seed(seed)
    samples = torch.randn(1, round(seconds * 16_000) // 512 * 512, generator=generator)
    mel = Mel(MelConfig())
    power: torch.Tensor = mel.filters @ mel.power(samples * MelConfig().level * 10 ** (level_db / 20))
    return power


def test_speech_is_heard_at_79_db_spl() -> None:
    """White noise of that level has 79 - 10 log 8000 = 40 dB per Hz, so 61.2 dB in a filter of 132.6 Hz."""
    disturbance = Disturbance(Mel(MelConfig()))
    heard = 10 * torch.log10(disturbance.hear(power_of_noise(0.0)).intensity.mean(dim=(0, 2)))
    at_1_khz = int((torch.from_numpy(band_edges(16_000, 128)[1:-1]) - 1000).abs().argmin())
    assert float(heard[at_1_khz]) == pytest.approx(61.2, abs=0.5)


def test_loudness_begins_at_the_threshold_and_grows_by_zwickers_law() -> None:
    """By hand: (t / 0.5)^0.23 * ((0.5 + 0.5 x)^0.23 - 1), x times the threshold t."""
    disturbance = Disturbance(Mel(MelConfig()))
    at = (disturbance.threshold / disturbance.scale)[None]  # the power of bands that is heard so
    assert float(disturbance.hear(at).loudness.abs().max()) < 1e-5
    assert float(disturbance.hear(at / 10).loudness.max()) == 0.0
    expected = (disturbance.threshold / 0.5) ** 0.23 * ((0.5 + 0.5 * 1000) ** 0.23 - 1)
    torch.testing.assert_close(disturbance.hear(at * 1000).loudness[0], expected)


def test_only_what_is_heard_disturbs() -> None:
    disturbance = Disturbance(Mel(MelConfig()))
    power = power_of_noise(0.0)
    assert float(disturbance(power, power)) < 1e-5
    # 1 dB is within the dead zone: loudness differs by 10^(0.1 * 0.23) = 1.05.
    assert float(disturbance(power, power * 10**0.1)) < 1e-3
    # 10 dB less are a factor of 10^-0.23 = 0.59, and a quarter of that is masked: 0.41 - 0.15 = 0.26 of the
    # reference's, and a little more, as bands are squared that are not equally loud.
    missing = float(disturbance(power, power / 10))
    assert 0.26 < missing < 0.34
    # What is added counts once more.
    assert float(disturbance(power, power * 10)) > 2 * missing
    # 70 dB below speech nothing is heard above 6 kHz, and what is there adds nothing.
    quiet = power.clone()
    quiet[:, 115:] = 0.0
    assert float(disturbance(quiet, quiet + 1e-9)) < 1e-5


def test_silence_has_a_disturbance_and_a_gradient() -> None:
    disturbance = Disturbance(Mel(MelConfig()))
    power = power_of_noise(0.0, 0.5)
    silent = torch.zeros_like(power, requires_grad=True)
    (gradient,) = torch.autograd.grad(disturbance(power, silent), silent)
    assert torch.isfinite(gradient).all()
    louder = torch.full_like(power, 1e-3).requires_grad_()
    (gradient,) = torch.autograd.grad(disturbance(torch.zeros_like(power), louder), louder)
    assert torch.isfinite(gradient).all()
    assert float(gradient.max()) > 0
