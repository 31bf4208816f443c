"""The header, and every way to damage it."""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec import container
from codec.base import CodecError, Encoded
from codec.bpgan.entropy.bitstream import (
    CODERS,
    MAX_SAMPLES,
    Stream,
    fewest_bytes,
    level_index,
    level_rms,
    pack,
    unpack,
)


@st.composite
def streams(draw: st.DrawFn, checksum: bool | None = None) -> Stream:
    num_samples = draw(st.integers(1, 1 << draw(st.integers(1, 28))).filter(lambda n: n <= MAX_SAMPLES))
    symbols = draw(st.binary(max_size=64))
    return Stream(
        model_id=draw(st.integers(0, 0xFFFF)),
        coder=draw(st.sampled_from(CODERS)),
        level=draw(st.integers(0, 127)),
        num_samples=num_samples,
        symbols=symbols.ljust(fewest_bytes(num_samples), b"\0"),
        layer=draw(st.integers(0, 7)),
        checksum=draw(st.booleans()) if checksum is None else checksum,
    )


@given(streams())
def test_round_trip_with_at_most_8_bytes_of_header(stream: Stream) -> None:
    data = pack(stream)
    assert unpack(data) == stream
    header = len(data) - len(stream.symbols) - 2 * stream.checksum
    assert header == (7 if stream.num_samples < 1 << 20 else 8)


@given(streams(checksum=True), st.data())
def test_any_flipped_bit_or_cut_is_noticed(stream: Stream, choose: st.DataObject) -> None:
    data = bytearray(pack(stream))
    if choose.draw(st.booleans()):
        bit = choose.draw(st.integers(0, 8 * len(data) - 1))
        data[bit // 8] ^= 1 << bit % 8
    else:
        del data[choose.draw(st.integers(0, len(data) - 1)) :]
    with pytest.raises(CodecError):
        unpack(bytes(data))


@given(st.sampled_from([b"", b"\xb1", b"\xb2", b"\xbd"]), st.binary(max_size=64), st.booleans())
def test_foreign_bytes_end_in_a_stream_or_a_reason(first: bytes, rest: bytes, mend: bool) -> None:
    data = first + rest
    if mend:
        data += crc_hqx(data, 0).to_bytes(2, "big")
    try:
        stream = unpack(data)
    except CodecError:
        return
    assert 1 <= stream.num_samples <= MAX_SAMPLES
    if data[0] == 0xB1:
        assert fewest_bytes(stream.num_samples) <= len(data)
    else:
        assert fewest_bytes(stream.num_samples) <= len(stream.symbols)
        assert pack(stream) == data


def test_audio_beyond_the_first_minute_has_to_be_paid_for_even_in_silence() -> None:
    minute, hour = 60 * 16_000, 3600 * 16_000
    silence = Stream(0x7AB8, "range", 0, minute, b"")
    assert len(pack(silence)) == 9
    assert len(pack(replace(silence, num_samples=hour))) == 10 + (3600 - 60) * 10 // 8
    for whole in (
        pack(replace(silence, num_samples=hour)),
        pack(replace(silence, level=60, num_samples=hour)),
    ):
        forged = whole[:8] + bytes(20)
        forged += crc_hqx(forged, 0).to_bytes(2, "big")
        with pytest.raises(CodecError, match="more audio"):
            unpack(forged)


def version_1(level: int, num_samples: int, symbols: bytes = b"") -> bytes:
    """A stream whose length takes three groups of 7 bits: 16384 to 2097151 samples."""
    groups = bytes([num_samples & 0x7F | 0x80, num_samples >> 7 & 0x7F | 0x80, num_samples >> 14])
    body = b"\xb1\x7a\xb8" + bytes([level]) + groups + symbols
    return body + crc_hqx(body, 0).to_bytes(2, "big")


def test_silence_of_version_1_needs_no_padding_within_what_its_files_could_hold() -> None:
    longest = 60 * 16_000 + 9 * 12_800  # 67 s, in nine bytes
    data = version_1(0, longest)
    assert len(data) == 9
    stream = unpack(data)
    assert (stream.num_samples, stream.level, stream.symbols, stream.layer) == (longest, 0, b"", -1)
    # The same limit as the container's, then and now.
    assert container.loads(container.dumps(Encoded("x", data, 72, 16_000, longest))).num_samples == longest
    with pytest.raises(CodecError, match="cannot hold"):
        container.dumps(Encoded("x", data, 72, 16_000, longest + 1))
    for level in (0, 60):
        with pytest.raises(CodecError, match="more audio"):
            unpack(version_1(level, longest + 1))
        assert unpack(version_1(level, longest + 1, b"\0")).num_samples == longest + 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("model_id", 1 << 16), ("layer", 8), ("level", 128), ("num_samples", 0), ("num_samples", 1 << 28)],
)
def test_what_no_header_can_say_is_refused(field: str, value: int) -> None:
    with pytest.raises(CodecError, match=str(value)):
        pack(replace(Stream(1, "range", 1, 1, b""), **{field: value}))


def test_a_short_length_has_one_form_only() -> None:
    whole = pack(Stream(1, "range", 1, 5, b""))
    long_form = whole[:4] + bytes([whole[4] | 0x10, 0, 0, 5])
    with pytest.raises(CodecError, match="short length"):
        unpack(long_form + crc_hqx(long_form, 0).to_bytes(2, "big"))


def test_a_version_that_is_not_ours_is_refused_by_number() -> None:
    for first in set(range(0xB0, 0xC0)) - {0xB1, 0xB2, 0xBD}:
        with pytest.raises(CodecError, match=f"version {first & 15};"):
            unpack(bytes([first]) + bytes(20))


@pytest.mark.parametrize("db", [-85.0, -45.0, -26.3, -5.0, 0.0])
def test_level_is_kept_within_half_a_step(db: float) -> None:
    rms = 10 ** (db / 20)
    assert level_rms(level_index(rms)) == pytest.approx(rms, rel=0.045)


def test_silence_has_level_zero() -> None:
    assert level_index(0.0) == 0
    assert level_rms(0) == 0.0
