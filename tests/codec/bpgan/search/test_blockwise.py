"""Long files: what is done in blocks is what would be done at once, and no seam is left to hear."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest
import torch

from codec.base import WORKING_RATE, Audio
from codec.bpgan.config import preset
from codec.bpgan.entropy.rates import build_rates
from codec.bpgan.network.encoder import build_encoder
from codec.bpgan.network.generator import build_generator
from codec.bpgan.network.mel import active_level
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.network.released import load_model
from codec.bpgan.network.vocoder import griffin_lim
from codec.bpgan.search.blockwise import COUNTED, Blockwise, reach, split_into_blocks
from codec.bpgan.search.objective import Problem
from codec.bpgan.search.search import SearchConfig
from tests.codec.speech import harvard_sentence
from tests.conftest import ROOT
from tests.rows import some

#: No search: what the encoder of the whole sends, and of its blocks, can be compared symbol by symbol.
ENCODED = SearchConfig(method="encoder")
#: Brings the sentences to the level that models are trained at.
GAIN = 1.5


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model() -> BPGANModel:
    return load_model()


@pytest.fixture(scope="module")
def speech() -> Audio:
    """Sentences by several talkers, one after the other: 8 s, but no multiple of a block."""
    spoken = np.concatenate([harvard_sentence(i) for i in (0, 2, 4, 6, 1, 3, 5, 7)])
    return spoken[: 8 * WORKING_RATE - 77]


@pytest.fixture(scope="module")
def whole(model: BPGANModel, speech: Audio) -> tuple[torch.Tensor, np.ndarray]:
    """Log-mel and the encoder's symbols, by the networks themselves and at once."""
    padded = np.pad(speech, (0, -speech.size % model.config.block)) * np.float32(GAIN)
    mel = model.mel(torch.from_numpy(padded)[None])
    return mel, model.quantizer.encode(model.encoder(mel))[0].numpy().astype(np.uint8)


@pytest.mark.parametrize("frames", [1, 2, 30, 31, 45, 46, 1000])
def test_split_into_blocks_cover_everything_once_in_blocks_of_about_a_size(frames: int) -> None:
    cut = list(split_into_blocks(frames, 30))
    assert [t for a, b in cut for t in range(a, b)] == list(range(frames))
    assert all(b - a <= 45 for a, b in cut)
    assert len(cut) == 1 or all(b - a >= 20 for a, b in cut)


@pytest.mark.parametrize("name", ["default", "scalable", "deep", "large", "paper"])
@pytest.mark.parametrize("part", ["encoder", "generator"])
def test_nothing_beyond_its_reach_changes_what_a_network_says(name: str, part: str) -> None:
    torch.manual_seed(0)
    config, _ = preset(name)
    latent = config.latent
    if part == "encoder":
        network, rows, step, ratio = build_encoder(config), config.mel.bands, 1, 1 / latent.stride
    else:
        network, rows, step, ratio = build_generator(config), latent.channels, latent.stride, latent.stride
    far = reach(network, step, latent.stride)
    middle = far + 4 * latent.stride
    x = torch.randn(1, rows, 2 * middle // step)
    with torch.no_grad():
        network.eval()
        before = network(x)
        changed = x.clone()
        changed[:, :, middle // step :] += 1.0
        after = network(changed)
    same = (before == after).all(dim=1)[0].numpy()
    unchanged = int(np.argmin(same))
    edge = (middle - far) // step * ratio
    assert unchanged >= edge
    # Not far more than what is needed, either: that would be work for nothing.
    assert unchanged <= edge + 0.3 * far / step * ratio + 2


@pytest.mark.parametrize("seconds", some([1.0, 2.7, 60.0], (1.0).__eq__))
def test_mel_and_encoder_in_blocks_are_those_of_the_whole(
    model: BPGANModel, speech: Audio, whole: tuple[torch.Tensor, np.ndarray], seconds: float
) -> None:
    mel, symbols = whole
    blocks = Blockwise(model, seconds)
    cut = list(split_into_blocks(blocks.frames(speech.size), blocks.length))
    joined = torch.cat([blocks.mel(speech, GAIN, a, b) for a, b in cut], dim=2)
    torch.testing.assert_close(joined, mel, rtol=0, atol=1e-5)
    told: list[tuple[int, int]] = []
    coded = blocks.encode(
        speech, GAIN, ENCODED, model.layers[-1], build_rates(model.contexts), lambda *at: told.append(at)
    )
    # A value on the edge between two levels may fall to either side.
    assert (coded.symbols != symbols).mean() < 1e-3
    assert told[-1] == (speech.size, speech.size)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def tensor(symbols: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(symbols.astype(np.int64))[None]


@torch.no_grad()
def test_power_of_a_part_is_that_of_the_whole(
    model: BPGANModel, whole: tuple[torch.Tensor, np.ndarray]
) -> None:
    _, symbols = whole
    values = model.quantizer.decode(tensor(symbols))
    at_once = model.power(model.generator(values), values)
    blocks = Blockwise(model)
    part = at_once[:, :, 100 * blocks.stride : 130 * blocks.stride]

    def error() -> float:
        difference = blocks.power(symbols, 100, 130).sqrt() - part.sqrt()
        return float(difference.abs().max() / part.max().sqrt())

    assert error() < 1e-4
    # The generator's own reach is not enough: the postfilter and the network look on.
    assert blocks.power_reach > blocks.generator_reach
    blocks.power_reach = COUNTED // 4
    assert error() > 1e-3


@torch.no_grad()
def test_level_in_blocks_is_that_of_the_whole(
    model: BPGANModel, speech: Audio, whole: tuple[torch.Tensor, np.ndarray]
) -> None:
    _, symbols = whole
    padded = np.pad(speech, (0, -speech.size % model.config.block)) * np.float32(GAIN)
    original = model.mel.power(torch.from_numpy(padded)[None]).sum()
    values = model.quantizer.decode(tensor(symbols))
    generated = model.power(model.generator(values), values).sum()
    louder = float((original / generated).sqrt())
    for seconds in (1.0, 60.0):
        coded = Blockwise(model, seconds).encode(
            speech, GAIN, ENCODED, model.layers[-1], build_rates(model.contexts)
        )
        assert coded.louder == pytest.approx(louder, rel=1e-3)


@pytest.fixture(scope="module")
def inverted(model: BPGANModel, speech: Audio, whole: tuple[torch.Tensor, np.ndarray]) -> tuple[Audio, float]:
    """What Griffin-Lim makes of the symbols at once, and the gain that it needed.

    At the level of the speech, as systems send it: nobody has searched these symbols, and what the generator
    makes of them may be far louder.
    """
    _, symbols = whole
    with torch.inference_mode():
        values = model.quantizer.decode(tensor(symbols))
        power = model.power(model.generator(values), values)
        at_once = griffin_lim(model.mel, power)[0, : speech.size].numpy()
    gain = active_level(speech) / active_level(at_once)
    return at_once * np.float32(gain), gain


@pytest.mark.parametrize("seconds", some([1.0, 1.3], (1.0).__eq__))
def test_audio_in_blocks_is_that_of_the_whole(
    model: BPGANModel,
    speech: Audio,
    whole: tuple[torch.Tensor, np.ndarray],
    inverted: tuple[Audio, float],
    seconds: float,
) -> None:
    _, symbols = whole
    at_once, gain = inverted
    told: list[int] = []
    blocks = Blockwise(model, seconds)
    audio = blocks.decode(symbols, speech.size, gain, lambda done, _: told.append(done))
    assert len(told) > 5
    assert told[-1] == speech.size
    # What blocks of another shape round otherwise, Griffin-Lim amplifies: with some models to 4e-4.
    np.testing.assert_allclose(audio, at_once, rtol=0, atol=1e-3)
    # The overlap is what makes it so: with an eighth of it the blocks differ.
    blocks.audio_reach //= 8
    assert np.abs(blocks.decode(symbols, speech.size, gain) - at_once).max() > 5e-3


def test_the_error_counts_as_far_back_as_the_context_is_given_for() -> None:
    assert inspect.signature(Problem).parameters["reach"].default == COUNTED


def test_blocks_join_without_a_seam(
    model: BPGANModel, speech: Audio, whole: tuple[torch.Tensor, np.ndarray]
) -> None:
    """The search's error, and that of the spectrum's change, is no larger at block edges than anywhere."""
    mel, _ = whole
    config = SearchConfig(iterations=3, rate_weight=0.02)
    rate = build_rates(model.contexts)
    audio, gain = speech, model.config.mel.level / active_level(speech)
    errors = {}
    for seconds in (1.0, 60.0):
        blocks = Blockwise(model, seconds)
        symbols = blocks.encode(audio, gain, config, model.layers[-1], rate).symbols
        frames = symbols.shape[1]
        mel = blocks.mel(audio, gain, 0, frames)
        with torch.no_grad():
            error = (model.generator(model.quantizer.decode(tensor(symbols))) - mel)[0]
        flux = error.diff(dim=1, prepend=error[:, :1])
        errors[seconds] = error.abs().mean(dim=0), flux.abs().mean(dim=0)
        if seconds == 1.0:
            edges = [a * model.config.latent.stride for a, _ in split_into_blocks(frames, blocks.length)][1:]
    near = torch.zeros(len(errors[1.0][0]), dtype=torch.bool)
    for edge in edges:
        near[edge - 4 : edge + 4] = True
    assert len(edges) > 6
    for in_blocks, at_once in zip(errors[1.0], errors[60.0], strict=True):
        # Speech is not equally hard everywhere: the same frames searched at once are the measure.
        ratio = in_blocks / at_once.mean()
        elsewhere = float((ratio[~near] - (at_once / at_once.mean())[~near]).mean())
        at_edges = float((ratio[near] - (at_once / at_once.mean())[near]).mean())
        assert at_edges < elsewhere + 0.05
        assert float(in_blocks[near].mean()) < 1.03 * float(at_once[near].mean())


_GROWTH = """
import resource, sys
import numpy as np, torch
torch.set_num_threads(1)
from codec.bpgan.system import BPGAN
codec = BPGAN("bpgan-2k", search="instant")

def peak():
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

noise = np.random.default_rng(0).standard_normal(15 * 16_000).astype(np.float32) * np.float32(0.05)
codec.decode(codec.encode(noise))
before = peak()
longer = np.tile(noise, 3)
codec.decode(codec.encode(longer))
print(peak() - before - 2 * longer.nbytes)
"""


@pytest.mark.rest
def test_memory_does_not_grow_with_the_file() -> None:
    """Beyond input and output, 45 s take no more than 15 s did."""
    root = ROOT
    out = subprocess.run(
        [sys.executable, "-c", _GROWTH], cwd=root, capture_output=True, text=True, check=True
    )
    assert int(out.stdout) < 16 << 20
