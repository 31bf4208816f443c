"""The front end: filters on Slaney's scale, framing, level."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from codec.bpgan.config import MelConfig
from codec.bpgan.network.mel import Mel, active_level, mel_filters, without_offset
from codec.bpgan.network.vocoder import griffin_lim, invert_mel
from tests.codec.speech import harvard_sentence


def test_filters_are_triangles_of_equal_area_in_ascending_order() -> None:
    filters = mel_filters(16_000, 4096, 40)
    centres = filters.argmax(axis=1)
    assert (np.diff(centres) > 0).all()
    areas = filters.sum(axis=1) * 16_000 / 4096
    np.testing.assert_allclose(areas, 1.0, rtol=0.02)


def test_slaney_scale_is_linear_to_1_khz() -> None:
    bins = mel_filters(16_000, 16_000, 128).argmax(axis=1)  # 1 Hz a bin
    low = bins[bins < 950]
    assert np.ptp(np.diff(low)) <= 1
    above = bins[bins > 1100]
    ratios = above[1:] / above[:-1]
    assert np.ptp(ratios) < 0.01


def test_a_tone_lights_the_band_at_its_frequency() -> None:
    mel = Mel(MelConfig())
    tone = 0.1 * np.sin(2 * np.pi * 2000 * np.arange(16_384) / 16_000).astype(np.float32)
    bands = mel(torch.from_numpy(tone)[None])[0, :, 40]
    assert abs(int(bands.argmax()) - int(mel.filters[:, 64].argmax())) <= 1  # bin 64 of 512 is 2 kHz


def test_frames_follow_samples_and_compress_is_undone() -> None:
    mel = Mel(MelConfig())
    assert mel(torch.zeros(2, 512)).shape == (2, 128, 4)
    power = torch.rand(1, 128, 3)
    torch.testing.assert_close(mel.expand(mel.compress(power)), power, rtol=1e-3, atol=1e-6)


def test_level_ignores_pauses_and_knows_silence() -> None:
    speech = harvard_sentence(0)
    padded = np.pad(speech, 32_000)
    assert active_level(padded) == pytest.approx(active_level(speech), rel=0.02)
    assert active_level(speech * 0.1) == pytest.approx(0.1 * active_level(speech), rel=1e-3)
    assert active_level(np.zeros(1000, np.float32)) == 0.0


@pytest.mark.parametrize("offset", [0.01, 0.05, -0.1])
def test_level_ignores_an_offset(offset: float) -> None:
    """0.1 of full scale raised it by 8.8 dB; 0.05 makes pauses as loud as speech."""
    speech = np.pad(harvard_sentence(0), 16_000)
    moved = speech + np.float32(offset)
    assert active_level(moved) == pytest.approx(active_level(speech), rel=1e-3)
    assert np.abs(without_offset(moved) - speech).max() < 1e-3
    assert without_offset(speech) is speech


def test_griffin_lim_from_the_exact_mel_is_nearly_transparent() -> None:
    from pesq import pesq

    speech = harvard_sentence(2)
    normal = speech * np.float32(0.08 / active_level(speech))
    normal = normal[: normal.size // 512 * 512]
    mel = Mel(MelConfig())
    rebuilt = griffin_lim(mel, invert_mel(mel, mel(torch.from_numpy(normal)[None])))[0].numpy()
    assert rebuilt.shape == normal.shape
    assert pesq(16_000, normal, rebuilt, "wb") > 3.5
