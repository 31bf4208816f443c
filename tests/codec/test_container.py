from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.base import CodecError, Encoded
from codec.container import MAGIC, MAGIC_CHANNELS, dumps, loads, read_ear, write_ear

SLUGS = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,30}", fullmatch=True)


@st.composite
def clips(draw: st.DrawFn) -> Encoded:
    payload = draw(st.binary(max_size=400))
    rate = draw(st.integers(4_000, 192_000))
    return Encoded(
        draw(SLUGS),
        payload,
        draw(st.integers(0, 8 * len(payload))),
        rate,
        draw(st.integers(1, 60 * min(rate, 48_000))),
        channels=draw(st.integers(1, 2)),
    )


@given(clips())
def test_round_trip(encoded: Encoded) -> None:
    data = dumps(encoded)
    assert loads(data) == encoded
    assert len(data) == len(encoded.payload) + len(encoded.system) + 21 + (encoded.channels > 1)


@given(clips(), st.data())
def test_any_damage_is_noticed(encoded: Encoded, data: st.DataObject) -> None:
    good = dumps(encoded)
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del bad[data.draw(st.integers(0, len(bad))) :]
    if data.draw(st.booleans()):
        bad += data.draw(st.binary(max_size=8))
    if bytes(bad) == good:
        assert loads(bytes(bad)) == encoded
    else:
        with pytest.raises(CodecError):
            loads(bytes(bad))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        loads(data)


@given(st.sampled_from([MAGIC, MAGIC_CHANNELS]), st.binary(max_size=200))
def test_arbitrary_bodies_with_a_right_checksum(magic: bytes, body: bytes) -> None:
    """What an attacker writes is refused or is a valid clip, and never anything else."""
    try:
        encoded = loads(magic + struct.pack("<I", zlib.crc32(body)) + body)
    except CodecError:
        return
    assert loads(dumps(encoded)) == encoded


def forged(**changes: int) -> bytes:
    numbers = {"rate": 16_000, "samples": 16_000, "bits": 80} | changes
    body = b"\x07opus-6k" + struct.pack("<III", *numbers.values()) + bytes(10)
    return MAGIC + struct.pack("<I", zlib.crc32(body)) + body


def test_forged_baseline_is_valid() -> None:
    assert loads(forged()) == Encoded("opus-6k", bytes(10), 80, 16_000, 16_000)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rate": 0}, "sample rate of 0 Hz"),
        ({"rate": 2**32 - 1}, "sample rate"),
        ({"samples": 0}, "length of 0 samples"),
        ({"samples": 2**32 - 1}, "10 bytes cannot hold that"),
        ({"bits": 81}, "81 bits of payload; it holds 80"),
    ],
)
def test_headers_that_lie_are_refused(changes: dict[str, int], reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        loads(forged(**changes))


@pytest.mark.parametrize(
    "encoded",
    [
        Encoded("", b"", 0, 16_000, 1),
        Encoded("../etc", b"", 0, 16_000, 1),
        Encoded("a" * 65, b"", 0, 16_000, 1),
        Encoded("Ünicode", b"", 0, 16_000, 1),
        Encoded("opus-6k", b"", 1, 16_000, 1),
        Encoded("opus-6k", b"", 0, 16_000, 0),
        Encoded("opus-6k", b"", 0, 0, 1),
        Encoded("opus-6k", bytes(10), 0, 16_000, 2**32),
        Encoded("original", bytes(12), 96, 48_000, 2, channels=3),
        Encoded("original", bytes(12), 96, 48_000, 2, channels=0),
    ],
)
def test_what_does_not_fit_is_not_written(encoded: Encoded) -> None:
    with pytest.raises(CodecError):
        dumps(encoded)


def test_files(tmp_path: Path) -> None:
    encoded = Encoded("original", bytes(4), 32, 16_000, 2, {"not": "stored"})
    stored = Encoded("original", bytes(4), 32, 16_000, 2)
    write_ear(tmp_path / "a.ear", encoded)
    assert read_ear(tmp_path / "a.ear") == stored
    assert read_ear(str(tmp_path / "a.ear")) == stored
    buffer = io.BytesIO()
    write_ear(buffer, encoded)
    assert read_ear(io.BytesIO(buffer.getvalue())) == stored


def test_bytes_of_version_1_stay_as_they_are() -> None:
    """A golden file: what was written once must be readable for ever."""
    golden = bytes.fromhex("4541523166125d13086f726967696e616c803e0000030000003000000000000020ff7f")
    encoded = Encoded("original", np.array([0, 8192, 32767], "<i2").tobytes(), 48, 16_000, 3)
    assert loads(golden) == encoded
    assert dumps(encoded) == golden


@pytest.mark.parametrize("channels", [0, 1, 3, 255])
def test_version_2_has_two_channels(channels: int) -> None:
    """One is written as version 1, and no system has more."""
    body = b"\x08original" + struct.pack("<III", 48_000, 1, 32) + bytes([channels]) + bytes(4)
    with pytest.raises(CodecError, match="header of the bitstream is invalid"):
        loads(MAGIC_CHANNELS + struct.pack("<I", zlib.crc32(body)) + body)


def test_bytes_of_version_2_stay_as_they_are() -> None:
    pcm = np.array([[0, 1], [8192, -8192]], "<i2").tobytes()
    body = b"\x08original" + struct.pack("<III", 48_000, 2, 64) + b"\x02" + pcm
    golden = b"EAR2" + struct.pack("<I", zlib.crc32(body)) + body
    encoded = Encoded("original", pcm, 64, 48_000, 2, channels=2)
    assert loads(golden) == encoded
    assert dumps(encoded) == golden
