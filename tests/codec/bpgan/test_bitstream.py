"""The header, and every way to damage it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.base import CodecError
from codec.bpgan.bitstream import MAX_SAMPLES, Stream, level_index, level_rms, pack, unpack

streams = st.builds(
    Stream,
    model_id=st.integers(0, 0xFFFF),
    coder=st.sampled_from(["range", "huffman"]),
    level=st.integers(0, 127),
    num_samples=st.integers(1, MAX_SAMPLES),
    symbols=st.binary(max_size=64),
)


@given(streams)
@settings(deadline=None)
def test_round_trip_with_at_most_8_bytes_of_header(stream: Stream) -> None:
    data = pack(stream)
    assert unpack(data) == stream
    assert len(data) - len(stream.symbols) <= 8 + 2


@given(streams, st.data())
@settings(deadline=None)
def test_any_flipped_bit_or_cut_is_noticed(stream: Stream, choose: st.DataObject) -> None:
    data = bytearray(pack(stream))
    if choose.draw(st.booleans()):
        bit = choose.draw(st.integers(0, 8 * len(data) - 1))
        data[bit // 8] ^= 1 << bit % 8
    else:
        del data[choose.draw(st.integers(0, len(data) - 1)) :]
    with pytest.raises(CodecError):
        unpack(bytes(data))


@given(st.binary(max_size=64))
@settings(deadline=None)
def test_foreign_bytes_end_in_a_stream_or_a_reason(data: bytes) -> None:
    with suppress(CodecError):
        assert pack(unpack(data)) == data


def test_a_version_that_is_not_ours_is_refused_by_number() -> None:
    with pytest.raises(CodecError, match="version 9"):
        unpack(bytes([0xB9]) + bytes(20))


def test_length_that_no_header_can_say_is_refused() -> None:
    with pytest.raises(CodecError, match="samples"):
        pack(Stream(0, "range", 1, MAX_SAMPLES + 1, b""))


@pytest.mark.parametrize("db", [-85.0, -45.0, -26.3, -5.0, 0.0])
def test_level_is_kept_within_half_a_step(db: float) -> None:
    rms = 10 ** (db / 20)
    assert level_rms(level_index(rms)) == pytest.approx(rms, rel=0.045)


def test_silence_has_level_zero() -> None:
    assert level_index(0.0) == 0
    assert level_rms(0) == 0.0
