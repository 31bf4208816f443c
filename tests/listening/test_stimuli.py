"""Stimuli sound alike in everything but the system, and their files say nothing else either."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from django.contrib.auth.models import User
from django.core.files.base import ContentFile

from codec.base import Audio
from evaluation.models import Clip, Rendition
from listening.models import Item, Stimulus, Study
from listening.stimuli import (
    EDGE_SECONDS,
    MAX_GAIN_DB,
    PEAK,
    StimulusError,
    dithered_wav,
    loudness,
    render_item,
    render_stimulus,
)

RATE = 16_000


def noise(seconds: float, level: float = 0.1, seed: int = 1) -> Audio:
    """Noise with a slow level contour, as speech has one, so that gating has something to gate."""
    size = round(seconds * RATE)
    contour = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(size) / RATE)
    return (level * contour * np.random.default_rng(seed).standard_normal(size)).astype(np.float32)


@pytest.mark.parametrize("gain", [0.25, 0.9, 1.0, 2.0])
def test_loudness_is_matched_within_a_tenth_of_a_decibel(gain: float) -> None:
    clip = noise(3.0)
    audio, gain_db = render_stimulus(clip, clip * np.float32(gain) + noise(3.0, 0.005, 2), 0.5, 2.5, RATE)
    assert audio.dtype == np.float32
    assert audio.shape == (2 * RATE,)
    assert gain_db == pytest.approx(-20 * np.log10(gain), abs=0.25)
    reference, _ = render_stimulus(clip, clip, 0.5, 2.5, RATE)
    assert loudness(audio, RATE) == pytest.approx(loudness(reference, RATE), abs=0.1)


def test_the_reference_itself_gets_no_gain() -> None:
    clip = noise(2.0)
    audio, gain_db = render_stimulus(clip, clip, 0.0, 2.0, RATE)
    assert gain_db == 0.0
    fade = round(EDGE_SECONDS * RATE)
    np.testing.assert_array_equal(audio[fade:-fade], clip[fade:-fade])


def test_the_excerpt_is_cut_out_of_the_rendition_at_the_same_place() -> None:
    clip = noise(2.0)
    rendition = np.zeros_like(clip)
    rendition[RATE : RATE + 100] = 0.5
    audio, _ = render_stimulus(clip, rendition, 0.75, 1.75, RATE)
    assert np.flatnonzero(audio)[[0, -1]].tolist() == [RATE // 4, RATE // 4 + 99]


def test_edges_fade_alike() -> None:
    clip = noise(2.0)
    audio, _ = render_stimulus(clip, np.full_like(clip, 0.1), 0.0, 1.0, RATE)
    fade = round(EDGE_SECONDS * RATE)
    assert audio[0] == audio[-1] == 0
    np.testing.assert_allclose(audio[:fade], audio[-fade:][::-1])
    assert (np.diff(audio[:fade]) > 0).all()


def test_a_rendition_of_another_length_comes_out_at_the_clips() -> None:
    clip = noise(1.0)
    for other in (noise(0.7), noise(1.4)):
        assert render_stimulus(clip, other, 0.0, 1.0, RATE)[0].shape == (RATE,)


@pytest.mark.parametrize("seconds", [1 / RATE, 0.01, 0.3, 0.5])
def test_very_short_excerpts_are_rendered(seconds: float) -> None:
    clip = noise(1.0)
    audio, gain_db = render_stimulus(clip, clip * np.float32(0.5), 0.0, seconds, RATE)
    assert audio.size == round(seconds * RATE)
    assert np.isfinite(audio).all()
    assert gain_db == pytest.approx(6.02, abs=0.01)


def test_silence_gets_no_gain() -> None:
    silence, sound = np.zeros(RATE, np.float32), noise(1.0)
    for clip, rendition in ((silence, silence), (silence, sound), (sound, silence)):
        audio, gain_db = render_stimulus(clip, rendition, 0.0, 1.0, RATE)
        assert gain_db == 0.0
        assert np.isfinite(audio).all()


def test_a_codec_that_all_but_lost_the_signal_is_not_blown_up() -> None:
    clip = noise(1.0)
    assert render_stimulus(clip, clip * np.float32(0.005), 0.0, 1.0, RATE)[1] == MAX_GAIN_DB


@pytest.mark.parametrize(("start", "end"), [(0.5, 0.5), (0.6, 0.5), (-0.1, 0.5), (1.0, 1.5)])
def test_an_excerpt_outside_the_clip_is_refused(start: float, end: float) -> None:
    with pytest.raises(StimulusError, match=r"not inside a clip of 1\.00 s"):
        render_stimulus(noise(1.0), noise(1.0), start, end, RATE)


def test_dither_is_inaudible_and_reproducible() -> None:
    audio = noise(2.0)
    first = dithered_wav(audio, RATE, seed=1)
    assert first == dithered_wav(audio, RATE, seed=1)
    decoded, rate = soundfile.read(io.BytesIO(first), dtype="int16")
    assert rate == RATE
    error = decoded - audio.astype(np.float64) * 32767
    assert np.abs(error).max() <= 1.5
    # Triangular dither (variance 1/6) and rounding (1/12) leave a white, signal-independent error of 1/4.
    assert error.var() == pytest.approx(0.25, rel=0.05)
    assert abs(np.corrcoef(error, audio)[0, 1]) < 0.02


def test_equal_sounds_have_unequal_bytes_but_equal_size_and_header() -> None:
    audio, silence = noise(1.0), np.zeros(RATE, np.float32)
    files = [dithered_wav(sound, RATE, seed) for seed, sound in enumerate((audio, audio, silence, silence))]
    assert len({file[:44] for file in files}) == 1
    assert {len(file) for file in files} == {44 + 2 * RATE}
    assert len(set(files)) == 4
    dithered_silence = np.frombuffer(files[2][44:], "<i2")
    assert set(dithered_silence.tolist()) == {-1, 0, 1}


def test_full_scale_does_not_wrap() -> None:
    square = np.where(np.arange(RATE) % 100 < 50, 1.0, -1.0).astype(np.float32)
    decoded = np.frombuffer(dithered_wav(square, RATE, 3)[44:], "<i2")
    assert (np.sign(decoded) == np.sign(square)).all()


# -- Stored items


def wav(audio: Audio, rate: int = RATE) -> ContentFile[bytes]:
    file = io.BytesIO()
    soundfile.write(file, audio, rate, format="WAV", subtype="FLOAT")
    return ContentFile(file.getvalue())


@pytest.fixture
def item(db: None, settings: pytest.FixtureRequest, tmp_path: Path) -> Item:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]
    owner = User.objects.create_user("alice")
    clip = Clip.objects.create(
        owner=owner, sha256="0" * 64, title="Sentence", original_name="s.wav", seconds=2.0,
        source_rate=RATE, source_channels=1, source_format="WAV",
    )  # fmt: skip
    clip.audio.save("clip.wav", wav(noise(2.0)))
    study = Study.objects.create(owner=owner, name="Study", systems=["quiet", "peaky"], seed=1)
    item = Item.objects.create(study=study, clip=clip, position=0, start=0.5, end=1.5)
    peaky = noise(2.0, 0.02, seed=3)
    peaky[RATE] = 1.0
    for system, audio in (("original", None), ("quiet", noise(2.0) * np.float32(0.3)), ("peaky", peaky)):
        rendition = None
        if audio is not None:
            rendition = Rendition.objects.create(clip=clip, system=system, status=Rendition.Status.DONE)
            rendition.audio.save(f"{system}.wav", wav(audio))
        Stimulus.objects.create(item=item, system=system, rendition=rendition)
    return item


def masters(item: Item) -> dict[str, Audio]:
    return {
        stimulus.system: soundfile.read(stimulus.audio.path, dtype="float32")[0]
        for stimulus in item.stimuli.all()
    }


def test_an_item_shares_loudness_and_headroom(item: Item) -> None:
    render_item(item)
    audio = masters(item)
    assert {sound.size for sound in audio.values()} == {RATE}
    assert np.abs(audio["peaky"]).max() == pytest.approx(PEAK, abs=1e-4)
    # Turned down together: levels stay matched, and the reference got no matching gain of its own.
    levels = [loudness(sound, RATE) for sound in audio.values()]
    assert max(levels) - min(levels) < 0.3
    assert item.stimuli.get(system="original").gain_db == 0.0
    assert item.stimuli.get(system="quiet").gain_db == pytest.approx(10.46, abs=0.05)


def test_rendering_again_replaces_the_files(item: Item) -> None:
    render_item(item)
    before = {stimulus.audio.path for stimulus in item.stimuli.all()}
    render_item(item)
    after = {stimulus.audio.path for stimulus in item.stimuli.all()}
    assert not before & after
    assert not any(Path(path).exists() for path in before)
    assert all(Path(path).exists() for path in after)


def test_a_rendition_that_is_not_ready_is_named(item: Item) -> None:
    Rendition.objects.filter(system="quiet").update(audio="")
    with pytest.raises(StimulusError, match="Sentence through quiet is not ready yet"):
        render_item(item)
    assert not any(stimulus.audio for stimulus in item.stimuli.all())


def test_a_rendition_at_another_rate_is_refused(item: Item) -> None:
    Rendition.objects.get(system="quiet").audio.save("slow.wav", wav(noise(2.0), 8000))
    with pytest.raises(StimulusError, match="is at 8000 Hz, the clip at 16000 Hz"):
        render_item(item)
