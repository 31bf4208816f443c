"""The search on real speech: it never loses, a batch changes nothing, decided symbols stay decided."""

from __future__ import annotations

import copy
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from codec.bpgan.config import ObjectiveConfig
from codec.bpgan.entropy.rates import build_rates
from codec.bpgan.network.frozen import FrozenGenerator
from codec.bpgan.network.hearing import Hearing
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.network.released import load_model
from codec.bpgan.reports.search_profile import profile_chain
from codec.bpgan.search.flips import flip
from codec.bpgan.search.objective import Problem, distortion
from codec.bpgan.search.search import METHODS, SEARCHES, Found, SearchConfig, search
from tests.codec.speech import harvard_sentence
from tests.rows import some

ALL = ["encoder", *METHODS]
#: The search that systems use, and the paper's: those of `make test`.
TELLING = ("encoder", "admm", "paper")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model() -> BPGANModel:
    return load_model("default")


def mel_of(model: BPGANModel, index: int, frames: int, start: int = 8000) -> Tensor:
    """Log-mel (bands, frames * stride) of a sentence, from sample `start` on."""
    audio = harvard_sentence(index)[start : start + frames * model.config.block].copy()
    padded = np.pad(audio, (0, frames * model.config.block - audio.size))
    return model.mel(torch.from_numpy(padded * np.float32(2.0))[None])[0]


def padded_batch(model: BPGANModel, lengths: list[int]) -> tuple[Tensor, Tensor]:
    """Sentences of different lengths as one batch; the padding is filled with what must not matter."""
    mels = [mel_of(model, i, n) for i, n in enumerate(lengths)]
    stride = model.config.latent.stride
    batch = torch.full((len(mels), mels[0].shape[0], max(lengths) * stride), 7.0)
    for row, mel in enumerate(mels):
        batch[row, :, : mel.shape[1]] = mel
    return batch, torch.tensor(lengths)


def objective(model: BPGANModel, mel: Tensor, symbols: Tensor, weight: float) -> Tensor:
    """J + weighted rate by hand: no part of the search in it but the formula of J."""
    rate = build_rates(model.contexts).bits(symbols).mean(dim=(1, 2)) if weight else 0.0
    generated = model.generator(model.quantizer.decode(symbols))
    weights = model.config.objective
    heard = torch.stack(
        [
            weights.disturbance * model.disturbance(theirs[None], ours[None])
            + weights.similarity * model.similarity(theirs[None], ours[None])
            for theirs, ours in zip(model.mel.expand(mel), model.mel.expand(generated), strict=True)
        ]
    )
    return distortion(generated, mel, model.hearing(mel)) + heard + weight * rate


@pytest.mark.parametrize("weight", [pytest.param(0.0, marks=pytest.mark.rest), 0.04])
@pytest.mark.parametrize("method", some(ALL, TELLING.__contains__))
def test_no_method_loses_to_the_encoder_alone_or_in_a_batch(
    model: BPGANModel, method: str, weight: float
) -> None:
    config = SearchConfig(
        method=method, iterations=7, rate_weight=weight, flip_rounds=2, flip_tries=4, exact=True
    )
    rate = build_rates(model.contexts)
    lengths = [14, 18, 9]
    batch, sizes = padded_batch(model, lengths)
    together = search(model, batch, config, rate=rate, lengths=sizes)
    for row, frames in enumerate(lengths):
        mel = batch[row : row + 1, :, : frames * model.config.latent.stride]
        alone = search(model, mel, config, rate=rate)
        encoder = objective(model, mel, model.quantizer.encode(model.encoder(mel)), weight)
        for found in (alone, Found(*(v[row : row + 1] for v in vars(together).values()))):
            achieved = objective(model, mel, found.symbols[:, :, :frames], weight)
            torch.testing.assert_close(found.objective, achieved, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(found.encoder_objective, encoder, rtol=1e-4, atol=1e-5)
            assert found.objective <= found.encoder_objective
            torch.testing.assert_close(
                found.distortion + weight * found.bits, found.objective, rtol=1e-4, atol=1e-5
            )
        # Rounding may tip a symbol now and then.
        same = together.symbols[row, :, :frames] == alone.symbols[0]
        assert same.float().mean() > 0.98
        torch.testing.assert_close(together.objective[row], alone.objective[0], rtol=2e-3, atol=1e-4)
        assert not together.symbols[row, :, frames:].any()


def test_moves_of_single_symbols_gain_what_they_say(model: BPGANModel) -> None:
    mel = mel_of(model, 2, 24)[None]
    config = SearchConfig(iterations=8, rate_weight=0.03)
    before = search(model, mel, config)
    after = search(model, mel, replace(config, flip_rounds=2))
    assert after.objective < 0.999 * before.objective
    problem = Problem(model, mel, rate_weight=0.03)
    symbols, objective = flip(problem, after.symbols, after.objective, replace(config, flip_rounds=2))
    torch.testing.assert_close(objective, problem.score(symbols))
    assert objective <= after.objective


def test_frames_share_the_objective(model: BPGANModel) -> None:
    batch, sizes = padded_batch(model, [10, 24])
    problem = Problem(model, batch, lengths=sizes, rate_weight=0.1)
    symbols = problem.quantise(problem.encode() / problem.unit)
    frames = problem.frame_scores(symbols)
    assert frames.shape == (2, 24)
    assert not frames[0, 10:].any()
    torch.testing.assert_close(frames.sum(dim=1), problem.score(symbols))


@pytest.mark.parametrize("method", ["round", "ste", "admm"])
def test_every_method_gains_on_speech(model: BPGANModel, method: str) -> None:
    config = SearchConfig(method=method, iterations=12)
    mel = mel_of(model, 3, 40)[None]
    found = search(model, mel, config)
    assert found.objective < 0.99 * found.encoder_objective
    assert found.iterations == 12


def test_networks_ignore_the_padding(model: BPGANModel) -> None:
    lengths = [9, 30, 21]
    batch, sizes = padded_batch(model, lengths)
    stride = model.config.latent.stride
    with torch.no_grad():
        z = model.encoder(batch, sizes)
        z[0, :, 9:] = 5.0
        generated = model.generator(z, sizes)
        for row, frames in enumerate(lengths):
            alone = model.encoder(batch[row : row + 1, :, : frames * stride])
            # The padding, if it counted, would change z by four times its spread.
            rounding = 1e-4 * float(alone.std())
            torch.testing.assert_close(z[row, :, :frames], alone[0], rtol=1e-4, atol=rounding)
            mel = model.generator(alone)
            torch.testing.assert_close(generated[row, :, : frames * stride], mel[0], rtol=1e-4, atol=1e-4)


def test_the_original_may_lose_and_is_shown_as_it_is(model: BPGANModel) -> None:
    mel = mel_of(model, 1, 32)[None]
    config = SearchConfig(method="paper", iterations=1)
    config = replace(config, keep_best=False)
    last = search(model, mel, config)
    best = search(model, mel, replace(config, keep_best=True))
    assert best.objective <= last.objective
    torch.testing.assert_close(last.objective, objective(model, mel, last.symbols, 0.0))


def test_a_rate_weight_saves_bits(model: BPGANModel) -> None:
    rate = build_rates(model.contexts)
    mel = mel_of(model, 5, 40)[None]
    free = search(model, mel, SearchConfig(iterations=16), rate=rate)
    cheap = search(model, mel, SearchConfig(iterations=16, rate_weight=0.05), rate=rate)
    assert cheap.bits < 0.97 * free.bits
    assert cheap.distortion < 1.1 * free.encoder_objective


def test_the_instant_search_gains_most_of_what_the_usual_one_does(model: BPGANModel) -> None:
    mel = mel_of(model, 5, 40)[None]
    instant, usual = (
        search(model, mel, replace(SEARCHES[name], rate_weight=0.02)) for name in ("instant", "realtime")
    )
    assert instant.encoder_objective == usual.encoder_objective
    gains = [found.encoder_objective - found.objective for found in (instant, usual)]
    assert 0.5 * gains[1] < gains[0] < gains[1]


@pytest.mark.parametrize("method", some(ALL, TELLING.__contains__))
def test_a_block_keeps_what_is_decided_and_helps_the_whole(model: BPGANModel, method: str) -> None:
    rate = build_rates(model.contexts)
    config = replace(SEARCHES["realtime"], method=method, iterations=8, rate_weight=0.02)
    mel = mel_of(model, 6, 64, 2000)[None]
    decided = model.quantizer.encode(model.encoder(mel))[:, :, :24]
    found = search(model, mel, config, rate=rate, context=decided, ahead=16)
    assert found.symbols.shape == (1, model.config.latent.channels, 24)
    assert found.objective <= found.encoder_objective

    problem = Problem(model, mel, rate=rate, rate_weight=0.02, context=decided)
    _, gradient = problem.gradient(problem.encode() / problem.unit)
    assert not gradient[:, :, :24].any()
    assert gradient[:, :, 24:].all()
    x = problem.quantise(torch.zeros_like(gradient))
    assert torch.equal(x[:, :, :24], decided)


@pytest.mark.parametrize("exact", [True, False])
def test_the_frozen_generator_answers_and_differentiates_as_the_receivers(
    model: BPGANModel, exact: bool
) -> None:
    sizes = torch.tensor([20, 13])
    z = torch.randn(2, 9, 20, generator=torch.Generator().manual_seed(3)).requires_grad_(True)
    stride = model.config.latent.stride
    for lengths in (None, sizes):
        frozen = FrozenGenerator(model.generator, 9, exact=exact)
        ours, saved = frozen.forward(z.detach(), lengths)
        theirs = model.generator(z, lengths)
        outer = torch.randn(theirs.shape, generator=torch.Generator().manual_seed(4))
        if lengths is not None:
            outer = outer * (torch.arange(20 * stride) < lengths[:, None] * stride)[:, None]
            ours, theirs = ours * (outer != 0), theirs * (outer != 0)
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
        (gradient,) = torch.autograd.grad((theirs * outer).sum(), z)
        error = (frozen.gradient(outer, saved, lengths) - gradient).norm() / gradient.norm()
        assert error < (1e-5 if exact else 0.03)


def test_the_2020_code_hears_all_errors_alike(model: BPGANModel) -> None:
    assert not model.hearing.plain
    mel = torch.stack([mel_of(model, i, 12) for i in (3, 5)])
    stride = model.config.latent.stride
    lengths = torch.tensor([12, 9])
    z = torch.randn(2, model.config.latent.channels, 12, generator=torch.Generator().manual_seed(1))
    for sizes in (None, lengths):
        leaf = z.clone().requires_grad_(True)
        generated = model.generator(leaf, sizes)
        counted = (12, 12) if sizes is None else (12, 9)
        mse = sum((generated - mel)[i, :, : n * stride].square().mean() for i, n in enumerate(counted))
        (expected,) = torch.autograd.grad(mse, leaf)
        gradient = Problem(model, mel, lengths=sizes).mse_gradient(z)
        torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-7)


def test_errors_that_are_heard_count_more(model: BPGANModel) -> None:
    mel = mel_of(model, 3, 40)[None]
    even, attentive = copy.deepcopy(model), copy.deepcopy(model)
    even.hearing = Hearing(model.mel, ObjectiveConfig())
    plain = Problem(even, mel)
    attentive.hearing = Hearing(model.mel, ObjectiveConfig(loudness=0.23))
    heard = Problem(attentive, mel)
    assert heard.weights is not None
    loud = heard.weights > heard.weights.median()
    for problem, limits in ((plain, (0.9, 1.1)), (heard, (2.0, 50.0))):
        changes = [float(problem.distortion(mel + 0.1 * part)) for part in (loud, ~loud)]
        assert limits[0] < changes[0] / changes[1] < limits[1]


#: What of J is heard, by the setting that is its weight.
HEARD = ("disturbance", "similarity")


def listening(model: BPGANModel, **weights: float) -> BPGANModel:
    """The model with these weights of what is heard in its objective, and 0 of what is not named."""
    other = copy.copy(model)
    objective = replace(model.config.objective, **(dict.fromkeys(HEARD, 0.0) | weights))
    other.config = replace(model.config, objective=objective)
    return other


@pytest.mark.parametrize("name", HEARD)
def test_what_is_heard_counts_by_its_weight(model: BPGANModel, name: str) -> None:
    """In a batch, too, that of each file without its padding."""
    measure = getattr(model, name)
    lengths = [14, 18, 9]
    batch, sizes = padded_batch(model, lengths)
    stride = model.config.latent.stride
    generated = batch + 0.5 * torch.randn(batch.shape, generator=torch.Generator().manual_seed(3))
    deaf, attentive = listening(model), listening(model, **{name: 0.3})
    plain = Problem(deaf, batch, lengths=sizes).distortion(generated)
    found = (Problem(attentive, batch, lengths=sizes).distortion(generated) - plain) / 0.3
    for row, frames in enumerate(lengths):
        theirs, ours = (x[row : row + 1, :, : frames * stride] for x in (batch, generated))
        expected = measure(model.mel.expand(theirs), model.mel.expand(ours))
        assert float(found[row]) == pytest.approx(float(expected), rel=1e-4)
    picked = Problem(attentive, batch, lengths=sizes).select(torch.tensor([2, 0]))
    again = (
        picked.distortion(generated[[2, 0]])
        - Problem(deaf, batch, lengths=sizes).distortion(generated)[[2, 0]]
    )
    torch.testing.assert_close(again / 0.3, found[[2, 0]], rtol=1e-4, atol=1e-5)


def test_a_pause_is_not_searched_for_what_nobody_hears(model: BPGANModel) -> None:
    """A block of silence costs few bits, as it does where nothing that is heard is in J."""
    mel = model.mel(torch.zeros(1, 24 * model.config.block))
    config = replace(SEARCHES["realtime"], rate_weight=model.rates["bpgan-2k"].rate_weight)
    found, deaf = (
        search(listening(model, **dict.fromkeys(HEARD, weight)), mel, config, channels=20)
        for weight in (0.3, 0.0)
    )
    assert float(found.objective) < 1.0
    assert float(found.bits) < 2 * float(deaf.bits)


@pytest.mark.parametrize("name", HEARD)
def test_a_search_that_listens_leaves_less_to_hear(model: BPGANModel, name: str) -> None:
    """The same steps at the same price with what is heard in J: it is at least a twentieth less."""
    mel = mel_of(model, 3, 40)[None]
    config = SearchConfig(iterations=12, rate_weight=0.02)
    power = model.mel.expand(mel)

    def differ(searched: BPGANModel) -> float:
        symbols = search(searched, mel, config, channels=20).symbols
        generated = model.generator(model.quantizer.decode(symbols))
        return float(getattr(model, name)(power, model.mel.expand(generated)))

    assert differ(listening(model, **{name: 1.0})) < 0.95 * differ(listening(model))


def test_a_profile_accounts_for_all_the_time(model: BPGANModel) -> None:
    audio = harvard_sentence(3)[8000 : 8000 + 32 * 512].copy() * np.float32(2.0)
    forward = FrozenGenerator.forward
    began = time.process_time()
    config = SearchConfig(iterations=4, rate_weight=0.02, flip_rounds=1, flip_tries=2)
    parts = profile_chain(model, torch.from_numpy(audio)[None], config)
    spent = (time.process_time() - began) / (audio.size / 16_000)
    assert 0.8 * spent < sum(parts.values()) <= spent
    assert {"generator, forward", "generator, backward", "projection", "inverse STFT"} <= set(parts)
    assert FrozenGenerator.forward is forward
