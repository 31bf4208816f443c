"""What was written once is read for ever, by every device, and the specification's example is true."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import torch

from codec.base import Audio, CodecError, Encoded
from codec.bpgan.entropy import bitstream, huffman, range_coder
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.network.released import RELEASED, WEIGHTS, find_model, load_model
from codec.bpgan.search.blockwise import Blockwise
from codec.bpgan.system import BPGAN, read_symbols
from tests.codec.speech import harvard_sentence
from tests.conftest import ROOT
from tests.rows import some

FOLDER = Path(__file__).parent / "golden"
NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
CUDA = pytest.param(
    "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
)


@pytest.fixture(scope="module")
def models() -> dict[int, BPGANModel]:
    found = [BPGANModel.load(path) for path in sorted(FOLDER.glob("*.safetensors"))]
    return {model.model_id: model for model in found}


def golden(name: str, models: dict[int, BPGANModel]) -> tuple[dict[str, Any], bitstream.Stream, BPGANModel]:
    entry = json.loads((FOLDER / f"{name}.json").read_text())
    stream = bitstream.unpack(bytes.fromhex(entry["payload"]))
    return entry, stream, models.get(stream.model_id) or find_model(stream.model_id)


def decode(payload: bytes, model: BPGANModel) -> Audio:
    stream = bitstream.unpack(payload)
    codec = BPGAN("golden", model=model)
    return codec.decode(Encoded("golden", payload, 8 * len(payload), 16_000, stream.num_samples))


def test_every_form_has_a_golden_stream() -> None:
    assert {"range", "layer-0", "huffman", "unchecked", "silence", "sample"} <= set(NAMES)
    assert {"version-1-range", "version-1-huffman", "version-1-silence"} <= set(NAMES)


@pytest.mark.parametrize("wanted", RELEASED)
def test_a_released_model_is_found_and_its_stream_decoded(wanted: int) -> None:
    """Its stream is recorded by ``make_golden released``, once, when the model is released."""
    number = RELEASED[wanted].like or wanted  # whose weights it has, or most of them
    path = WEIGHTS / f"{RELEASED[number].file}.safetensors"
    assert hashlib.sha256(path.read_bytes()).hexdigest()[:4] == f"{number:04x}"
    assert find_model(wanted).model_id == wanted
    # By the codec as people have it, which looks the model up by itself.
    entry = json.loads((FOLDER / f"released-{wanted:04x}.json").read_text())
    payload = bytes.fromhex(entry["payload"])
    audio = BPGAN("bpgan-2k").decode(Encoded("bpgan-2k", payload, 8 * len(payload), 16_000, entry["samples"]))
    expected, _ = sf.read(FOLDER / f"released-{wanted:04x}.wav", dtype="float32")
    np.testing.assert_allclose(audio, expected, rtol=0, atol=1e-3)
    assert np.abs(audio).max() > 0.02


def test_the_model_that_is_shipped_is_among_the_released() -> None:
    assert RELEASED[load_model().model_id].file == "default"


def test_a_release_with_the_weights_of_another_has_its_own_receiver() -> None:
    """And leaves the other as it is: both are in use at once."""
    noisy, like = find_model(0xBFC0), find_model(0x13CC)
    assert (noisy.config.postfilter.top, like.config.postfilter.top) == (7000.0, 0.0)
    assert (noisy.model_id, like.model_id) == (0xBFC0, 0x13CC)
    assert noisy.generator is like.generator


@pytest.mark.parametrize("name", NAMES)
def test_bytes_and_symbols_are_exact(name: str, models: dict[int, BPGANModel]) -> None:
    entry, stream, model = golden(name, models)
    payload = bytes.fromhex(entry["payload"])
    assert stream.num_samples == entry["samples"]
    if stream.level:
        symbols = read_symbols(stream, model)
        expected = np.frombuffer(bytes.fromhex(entry["symbols"]), np.uint8).reshape(-1, entry["channels"]).T
        np.testing.assert_array_equal(symbols, expected)
        if stream.coder == "range":
            again = range_coder.encode_symbols(expected, model.contexts)
        else:
            marginals = model.marginals[: len(expected)].cpu().numpy()
            again = huffman.encode_symbols(expected, marginals)
        assert again == stream.symbols
    if payload[0] != 0xB1:
        assert bitstream.pack(stream) == payload


@pytest.mark.parametrize("name", NAMES)
def test_audio_is_the_same_within_a_thousandth(name: str, models: dict[int, BPGANModel]) -> None:
    entry, stream, model = golden(name, models)
    audio = decode(bytes.fromhex(entry["payload"]), model)
    assert audio.shape == (entry["samples"],)
    if not stream.level:
        assert not audio.any()
    elif (FOLDER / f"{name}.wav").exists():
        expected, _ = sf.read(FOLDER / f"{name}.wav", dtype="float32")
        np.testing.assert_allclose(audio, expected, rtol=0, atol=1e-3)
        assert np.abs(audio).max() > 0.02 or entry["samples"] == 1


@pytest.mark.parametrize("other", ["version-1-range", "huffman", "unchecked"])
def test_other_forms_say_the_same(other: str, models: dict[int, BPGANModel]) -> None:
    entry, _, model = golden(other, models)
    expected, _ = sf.read(FOLDER / "range.wav", dtype="float32")
    np.testing.assert_allclose(decode(bytes.fromhex(entry["payload"]), model), expected, rtol=0, atol=1e-3)


def test_a_model_that_is_not_here_is_refused_by_name(models: dict[int, BPGANModel]) -> None:
    _, stream, model = golden("range", models)
    payload = bitstream.pack(replace(stream, model_id=stream.model_id ^ 0xFFFF))
    with pytest.raises(CodecError, match=f"model {stream.model_id ^ 0xFFFF:04x}"):
        decode(payload, model)
    payload = bitstream.pack(replace(stream, layer=3))
    with pytest.raises(CodecError, match="layer 3"):
        decode(payload, model)


def test_the_specification_works_its_example_out_rightly(models: dict[int, BPGANModel]) -> None:
    text = (ROOT / "docs/bitstream.md").read_text(encoding="utf-8")
    example = text[text.index("## Worked example") :]
    hexadecimal = re.search(r"```\n(b2 [0-9a-f ]+)\n```", example)
    entry, stream, model = golden("layer-0", models)
    assert hexadecimal is not None
    assert hexadecimal[1].replace(" ", "") == entry["payload"]
    assert (stream.level, stream.num_samples, stream.layer) == (94, 9000, 0)
    rows = re.findall(
        r"^\| (\d), (\d) \| ([\d ]+) \| (\w+) \| (\w+) \| (\d+) \| (\d+) \| (\d) \|$", example, re.M
    )
    assert len(rows) == 4
    # The decoder as the specification has it, not as the code has it.
    code, size, at = int.from_bytes(stream.symbols[:4], "big"), 2**32 - 1, 4
    contexts = model.contexts.predictor(2)
    for _, channel, edges, *numbers, symbol in rows:
        unit = size >> 15
        target = min(code // unit, 2**15 - 1)
        assert [int(numbers[0], 16), int(numbers[1], 16), *map(int, numbers[2:])] == [
            code,
            size,
            unit,
            target,
        ]
        f = [int(edge) for edge in edges.split()]
        assert contexts.edges(int(channel)) == f
        v = int(symbol)
        assert f[v] <= target < f[v + 1]
        code, size = code - unit * f[v], unit * (f[v + 1] - f[v])
        while size < 2**24:
            code, size, at = (256 * code + stream.symbols[at]) % 2**32, 256 * size, at + 1
        contexts.put(int(channel), v)
    assert (code, size) == (0x517157, 0x074C1100)
    crc = 0
    for byte in bytes.fromhex(entry["payload"])[:-2]:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    assert crc == int(entry["payload"][-4:], 16)


def variants(model: BPGANModel) -> dict[str, tuple[BPGANModel, int, float]]:
    """The same decoder on other machines, as far as one can be several: threads, shapes, precision."""
    double = copy.deepcopy(model).double()
    return {"two threads": (model, 2, 60.0), "small blocks": (model, 1, 0.5), "float64": (double, 1, 60.0)}


@pytest.fixture(scope="module")
def instant() -> tuple[BPGAN, bytes, Audio]:
    """A codec, what it sends, and what one thread makes of that."""
    codec = BPGAN("bpgan-2k", search="instant")
    payload = codec.encode(harvard_sentence(6)[:16_000]).payload
    torch.set_num_threads(1)
    return codec, payload, decode(payload, codec.model)


@pytest.mark.parametrize("how", some(["two threads", "small blocks", "float64"], "small blocks".__eq__))
def test_a_stream_decodes_alike_whatever_computes_it(how: str, instant: tuple[BPGAN, bytes, Audio]) -> None:
    codec, payload, reference = instant
    stream = bitstream.unpack(payload)
    model, threads, seconds = variants(codec.model)[how]
    gain = bitstream.level_rms(stream.level) / model.config.mel.level
    torch.set_num_threads(threads)
    try:
        symbols = read_symbols(stream, model)
        np.testing.assert_array_equal(symbols, read_symbols(stream, codec.model))
        audio = Blockwise(model, seconds).decode(symbols, stream.num_samples, gain)
    finally:
        torch.set_num_threads(1)
    np.testing.assert_allclose(audio, reference, rtol=0, atol=1e-3)


@pytest.mark.parametrize("sender", ["cpu", CUDA])
@pytest.mark.parametrize("receiver", ["cpu", CUDA])
def test_one_device_decodes_what_another_encoded(
    sender: str, receiver: str, models: dict[int, BPGANModel]
) -> None:
    here = next(iter(models.values()))
    # Where both are the same device, they differ in the number of threads.
    torch.set_num_threads(2)
    try:
        model = copy.deepcopy(here).to(sender)
        encoded = BPGAN("golden", model=model, search="instant").encode(harvard_sentence(1)[:16_000])
    finally:
        torch.set_num_threads(1)
    stream = bitstream.unpack(encoded.payload)
    other = copy.deepcopy(here).to(receiver)
    symbols = read_symbols(stream, other)
    assert range_coder.encode_symbols(symbols, model.contexts) == stream.symbols
    gain = bitstream.level_rms(stream.level) / here.config.mel.level
    audio = Blockwise(other, 0.5).decode(symbols, stream.num_samples, gain)
    torch.set_num_threads(2)
    try:
        heard = BPGAN("golden", model=model).decode(encoded)
    finally:
        torch.set_num_threads(1)
    assert np.abs(heard).max() > 0.02
    np.testing.assert_allclose(audio, heard, rtol=0, atol=1e-3)
