"""BPGAN on real speech, with the committed model: rate, quality, search, damage."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soxr
import torch
from pesq import pesq

from codec import registry
from codec.audio import resample
from codec.base import CodecError, CodecUnavailable
from codec.bpgan.config import Rate, change_receiver
from codec.bpgan.entropy import bitstream
from codec.bpgan.network.model import BPGANModel
from codec.bpgan.search.objective import distortion
from codec.bpgan.search.search import SearchConfig, search
from codec.bpgan.system import BPGAN
from tests.codec.exactness import load
from tests.codec.speech import SENTENCES, coded_sentence, harvard_sentence
from tests.rows import some

#: Rates are those of ordinary sentences. These are short and have no pauses: every bit of a header and of
#: speech shows.
DENSE = 1.06


def bpgan(slug: str = "bpgan-2k") -> BPGAN:
    codec = registry.load(slug)
    assert isinstance(codec, BPGAN)
    return codec


@pytest.fixture(scope="module")
def coded() -> tuple[np.ndarray, object, np.ndarray]:
    """A second of speech, as it is encoded, and as it is decoded."""
    speech = harvard_sentence(0)[:16_000]
    encoded = BPGAN("bpgan-2k", search="instant").encode(speech)
    return speech, encoded, bpgan().decode(encoded)


@pytest.mark.rest
def test_two_kilobits_beat_amrwb_at_six() -> None:
    rates: list[float] = []
    scores: dict[str, list[float]] = {"bpgan-2k": [], "amrwb-6.6k": []}
    for index in range(SENTENCES):
        speech = harvard_sentence(index)
        for slug, found in scores.items():
            codec = registry.load(slug)
            encoded = coded_sentence(slug, index)
            decoded = codec.decode(encoded)
            assert decoded.shape == speech.shape
            found.append(pesq(16_000, speech, decoded, "wb"))
            if slug == "bpgan-2k":
                rates.append(encoded.kbps)
                assert abs(20 * np.log10(np.std(decoded) / np.std(speech))) < 1.5
    assert np.mean(rates) <= 2.0 * DENSE
    assert np.mean(scores["bpgan-2k"]) > np.mean(scores["amrwb-6.6k"])


@pytest.mark.rest
@pytest.mark.parametrize("sentences", [(0, 3, 6)], ids=str)
def test_more_bits_are_worth_their_while(sentences: tuple[int, ...]) -> None:
    rates, scores = [], []
    for slug in ("bpgan-1k", "bpgan-2k", "bpgan-4k"):
        codec = registry.load(slug)
        coded = [(harvard_sentence(index), coded_sentence(slug, index)) for index in sentences]
        rates.append(np.mean([encoded.kbps for _, encoded in coded]))
        scores.append(np.mean([pesq(16_000, s, codec.decode(encoded), "wb") for s, encoded in coded]))
    assert rates == sorted(rates)
    assert all(rate <= DENSE * nominal for rate, nominal in zip(rates, (1.0, 2.0, 4.0), strict=True))
    assert scores == sorted(scores)


def test_decoding_is_repeatable(coded: tuple) -> None:
    _, encoded, decoded = coded
    np.testing.assert_array_equal(bpgan().decode(encoded), decoded)


def test_unified_gan_needs_more_bits_for_a_symbol(coded: tuple) -> None:
    speech, encoded, _ = coded
    older = BPGAN("unified-gan-2k", search="instant").encode(speech)
    assert older.kbps <= 2.0 * DENSE
    assert older.parameters["channels"] == 16  # 512 values in 1.024 s, as in the paper
    assert older.parameters["bits_per_symbol"] > encoded.parameters["bits_per_symbol"]
    assert bpgan("unified-gan-2k").decode(older).shape == speech.shape


@pytest.mark.parametrize("index", some([0, 3, 6], (3).__eq__))
def test_search_never_loses_to_the_encoder_and_gains_on_speech(index: int) -> None:
    model = bpgan().model
    speech = harvard_sentence(index)
    padded = torch.from_numpy(np.pad(speech, (0, -speech.size % 512)) * np.float32(2.0))[None]
    mel = model.mel(padded)
    found = search(model, mel, SearchConfig(iterations=12))
    assert float(found.objective) < float(found.encoder_objective)
    generated = model.generator(model.quantizer.decode(found.symbols))
    power, weights = (model.mel.expand(mel), model.mel.expand(generated)), model.config.objective
    heard = weights.disturbance * model.disturbance(*power) + weights.similarity * model.similarity(*power)
    torch.testing.assert_close(found.objective, distortion(generated, mel, model.hearing(mel)) + heard)


def test_search_of_a_batch_equals_the_searches_alone() -> None:
    model = bpgan().model
    mel = torch.cat([model.mel(torch.from_numpy(harvard_sentence(i)[None, :16_384].copy())) for i in (1, 5)])
    config = SearchConfig(iterations=6, exact=True)
    together = search(model, mel, config)
    alone = [search(model, mel[i : i + 1], config) for i in (0, 1)]
    for row, one in enumerate(alone):
        torch.testing.assert_close(together.objective[row : row + 1], one.objective, rtol=1e-3, atol=1e-4)


def test_a_rate_weight_saves_bits() -> None:
    codec = BPGAN("bpgan-2k", search="instant")
    free = codec.encode(harvard_sentence(0))
    codec.rate = replace(codec.rate, rate_weight=0.1)
    cheap = codec.encode(harvard_sentence(0))
    assert cheap.payload_bits < 0.97 * free.payload_bits


@pytest.mark.parametrize("samples", [1, 127, 512, 513, 4000])
def test_short_audio(samples: int) -> None:
    audio = harvard_sentence(0)[8000 : 8000 + samples]
    codec = BPGAN("bpgan-2k", search="instant")
    assert codec.decode(codec.encode(audio)).shape == (samples,)


def test_silence_costs_a_header_and_stays_silent() -> None:
    encoded = bpgan().encode(np.zeros(16_000, np.float32))
    assert encoded.payload_bits <= 80
    assert not bpgan().decode(encoded).any()


@pytest.mark.parametrize("db", [-45, -20, -5])
def test_level_is_kept(db: float) -> None:
    speech = harvard_sentence(3)
    scaled = np.clip(speech * np.float32(10 ** (db / 20) / np.abs(speech).max()), -1, 1)
    codec = BPGAN("bpgan-2k", search="instant")
    decoded = codec.decode(codec.encode(scaled))
    assert abs(20 * np.log10(np.std(decoded) / np.std(scaled))) < 0.7


def two_speakers() -> np.ndarray:
    a, b = harvard_sentence(3), harvard_sentence(5)
    size = min(a.size, b.size)
    return 0.5 * (a[:size] + b[:size])


def telephone_band() -> np.ndarray:
    speech = harvard_sentence(3)
    return soxr.resample(soxr.resample(speech, 16_000, 8_000), 8_000, 16_000).astype(np.float32)


@pytest.mark.parametrize("make", [two_speakers, telephone_band])
def test_speech_that_training_never_saw_does_not_blow_up(make: Callable[[], np.ndarray]) -> None:
    audio = make()
    codec = BPGAN("bpgan-2k", search="instant")
    decoded = codec.decode(codec.encode(audio))
    assert np.isfinite(decoded).all()
    assert abs(20 * np.log10(np.std(decoded) / np.std(audio))) < 1


def test_the_plain_inversion_is_another_receiver_of_the_same_stream() -> None:
    speech = harvard_sentence(0)[:24_000]
    codec, plain = (load(slug, 16_000) for slug in ("bpgan-2k", "bpgan-2k-plain"))
    encoded = codec.encode(speech)
    decoded = codec.decode(encoded)
    again, mine = (bitstream.unpack(each.payload) for each in (plain.encode(speech), encoded))
    assert replace(again, level=mine.level) == mine
    # Sharpening that does not keep the power is louder: each receiver is told its own level.
    louder = copy(codec.model)
    louder.config = change_receiver(louder.config, ("postfilter.bands=0.8", "postfilter.kept=0.0"))
    sharp = bitstream.unpack(BPGAN("bpgan-2k", search=codec.search, model=louder).encode(speech).payload)
    assert again.level > sharp.level
    assert replace(again, level=sharp.level) == sharp
    other = plain.decode(replace(encoded, system="bpgan-2k-plain"))
    assert other.shape == decoded.shape
    assert np.abs(other - decoded).max() > 0.01


def test_damage_is_named(coded: tuple) -> None:
    _, encoded, _ = coded
    for payload in (encoded.payload[:-9], encoded.payload[:3], b"", b"RIFF" + encoded.payload):
        with pytest.raises(CodecError):
            bpgan().decode(replace(encoded, payload=payload))


def test_a_stream_of_another_model_is_refused_by_name(coded: tuple) -> None:
    _, encoded, _ = coded
    stream = replace(bitstream.unpack(encoded.payload), model_id=0x1234 ^ bpgan().model.model_id)
    with pytest.raises(CodecError, match="model"):
        bpgan().decode(replace(encoded, payload=bitstream.pack(stream)))


def test_more_audio_than_the_bytes_can_hold_is_refused(coded: tuple) -> None:
    _, encoded, _ = coded
    stream = replace(bitstream.unpack(encoded.payload), num_samples=bitstream.MAX_SAMPLES)
    with pytest.raises(CodecError, match="symbols are missing"):
        bpgan().decode(replace(encoded, payload=bitstream.pack(stream), num_samples=bitstream.MAX_SAMPLES))


def test_a_model_says_how_its_rates_are_met_and_which_it_cannot_serve() -> None:
    tiny = BPGANModel.load(Path(__file__).parent / "golden" / "tiny.safetensors")
    assert tiny.rates == {"tiny-1": Rate(4, 0.01)}
    codec = BPGAN("tiny-1", model=tiny, channels=(6,))
    assert codec.rate == Rate(4, 0.01)
    encoded = codec.encode(harvard_sentence(0)[:9000])
    assert bitstream.unpack(encoded.payload).layer == 1
    assert encoded.parameters["rate_weight"] == 0.01
    assert BPGAN("tiny-2", model=tiny, channels=(20, 2)).rate == Rate(2)
    assert BPGAN("tiny-3", model=tiny).rate == Rate(6)
    with pytest.raises(CodecUnavailable, match="sends 40 channels; the model tiny can send 2, 4, 6"):
        BPGAN("bpgan-4k", model=tiny, channels=(40,))
    tiny.rates["bpgan-4k"] = Rate(5)
    with pytest.raises(CodecUnavailable, match="sends 5 channels"):
        BPGAN("bpgan-4k", model=tiny, channels=(4,))


def test_rates_survive_the_model_file(tmp_path: Path) -> None:
    tiny = BPGANModel.load(Path(__file__).parent / "golden" / "tiny.safetensors")
    tiny.rates["bpgan-1k"] = Rate(2, 0.125)
    tiny.save(tmp_path / "again.safetensors")
    again = BPGANModel.load(tmp_path / "again.safetensors")
    assert again.rates == tiny.rates
    assert again.model_id != tiny.model_id
    np.testing.assert_array_equal(again.marginals, tiny.marginals)


def test_a_limit_holds_for_each_file_and_costs_no_more_than_it_must() -> None:
    speech = harvard_sentence(1)[4_000:12_000]
    codec = BPGAN("bpgan-2k", search="instant")  # the limit knows nothing of how symbols are searched
    free = codec.encode(speech)
    limit = 0.93 * free.kbps
    limited = codec.limit_rate(limit)
    sent = limited.encode(speech)
    assert 0.8 * limit < sent.kbps <= limit
    assert sent.parameters["rate_weight"] > free.parameters["rate_weight"]
    assert codec.decode(sent).shape == speech.shape
    # Far below, price alone is not enough: fewer channels are sent.
    low = codec.limit_rate(0.85 * free.kbps).encode(speech)
    assert 0.7 * free.kbps < low.kbps <= 0.85 * free.kbps
    assert free.parameters["channels"] == sent.parameters["channels"] == 20
    assert low.parameters["channels"] == 16
    assert codec.decode(low).shape == speech.shape
    # Who is below anyway gets what everybody gets, and so does the system without a limit.
    assert codec.limit_rate(10.0).encode(speech).payload == free.payload == codec.encode(speech).payload


def test_a_limit_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(
        CodecError, match=r"bpgan-2k cannot send this recording at 0\.1 kbit/s: it needs [0-9.]+"
    ):
        bpgan().limit_rate(0.1).encode(np.zeros(1600, np.float32))
    with pytest.raises(CodecError, match="opus-9k has no way"):
        registry.load("opus-9k").limit_rate(2.0)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_other_rates_send_what_sixteen_kilohertz_would(rate: int) -> None:
    """The same speech at another rate gives nearly the same bits, and the output has its rate and length."""
    speech = harvard_sentence(3)[: 16_000 * 1]
    inside = BPGAN("bpgan-2k", search="instant")
    outside = BPGAN("bpgan-2k", rate, search="instant")
    given = resample(speech, 16_000, rate)
    encoded = outside.encode(given)
    decoded = outside.decode(encoded)
    assert (encoded.sample_rate, decoded.shape) == (rate, given.shape)
    assert encoded.payload_bits == pytest.approx(inside.encode(speech).payload_bits, rel=0.1)
    assert abs(20 * np.log10(np.std(decoded) / np.std(given))) < 1.5
    with pytest.raises(CodecError, match="declared"):
        outside.decode(replace(encoded, num_samples=encoded.num_samples + rate))


def test_progress_is_counted_in_samples_of_the_audio() -> None:
    said: list[tuple[int, int]] = []
    codec = BPGAN("bpgan-2k", 48_000, search="instant")
    audio = resample(harvard_sentence(0)[:16_000], 16_000, 48_000)
    codec.decode(codec.encode(audio), lambda done, total: said.append((done, total)))
    assert said[-1] == (48_000, 48_000)
