"""Weights of errors: Stevens' law and the ERB scale; disturbance of loudness and similarity of levels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from codec.bpgan.config import MelConfig, ObjectiveConfig
from codec.bpgan.network.hearing import Disturbance, Hearing, Similarity, erb_number
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


def similarity() -> Similarity:
    mel = Mel(MelConfig())
    return Similarity(mel, Disturbance(mel))


def unlike(reference: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    """What `Similarity.frames` makes of levels (filters, frames), all of which count."""
    counted = torch.ones(1, reference.shape[1])
    return similarity().frames(reference[None], generated[None], counted)[0]


def test_levels_of_filters_are_those_of_a_listener() -> None:
    """White noise has 61.2 dB in a filter around 1 kHz, as above; 80 dB below that nothing is heard."""
    counted = torch.ones(1, power_of_noise(0.0).shape[2])
    levels = similarity().hear(power_of_noise(0.0), counted).mean(dim=(0, 2))
    assert levels.shape == (21,)
    # The centres are 1.50 ERB apart from 50 Hz (1.84 ERB) on; 1 kHz (15.62 ERB) is the tenth of them.
    assert float(levels[9]) == pytest.approx(61.2, abs=0.7)
    assert float(similarity().hear(power_of_noise(-80.0), counted).max()) < 0.5


def test_levels_that_differ_count_by_their_ratio() -> None:
    """By hand: 2 * 40 * 50 / (40² + 50²) = 0.9756; nothing varies, so the pattern is the same."""
    even = torch.full((21, 40), 40.0)
    torch.testing.assert_close(unlike(even, even + 10), torch.full((40,), 1 - 4000 / 4100), atol=1e-3, rtol=0)
    assert float(unlike(even, even).abs().max()) < 1e-3


def test_a_pattern_counts_by_its_correlation_with_its_surroundings() -> None:
    """Against the formula of NSIM, written as a loop over one frame's filters and their neighbours."""
    rng = np.random.default_rng(0)
    theirs, ours = 40 + 6 * rng.standard_normal((2, 21, 40))
    weights = np.outer([0.1135, 0.7729, 0.1135], [0.1135, 0.7729, 0.1135])
    weights = np.where(weights > 0.5, 0.6195, np.where(weights > 0.05, 0.0838, 0.0113))
    found = []
    for band in range(21):
        near = [b for b in (band - 1, band, band + 1) if 0 <= b < 21]
        share = weights[[b - band + 1 for b in near]]
        share = share / share.sum()
        a, b = (x[near][:, [17, 20, 23]] for x in (theirs, ours))
        mean_a, mean_b = (share * a).sum(), (share * b).sum()
        spread_a, spread_b = (share * a * a).sum() - mean_a**2, (share * b * b).sum() - mean_b**2
        together = (share * a * b).sum() - mean_a * mean_b
        level = (2 * mean_a * mean_b + 0.01) / (mean_a**2 + mean_b**2 + 0.01)
        found.append(level * (together + 0.5) / (np.sqrt(spread_a * spread_b) + 0.5))
    frame = unlike(*(torch.from_numpy(x).float() for x in (theirs, ours)))[20]
    assert float(frame) == pytest.approx(1 - np.mean(found), abs=1e-3)
    assert float(frame) > 0.5  # two kinds of noise


def test_what_is_60_db_below_the_loudest_filter_is_masked() -> None:
    loud = torch.full((21, 40), 10.0)
    loud[5] = 80.0
    other = loud.clone()
    other[12:] += 9 * torch.rand(9, 40, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(unlike(loud, other), torch.zeros(40), atol=1e-3, rtol=0)
    other[12:] += 10.0
    assert float(unlike(loud, other).min()) > 0.002


def test_frames_that_do_not_count_change_nothing() -> None:
    one, two = power_of_noise(0.0, 0.5), power_of_noise(0.0, 0.5, seed=1)
    frames, measure = one.shape[2], similarity()
    alone = torch.ones(1, frames)
    padded = torch.cat([alone, torch.zeros(1, 50)], dim=1)
    other = [torch.cat([x, torch.full((1, 128, 50), 1e-3 * i)], dim=2) for i, x in enumerate((one, two))]

    def compare(counted: torch.Tensor, *power: torch.Tensor) -> torch.Tensor:
        return measure.frames(*(measure.hear(x, counted) for x in power), counted)

    torch.testing.assert_close(compare(padded, *other)[:, :frames], compare(alone, one, two))


def test_unlike_noise_counts_where_it_is_loud_and_not_where_it_is_hardly_heard() -> None:
    measure = similarity()
    theirs, ours = power_of_noise(0.0), power_of_noise(0.0, seed=1)
    assert float(measure(theirs, theirs)) < 1e-5
    everywhere = float(measure(theirs, ours))
    assert everywhere > 0.3
    # Half of it 50 dB lower: that is 12 dB a filter at most, and counts little.
    softer = torch.ones(1, 1, theirs.shape[2])
    softer[..., : theirs.shape[2] // 2] = 1e-5
    assert float(measure(theirs * softer, ours * softer)) == pytest.approx(everywhere, rel=0.1)
    ours[..., theirs.shape[2] // 2 :] = theirs[..., theirs.shape[2] // 2 :]
    assert float(measure(theirs * softer, ours * softer)) < 0.1 * everywhere


def test_silence_has_a_dissimilarity_and_a_gradient() -> None:
    measure, power = similarity(), power_of_noise(0.0, 0.5)
    for reference, start in ((power, 0.0), (power, 1e-3), (torch.zeros_like(power), 1e-3)):
        generated = torch.full_like(power, start, requires_grad=True)
        (gradient,) = torch.autograd.grad(measure(reference, generated), generated)
        assert torch.isfinite(gradient).all()
    assert float(measure(torch.zeros_like(power), torch.zeros_like(power))) == 0.0
