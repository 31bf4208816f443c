"""The refiner begins by changing nothing; the receiver and the search's last scoring go through it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from codec.bpgan.config import ModelConfig, Receiver, RefinerConfig, preset
from codec.bpgan.entropy.bitstream import unpack
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.search.blockwise import Blockwise
from codec.bpgan.search.objective import distortion
from codec.bpgan.search.search import SearchConfig, search
from codec.bpgan.system import BPGAN
from tests.codec.speech import harvard_sentence

BARE = Receiver(postfilter=False, refiner=False)


def make_model(blocks: int = 2) -> BPGANModel:
    """Untrained networks of the default preset, and a refiner whose change is of some dB."""
    torch.manual_seed(3)
    config = replace(preset("default")[0], refiner=RefinerConfig(width=24, blocks=blocks))
    model = BPGANModel(config).eval().requires_grad_(False)
    if model.refiner:
        last = model.refiner.layers[-1]
        assert isinstance(last, torch.nn.Conv1d)
        torch.nn.init.normal_(last.weight, std=0.05, generator=torch.Generator().manual_seed(2))
    return model


@pytest.fixture(scope="module")
def model() -> BPGANModel:
    return make_model()


@pytest.fixture(scope="module")
def symbols() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(4).integers(0, 16, (2, 16, 30)))


def test_untrained_it_changes_nothing(symbols: torch.Tensor) -> None:
    config = replace(preset("default")[0], refiner=RefinerConfig(width=24, blocks=2))
    model = BPGANModel(config).eval()
    values = model.quantizer.decode(symbols)
    log_mel = model.generator(values)
    assert torch.equal(model.refine(log_mel, values), log_mel)


def test_what_is_not_sent_counts_as_zero(model: BPGANModel, symbols: torch.Tensor) -> None:
    values = model.quantizer.decode(symbols)
    log_mel = model.generator(values)
    sent = values * (torch.arange(16) < 10)[:, None]
    torch.testing.assert_close(model.refine(log_mel, values[:, :10]), model.refine(log_mel, sent))
    assert not torch.allclose(model.refine(log_mel, values), model.refine(log_mel, sent), atol=1e-2)


def test_in_a_batch_each_file_gets_what_it_gets_alone(model: BPGANModel, symbols: torch.Tensor) -> None:
    values = model.quantizer.decode(symbols)
    lengths = torch.tensor([17, 30])
    together = model.refine(model.generator(values, lengths), values, lengths)
    for row, length in enumerate(lengths.tolist()):
        own = values[row : row + 1, :, :length]
        alone = model.refine(model.generator(own), own)
        torch.testing.assert_close(together[row : row + 1, :, : 4 * length], alone, rtol=1e-4, atol=1e-5)


def test_a_receiver_may_do_without_it(model: BPGANModel, symbols: torch.Tensor) -> None:
    values = model.quantizer.decode(symbols)
    log_mel = model.generator(values)
    refined = model.refine(log_mel, values)
    torch.testing.assert_close(model.power(log_mel, values), model.power(refined, values, BARE))
    assert not torch.allclose(model.power(log_mel, values), model.power(log_mel, values, BARE), rtol=1e-2)


def test_a_part_of_a_file_is_what_it_is_in_the_whole(model: BPGANModel) -> None:
    symbols = np.random.default_rng(4).integers(0, 16, (16, 90)).astype(np.uint8)
    values = model.quantizer.decode(torch.from_numpy(symbols.astype(np.int64))[None])
    whole = model.power(model.generator(values), values).sqrt()
    blocks = Blockwise(model)
    own = slice(40 * 4, 50 * 4)
    torch.testing.assert_close(blocks.power(symbols, 40, 50).sqrt(), whole[:, :, own], rtol=1e-3, atol=1e-4)
    # It looks further than the generator does.
    assert blocks.power_reach > Blockwise(make_model(blocks=0)).power_reach


def test_it_has_the_last_word_in_the_search(model: BPGANModel) -> None:
    mel = torch.randn(2, 128, 80, generator=torch.Generator().manual_seed(1))
    lengths = torch.tensor([13, 20])
    found = search(model, mel, SearchConfig(iterations=4, flip_rounds=1), lengths=lengths)
    assert (found.objective <= found.encoder_objective).all()
    for row, length in enumerate(lengths.tolist()):
        values = model.quantizer.decode(found.symbols[row : row + 1, :, :length])
        own = mel[row : row + 1, :, : 4 * length]
        refined = model.refine(model.generator(values), values)
        expected = distortion(refined, own, model.hearing(own))
        torch.testing.assert_close(found.distortion[row : row + 1], expected, rtol=1e-3, atol=1e-5)


def test_a_file_keeps_it_and_files_without_it_are_read(model: BPGANModel, tmp_path: Path) -> None:
    path = tmp_path / "with.safetensors"
    model.save(path)
    read = BPGANModel.load(path)
    assert read.config == model.config
    log_mel, values = torch.ones(1, 128, 8), torch.ones(1, 16, 2)
    torch.testing.assert_close(
        read.refine(log_mel, values), model.refine(log_mel, values), rtol=1e-2, atol=1e-2
    )
    before = model.config.to_dict()
    del before["refiner"]
    assert ModelConfig.from_dict(before) == replace(model.config, refiner=RefinerConfig(blocks=0))


def test_the_plain_system_sends_the_same_symbols_to_a_receiver_without_it(model: BPGANModel) -> None:
    speech = harvard_sentence(0)[:16_000]
    with_it, plain = (
        BPGAN("test", model=model, search="instant", refiner=refiner) for refiner in (True, False)
    )
    sent, same = with_it.encode(speech), plain.encode(speech)
    assert unpack(sent.payload).symbols == unpack(same.payload).symbols
    assert not np.allclose(with_it.decode(sent), plain.decode(sent), atol=1e-3)
