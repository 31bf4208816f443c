"""Stimuli sound alike in everything but the system, and their files say nothing else either."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse

from codec.audio import resample
from codec.base import Audio
from codec.reference import lowpass
from evaluation.models import Clip, Rendition
from listening.models import Item, Stimulus, Study
from listening.study.stimuli import (
    EDGE_SECONDS,
    MAX_GAIN_DB,
    PEAK,
    SAMPLE_RATES,
    StimulusError,
    dithered_wav,
    loudness,
    render_item,
    render_stimulus,
    warnings_of,
)
from tests.evaluation.conftest import make_speech

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
    first = dithered_wav(audio, RATE, b"1")
    assert first == dithered_wav(audio, RATE, b"1")
    decoded, rate = soundfile.read(io.BytesIO(first), dtype="int16")
    assert rate == RATE
    error = decoded - audio.astype(np.float64) * 32767
    assert np.abs(error).max() <= 1.5
    # Triangular dither (variance 1/6) and rounding (1/12) leave a white, signal-independent error of 1/4.
    assert error.var() == pytest.approx(0.25, rel=0.05)
    assert abs(np.corrcoef(error, audio)[0, 1]) < 0.02


def test_equal_sounds_have_unequal_bytes_but_equal_size_and_header() -> None:
    audio, silence = noise(1.0), np.zeros(RATE, np.float32)
    sounds = (audio, audio, silence, silence)
    files = [dithered_wav(sound, RATE, bytes([key])) for key, sound in enumerate(sounds)]
    assert len({file[:44] for file in files}) == 1
    assert {len(file) for file in files} == {44 + 2 * RATE}
    assert len(set(files)) == 4
    dithered_silence = np.frombuffer(files[2][44:], "<i2")
    assert set(dithered_silence.tolist()) == {-1, 0, 1}


def test_full_scale_does_not_wrap() -> None:
    square = np.where(np.arange(RATE) % 100 < 50, 1.0, -1.0).astype(np.float32)
    decoded = np.frombuffer(dithered_wav(square, RATE, b"3")[44:], "<i2")
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


# -- Sample rates, anchors, uploads


def at_rate(item: Item, rate: int) -> Item:
    """The item in a study of that rate; its clip's upload is noise at 48 kHz, so that all bands are there."""
    assert item.clip is not None
    rng = np.random.default_rng(7)
    upload = (0.05 * rng.standard_normal(2 * 48_000)).astype(np.float32)
    item.clip.upload.save("noise.wav", wav(upload, 48_000))
    item.clip.source_rate = 48_000
    item.clip.audio.save("noise16.wav", wav(resample(upload, 48_000, RATE)))
    item.clip.save()
    Study.objects.filter(pk=item.study_id).update(sample_rate=rate)
    for system in ("anchor35", "anchor70"):
        rendition = Rendition.objects.create(clip=item.clip, system=system, status=Rendition.Status.DONE)
        Stimulus.objects.create(item=item, system=system, rendition=rendition)
    item.refresh_from_db()
    return item


def spectrum_db(audio: Audio, rate: int, low: float, high: float) -> float:
    """Mean power between two frequencies, dB."""
    power = np.abs(np.fft.rfft(audio * np.hanning(audio.size))) ** 2
    frequencies = np.fft.rfftfreq(audio.size, 1 / rate)
    return float(10 * np.log10(power[(frequencies >= low) & (frequencies < high)].mean()))


@pytest.mark.parametrize("rate", SAMPLE_RATES[1:])
def test_a_study_has_one_rate_and_its_reference_the_full_band(item: Item, rate: int) -> None:
    item = at_rate(item, rate)
    render_item(item)
    audio = masters(item)
    assert {sound.size for sound in audio.values()} == {rate}
    for stimulus in item.stimuli.all():
        assert soundfile.info(stimulus.audio.path).samplerate == rate
    if rate > RATE:
        # The upload itself, not the 16 kHz that codecs got.
        top = (0.4 * rate, 0.45 * rate)
        assert (
            spectrum_db(audio["original"], rate, *top) > spectrum_db(audio["original"], rate, 500, 3000) - 2
        )
    for system, cutoff in (("anchor35", 3500), ("anchor70", 7000)):
        passed = spectrum_db(audio[system], rate, 500, cutoff - 100)
        assert passed - spectrum_db(audio[system], rate, cutoff + 550, cutoff + 950) > 25
        if cutoff + 1500 < rate / 2:
            assert passed - spectrum_db(audio[system], rate, cutoff + 1050, cutoff + 1500) > 50
        # Without delay: below the cut-off the anchor is the reference, sample by sample, but for its gain.
        fade = round(2 * EDGE_SECONDS * rate)
        ours = lowpass(audio["original"], 3000, rate)[fade:-fade]
        theirs = lowpass(audio[system], 3000, rate)[fade:-fade]
        gain = float(ours @ theirs / (ours @ ours))
        error = theirs - gain * ours
        assert float(error @ error) < 1e-3 * float(theirs @ theirs)


def test_mushra_at_8_khz_is_refused_as_its_anchor_would_be_the_reference(item: Item) -> None:
    with pytest.raises(StimulusError, match=r"At 8 kHz the 7 kHz anchor would equal the reference"):
        render_item(at_rate(item, 8_000))


def test_a_rate_that_browsers_do_not_play_is_refused(item: Item) -> None:
    with pytest.raises(StimulusError, match="cannot have 12345 Hz"):
        render_item(at_rate(item, 12_345))


def test_a_rendition_at_another_rate_is_resampled(item: Item) -> None:
    Rendition.objects.get(system="quiet").audio.save("slow.wav", wav(resample(noise(2.0), RATE, 8000), 8000))
    render_item(item)
    assert item.stimuli.get(system="quiet").delay_ms == pytest.approx(0, abs=1)
    assert masters(item)["quiet"].size == RATE


def test_an_uploaded_systems_output_is_read_from_its_upload_and_its_delay_taken_out(item: Item) -> None:
    at_rate(item, 48_000)
    assert item.clip is not None
    audio, _ = soundfile.read(item.clip.upload.path, dtype="float32")
    late = np.concatenate([np.zeros(4800, np.float32), audio])
    rendition = Rendition.objects.get(system="quiet")
    rendition.upload.save("own.wav", wav(late, 48_000))
    rendition.parameters = {"delay_seconds": 0.1}
    rendition.save()
    render_item(Item.objects.get(pk=item.pk))
    sounds = masters(item)
    np.testing.assert_allclose(sounds["quiet"], sounds["original"], atol=2e-3)
    assert item.stimuli.get(system="quiet").delay_ms == pytest.approx(0, abs=0.5)


def test_the_researcher_is_told_what_is_wrong_with_stimuli(item: Item) -> None:
    speech = make_speech(2.0)
    assert item.clip is not None
    item.clip.audio.save("speech.wav", wav(speech))
    item.clip.save()
    late = np.concatenate([np.zeros(round(0.03 * RATE), np.float32), speech])[: speech.size]
    Rendition.objects.get(system="quiet").audio.save("late.wav", wav(late))
    Rendition.objects.get(system="peaky").audio.save("faint.wav", wav(speech * np.float32(0.005)))
    Item.objects.filter(pk=item.pk).update(start=0.0, end=2.0)
    render_item(Item.objects.get(pk=item.pk))
    assert item.stimuli.get(system="quiet").delay_ms == pytest.approx(30, abs=1)
    found = warnings_of(Study.objects.get(pk=item.study_id))
    assert [text.partition(":")[0] for text in found if "ms" in text] == [
        "Sentence through quiet is 30 ms late against the reference"
    ]
    assert len([text for text in found if "could not be matched" in text]) == 1
    assert len(found) == 2


def test_what_a_higher_rate_cannot_bring_is_said(item: Item) -> None:
    at_rate(item, 48_000)
    assert item.clip is not None
    found = warnings_of(Study.objects.get(pk=item.study_id))
    assert [text for text in found if "built-in systems work at 16 kHz" in text]
    Clip.objects.filter(pk=item.clip_id).update(source_rate=16_000)
    found = warnings_of(Study.objects.get(pk=item.study_id))
    assert [text for text in found if "was recorded at 16000 Hz" in text]


def test_the_owner_sees_gains_delays_and_warnings(item: Item, client: Client) -> None:
    Rendition.objects.get(system="peaky").audio.save("faint.wav", wav(noise(2.0) * np.float32(0.008)))
    render_item(item)
    address = reverse("stimuli", args=[item.study_id])
    assert client.get(address).status_code == 302
    client.force_login(item.study.owner)
    html = client.get(address).content.decode()
    assert "10.5 dB" in html
    assert "could not be matched" in html
    client.force_login(User.objects.create_user("bob"))
    assert client.get(address).status_code == 404
