"""The spectrum network begins as the plain inversion, and its noise belongs to the frame of the file."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from codec.bpgan.config import PostfilterConfig, Receiver, SpectrumConfig, preset
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.network.vocoder import invert_mel
from codec.bpgan.search.blockwise import reach

NETWORK = Receiver(network=1.0)
#: No network of these tests is shown the symbols.
VALUES = torch.zeros(1, 16, 15)


@pytest.fixture
def model() -> BPGANModel:
    torch.manual_seed(3)
    config = replace(preset("default")[0], spectrum=SpectrumConfig(width=24, blocks=2))
    return BPGANModel(config).eval().requires_grad_(False)


@pytest.fixture
def log_mel() -> torch.Tensor:
    return torch.randn(1, 128, 60, generator=torch.Generator().manual_seed(1))


def test_untrained_it_is_the_plain_inversion(model: BPGANModel, log_mel: torch.Tensor) -> None:
    plain = invert_mel(model.mel, log_mel, iterations=10)
    torch.testing.assert_close(model.power(log_mel, VALUES, NETWORK), plain, rtol=1e-4, atol=1e-6)
    without = model.power(log_mel, VALUES, Receiver(network=0.0))
    torch.testing.assert_close(without, invert_mel(model.mel, log_mel))


def shake(model: BPGANModel) -> None:
    """Weights as if trained: they change what comes out by some dB."""
    assert model.spectrum is not None
    last = model.spectrum.layers[-1]
    assert isinstance(last, torch.nn.Conv1d)
    torch.nn.init.normal_(last.weight, std=0.1, generator=torch.Generator().manual_seed(2))


def test_a_part_is_what_it_is_in_the_whole(model: BPGANModel, log_mel: torch.Tensor) -> None:
    shake(model)
    assert model.spectrum is not None
    around = reach(model.spectrum, 1)
    whole = model.power(log_mel, VALUES, NETWORK)
    part = model.power(log_mel[:, :, 30 - around :], VALUES, NETWORK, start=30 - around)[:, :, around:]
    torch.testing.assert_close(part, whole[:, :, 30:], rtol=1e-4, atol=1e-6)
    elsewhere = model.power(log_mel[:, :, 30 - around :], VALUES, NETWORK, start=7)[:, :, around:]
    assert not torch.allclose(elsewhere, whole[:, :, 30:], rtol=1e-2)


def test_the_model_says_how_strong_the_network_is(model: BPGANModel, log_mel: torch.Tensor) -> None:
    shake(model)
    half = BPGANModel(replace(model.config, spectrum=replace(model.config.spectrum, strength=0.5))).eval()
    half.load_state_dict(model.state_dict())
    told = model.power(log_mel, VALUES, Receiver(network=0.5))
    torch.testing.assert_close(half.power(log_mel, VALUES), told)
    assert not torch.allclose(told, model.power(log_mel, VALUES), rtol=1e-2)


def test_a_network_may_be_shown_the_symbols(log_mel: torch.Tensor) -> None:
    config = replace(preset("default")[0], spectrum=SpectrumConfig(width=24, blocks=2, latent=True))
    torch.manual_seed(3)
    model = BPGANModel(config).eval().requires_grad_(False)
    shake(model)
    values = torch.randn(1, 16, 15, generator=torch.Generator().manual_seed(4))
    first = model.power(log_mel, values[:, :10], NETWORK)
    # What is not sent counts as 0, whether it is there or not.
    sent = values * (torch.arange(16) < 10)[:, None]
    torch.testing.assert_close(model.power(log_mel, sent, NETWORK), first)
    assert not torch.allclose(model.power(log_mel, values, NETWORK), first, rtol=1e-2)


def test_power_is_never_negative_and_the_change_bounded(model: BPGANModel) -> None:
    shake(model)
    for level in (-3.0, 0.0, 3.0):
        log_mel = torch.full((1, 128, 40), level)
        power, plain = model.power(log_mel, VALUES, NETWORK), invert_mel(model.mel, log_mel, iterations=10)
        assert (power >= 0).all()
        assert torch.isfinite(power).all()
        assert (power <= (plain + 1e-4) * torch.e**4).all()


def test_the_postfilter_raises_contrast_and_leaves_what_is_even() -> None:
    config = replace(preset("default")[0], postfilter=PostfilterConfig(bands=0.2, frames=0.15))
    model = BPGANModel(config)
    even = torch.full((1, 128, 40), 0.7)
    torch.testing.assert_close(model.sharpen(even), even)
    harmonics = torch.sin(torch.arange(128) * torch.pi / 3)[None, :, None].expand(1, 128, 40)
    sharper = model.sharpen(harmonics)
    # Ripples of 6 bands vanish in the blur: all of them is raised by the fifth.
    torch.testing.assert_close(sharper[:, 20:100], 1.2 * harmonics[:, 20:100], rtol=0.05, atol=0.02)
    onset = torch.zeros(1, 128, 40)
    onset[:, :, 20:] = 1.0
    assert float(model.sharpen(onset)[0, 0, 20]) > 1.05
    assert float(model.sharpen(onset)[0, 0, 19]) < -0.05
    assert torch.equal(BPGANModel(preset("default")[0]).sharpen(onset), onset)


def test_the_postfilter_can_keep_the_power_of_each_region() -> None:
    """Ripples of 12 bands on a slope: peaks are raised as before, the power of their surroundings is not."""
    bands = torch.arange(128.0)
    log_mel = (torch.sin(bands * torch.pi / 6) * 0.4 - bands / 200)[None, :, None].expand(1, 128, 8)
    models = [
        BPGANModel(replace(preset("default")[0], postfilter=PostfilterConfig(bands=0.5, kept=kept)))
        for kept in (0.0, 3.0)
    ]
    mel = models[0].mel
    moved, kept = (model.sharpen(log_mel) for model in models)

    def region(x: torch.Tensor) -> torch.Tensor:
        """dB of the mean power of 12 bands, a whole ripple, away from the ends."""
        return 10 * torch.log10(mel.expand(x)[0, 12:120, 0].unfold(0, 12, 1).mean(dim=1))

    assert float((region(moved) - region(log_mel)).abs().max()) > 0.9
    assert float((region(kept) - region(log_mel)).abs().max()) < 0.3
    ripple = [float(x[0, 51:63, 0].amax() - x[0, 51:63, 0].amin()) for x in (log_mel, moved, kept)]
    assert ripple[2] > ripple[0] + 0.7 * (ripple[1] - ripple[0])
    torch.testing.assert_close(models[1].sharpen(torch.full((1, 128, 8), 0.7)), torch.full((1, 128, 8), 0.7))


def test_above_the_top_noise_goes_on_at_the_level_below() -> None:
    config = replace(preset("default")[0], postfilter=PostfilterConfig(top=7000.0))
    model = BPGANModel(config)
    power = torch.zeros(1, 257, 2000)
    power[:, 192:224] = 4.0  # 6 to 7 kHz; a bin is 31.25 Hz
    power[:, 250] = 100.0
    extended = model.extend(power)
    assert torch.equal(extended[:, :224], power[:, :224])
    assert float(extended[:, 250].min()) >= 100.0
    levels = 10 * torch.log10(extended[0, [224, 240, 256]].mean(dim=1) / 4.0)
    torch.testing.assert_close(levels, torch.tensor([0.0, -1.5, -3.0]), atol=0.4, rtol=0)
    # As of noise: the deviation of its power is its mean.
    noise = extended[0, 224:250]
    torch.testing.assert_close(noise.std(dim=1), noise.mean(dim=1), rtol=0.15, atol=0)
    torch.testing.assert_close(model.extend(power[:, :, 700:], start=700), extended[:, :, 700:])
    # One bin as docs/bitstream.md has it: the eighth above 7 kHz, where frames count anew from 1024.
    x = 7 + 33 * (1500 % 1024)
    x = (x ^ x >> 16) * 0x7FEB352D % 2**32
    x = (x ^ x >> 15) * 0x846CA68B % 2**32
    chance = (x ^ x >> 16) / 2**32
    assert float(extended[0, 231, 1500]) == pytest.approx(
        -4.0 * 10 ** (-0.3 * 7 / 32) * math.log(chance), rel=1e-4
    )
    # The receiver of a model that says so does it, and the paper's does not.
    log_mel = torch.randn(1, 128, 60, generator=torch.Generator().manual_seed(1))
    plain = model.power(log_mel, VALUES, Receiver(postfilter=False))
    torch.testing.assert_close(model.power(log_mel, VALUES), model.extend(plain))
