"""Streams that nobody wrote: always audio or `CodecError`, in work that the real input pays for."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tracemalloc
import zlib
from binascii import crc_hqx
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codec import container
from codec.base import CodecError, Encoded
from codec.bpgan.entropy import bitstream
from codec.bpgan.network import model, vocoder
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.system import BPGAN

FOLDER = Path(__file__).parent / "golden"
#: Not by tests.conftest, which needs Django: a process of its own imports this module.
ROOT = Path(__file__).parents[3]
SEEDS = {
    path.stem: bytes.fromhex(json.loads(path.read_text())["payload"])
    for path in sorted(FOLDER.glob("*.json"))
    if not path.stem.startswith("released")
}
SECOND = 16_000


@pytest.fixture(scope="module", autouse=True)
def quick_receiver() -> Iterator[None]:
    """One thread, and a vocoder that iterates once: what a stream can do does not depend on its iterations.

    The process below, whose memory is measured, has all iterations.
    """
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocoder, "griffin_lim", partial(vocoder.griffin_lim, iterations=1))
        patch.setattr(model, "invert_mel", partial(vocoder.invert_mel, iterations=1))
        yield


@cache
def codecs() -> dict[int, BPGAN]:
    loaded = [BPGANModel.load(path) for path in sorted(FOLDER.glob("*.safetensors"))]
    return {each.model_id: BPGAN("golden", model=each) for each in loaded}


def receive(payload: bytes, samples: int | None = None) -> np.ndarray | None:
    """What comes out of a stream whose container says the length that the stream says: audio, or None."""
    codec = codecs().get(int.from_bytes(payload[1:3], "big"), next(iter(codecs().values())))
    try:
        if samples is None:
            samples = bitstream.unpack(payload).num_samples
        audio = codec.decode(Encoded("golden", payload, 8 * len(payload), 16_000, samples))
    except CodecError:
        return None
    assert audio.shape == (samples,)
    assert np.isfinite(audio).all()
    # The work of a decoder is proportional to what it puts out; that, to what was put in.
    assert samples <= 60 * SECOND + 12_800 * len(payload)
    return audio


def mended(payload: bytes) -> bytes:
    """With a right checksum: what somebody writes who means harm."""
    if payload[:1] == b"\xbd" or len(payload) < 3:
        return payload
    return payload[:-2] + crc_hqx(payload[:-2], 0).to_bytes(2, "big")


def long_form(payload: bytes, samples: int) -> bytes:
    """The same stream, declaring other samples."""
    flags = int.from_bytes(payload[3:5], "big") & 0xFFE0
    fields = (flags << 24 | 1 << 28 | samples).to_bytes(5, "big")
    return mended(payload[:3] + fields + payload[7:])


def corpus() -> Iterator[tuple[str, bytes]]:
    """Mutations of every golden stream, each also with its checksum mended."""
    for name, seed in SEEDS.items():
        for cut in range(len(seed)):
            yield f"{name}: cut at {cut}", seed[:cut]
            yield f"{name}: cut at {cut} and mended", mended(seed[:cut])
        for more in (b"\0", b"\xff", bytes(100), seed):
            yield f"{name}: extended by {len(more)}", seed + more
            yield f"{name}: extended by {len(more)} and mended", mended(seed + more)
        for other in SEEDS.values():
            half = len(other) // 2
            yield f"{name}: spliced", mended(seed[: len(seed) // 2] + other[half:])
        yield f"{name}: unknown model", mended(seed[:1] + b"\x12\x34" + seed[3:])
        if seed[0] != 0xB1:
            for samples in (1 << 20, 60 * SECOND + 12_800 * len(seed), 4 * 3600 * SECOND, (1 << 28) - 1):
                yield f"{name}: {samples} samples", long_form(seed, samples)
        else:
            yield f"{name}: many samples", mended(seed[:4] + b"\xff\xff\xff\x7f" + seed[6:])
            yield f"{name}: endless length", mended(seed[:4] + b"\xff" * 40)


def test_the_streams_that_are_mutated_are_good() -> None:
    assert all(receive(seed) is not None for seed in SEEDS.values())


def test_every_mutation_ends_in_audio_or_a_reason_within_memory() -> None:
    """Of numpy's arrays and Python's objects; torch's are in the peak of the process, below."""
    heard = refused = 0
    for name, payload in corpus():
        tracemalloc.start()
        audio = receive(payload)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        out = 0 if audio is None else audio.nbytes
        assert peak < 2 * out + (4 << 20), name
        heard, refused = heard + (audio is not None), refused + (audio is None)
    assert heard > 50
    assert refused > 500


_PEAK = """
import resource, sys
import torch
torch.set_num_threads(1)
from tests.codec.bpgan.test_hostile import SEEDS, corpus, receive

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

for seed in SEEDS.values():
    receive(seed)
before, out, heard = peak(), 0, 0
for name, payload in corpus():
    if any(kind in name for kind in ("samples", "length", "extended", "unknown")):
        audio = receive(payload)
        if audio is not None:
            out, heard = max(out, audio.nbytes), heard + 1
print(heard, peak() - before - 2 * out)
"""


@pytest.mark.rest
def test_the_process_does_not_grow_for_what_a_stream_declares() -> None:
    """All memory, that of torch included: beyond the longest audio, no more than the good streams took."""
    root = ROOT
    done = subprocess.run([sys.executable, "-c", _PEAK], cwd=root, capture_output=True, text=True, check=True)
    heard, growth = map(int, done.stdout.split())
    assert heard > 5
    assert growth < 24 << 20


def test_every_flipped_bit_of_a_checked_stream_is_refused_and_of_an_unchecked_one_survived() -> None:
    for seed in SEEDS.values():
        for bit in range(8 * len(seed)):
            flipped = bytearray(seed)
            flipped[bit // 8] ^= 1 << bit % 8
            audio = receive(bytes(flipped))
            assert audio is None or seed[0] == 0xBD


@given(st.sampled_from(sorted(SEEDS)), st.data())
@settings(max_examples=150)
def test_bytes_overwritten_and_mended(name: str, data: st.DataObject) -> None:
    payload = bytearray(SEEDS[name])
    for _ in range(data.draw(st.integers(1, 6))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    receive(mended(bytes(payload)))


@given(st.sampled_from([0xB1, 0xB2, 0xBD]), st.booleans(), st.binary(max_size=120))
@settings(max_examples=150)
def test_invented_streams(first: int, known: bool, rest: bytes) -> None:
    model = sorted(codecs())[0].to_bytes(2, "big") if known else b""
    receive(mended(bytes([first]) + model + rest + b"\0\0"))


@pytest.mark.parametrize("level", [0, 60])
@pytest.mark.parametrize("coder", bitstream.CODERS)
def test_hours_cannot_be_had_for_nothing(level: int, coder: str) -> None:
    """A few bytes that declare four hours are refused before anything of that size is allocated.

    By numpy and Python, that is: they allocate a decoder's input and output. Nothing of torch runs.
    """
    model_id = sorted(codecs())[-1]  # its context model is a table, the quickest of all
    hours = bitstream.pack(bitstream.Stream(model_id, coder, level, 4 * 3600 * SECOND, b""))
    assert len(hours) > 17_000
    for payload in (mended(hours[:8] + bytes(2)), mended(hours[:8] + bytes(1000)), mended(hours[:-1])):
        tracemalloc.start()
        assert receive(payload, 4 * 3600 * SECOND) is None
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1 << 20
    if level:  # who pays the least gets to the entropy coder, which finds nothing there
        tracemalloc.start()
        assert receive(hours) is None
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 << 20


def test_long_silence_is_coded_and_comes_back() -> None:
    codec = next(iter(codecs().values()))
    encoded = codec.encode(np.zeros(600 * SECOND, np.float32))
    assert encoded.payload_bits < 540 * 10 + 100
    again = container.loads(container.dumps(encoded))
    assert not codec.decode(again).any()


EAR = container.dumps(Encoded("golden", SEEDS["range"], 8 * len(SEEDS["range"]), 16_000, 9_000))


def remade(body: bytes) -> bytes:
    return container.MAGIC + struct.pack("<I", zlib.crc32(body)) + body


@given(st.data())
@settings(max_examples=150)
def test_containers_overwritten_and_mended(data: st.DataObject) -> None:
    body = bytearray(EAR[8:])
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    del body[data.draw(st.integers(0, len(body))) :]
    body += data.draw(st.binary(max_size=20))
    try:
        encoded = container.loads(remade(bytes(body)))
    except CodecError:
        return
    if encoded.system == "golden":
        receive(encoded.payload, encoded.num_samples)


@pytest.mark.parametrize("rate", [1_000, 16_000, 48_000, 768_000])
def test_no_rate_buys_more_samples_than_the_bytes_pay_for(rate: int) -> None:
    least = min(rate, 48_000)
    body = b"\x06golden" + struct.pack("<III", rate, 61 * least, 0)
    with pytest.raises(CodecError, match="cannot hold that"):
        container.loads(remade(body))
    assert container.loads(remade(body + b"\0\0")).num_samples == 61 * least
