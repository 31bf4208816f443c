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
from listening.study import stimuli as stimuli_module
from listening.study.stimuli import (
    EDGE_SECONDS,
    MAX_GAIN_DB,
    PEAK,
    SAMPLE_RATES,
    StimulusError,
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


def in_stereo(item: Item, rate: int) -> tuple[Item, Audio]:
    """The item in a stereo study of that rate, its clip as taken in, and the clip's audio: noise in both."""
    item = at_rate(item, rate)
    assert item.clip is not None
    rng = np.random.default_rng(8)
    audio = (0.05 * rng.standard_normal((2 * rate, 2)) * [1.0, 0.4]).astype(np.float32)
    item.clip.audio.save("stereo.wav", wav(audio, rate))
    item.clip.rate = item.clip.source_rate = rate
    item.clip.channels = item.clip.source_channels = 2
    item.clip.save()
    Study.objects.filter(pk=item.study_id).update(channels=2)
    return Item.objects.get(pk=item.pk), audio


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_stereo_study_is_stereo_throughout(item: Item, rate: int) -> None:
    item, audio = in_stereo(item, rate)
    render_item(item)
    sounds = masters(item)
    assert {sound.shape for sound in sounds.values()} == {(rate, 2)}
    # The reference is the working copy itself, sample by sample, but for the common headroom and the fades.
    fade = round(EDGE_SECONDS * rate)
    cut = audio[rate // 2 : rate // 2 + rate][fade:-fade]
    ours = sounds["original"][fade:-fade]
    headroom = float(np.vdot(ours, cut) / np.vdot(cut, cut))
    np.testing.assert_allclose(ours, headroom * cut, atol=1e-6)
    levels = [loudness(sound, rate) for sound in sounds.values()]
    assert max(levels) - min(levels) < 0.3
    # A system in mono is the same on both sides; anchors keep to their mask on each by itself.
    np.testing.assert_array_equal(sounds["quiet"][:, 0], sounds["quiet"][:, 1])
    for channel in (0, 1):
        for system, cutoff in (("anchor35", 3500), ("anchor70", 7000)):
            sound = sounds[system][:, channel]
            passed = spectrum_db(sound, rate, 500, cutoff - 100)
            assert passed - spectrum_db(sound, rate, cutoff + 550, cutoff + 950) > 25
            assert passed - spectrum_db(sound, rate, cutoff + 1050, cutoff + 1500) > 50
    powers = np.mean(sounds["anchor35"] ** 2, axis=0)
    assert powers[1] / powers[0] == pytest.approx(0.16, rel=0.1)


def test_an_anchor_of_a_long_clip_is_the_same_without_filtering_all_of_it(
    item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_rate(item, 44_100)
    render_item(Item.objects.get(pk=item.pk))
    whole = masters(item)
    monkeypatch.setattr(stimuli_module, "LONG_SECONDS", 1.0)
    Item.objects.filter(pk=item.pk).update(start=1.2, end=1.7)
    render_item(Item.objects.get(pk=item.pk))
    part = masters(item)
    fade = round(EDGE_SECONDS * 44_100)
    inside = slice(round(0.7 * 44_100) + fade, round(1.0 * 44_100) - fade)
    for system in ("anchor35", "anchor70"):
        ours = part[system][fade : fade + inside.stop - inside.start]
        theirs = whole[system][inside]
        gain = float(ours @ theirs / (theirs @ theirs))
        np.testing.assert_allclose(ours, gain * theirs, atol=1e-6)


def test_a_stereo_clip_in_a_mono_study_is_the_mean(item: Item) -> None:
    item, audio = in_stereo(item, 48_000)
    Study.objects.filter(pk=item.study_id).update(channels=1, sample_rate=RATE)
    item = Item.objects.get(pk=item.pk)
    render_item(item)
    mono = resample(audio.mean(axis=1).astype(np.float32), 48_000, RATE)[RATE // 2 : RATE // 2 + RATE]
    fade = round(EDGE_SECONDS * RATE)
    ours, cut = masters(item)["original"][fade:-fade], mono[fade:-fade]
    np.testing.assert_allclose(ours, cut * (ours @ cut) / (cut @ cut), atol=1e-6)


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
    Study.objects.filter(pk=item.study_id).update(channels=2)
    for system in ("opus-9k", "celp-8k"):
        rendition = Rendition.objects.create(clip=item.clip, system=system, status=Rendition.Status.DONE)
        Stimulus.objects.create(item=item, system=system, rendition=rendition)
    found = warnings_of(Study.objects.get(pk=item.study_id))
    assert (
        "Opus 9k, CELP 8k (Speex): processed in mono at 16 kHz, so heard up to 8 kHz and alike in both "
        "channels, beside a reference in stereo at 48 kHz."
    ) in found
    assert "Recorded in mono, heard alike in both channels: Sentence." in found
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
    assert "10.5\xa0dB" in html
    assert "could not be matched" in html
    client.force_login(User.objects.create_user("bob"))
    assert client.get(address).status_code == 404
