"""Uploads, good and bad, through the API as a client sends them: a clip or a clear message, never a 500."""

from __future__ import annotations

import io
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError
from django.utils.module_loading import import_string

from codec import registry
from evaluation.clips import ingest as ingest_module
from evaluation.clips.ingest import ClipRejected, ClipTooLarge, clean_name, ingest
from evaluation.clips.uploads import LimitedUploadHandler
from evaluation.models import Clip, Job, Rendition
from tests.evaluation.conftest import RATE, SPEECH_SYSTEMS, make_speech, make_upload, make_wav, script_of

SPEECH = make_speech(1.0)
Post = Callable[..., Any]


@pytest.fixture
def post(alice: User) -> Post:
    """Upload as alice through the API."""
    client = script_of(alice)

    def send(content: bytes, name: str = "speech.wav", **fields: str) -> Any:
        return client.post("/api/clips", {"file": SimpleUploadedFile(name, content), **fields})

    return send


def accepted(response: Any) -> Clip:
    assert response.status_code == 201, response.content
    return Clip.objects.get(pk=response.json()["id"])


def stored(media: Path) -> list[Path]:
    return [path for path in media.rglob("*") if path.is_file()]


def audio_of(clip: Clip) -> Any:
    audio, rate = soundfile.read(clip.audio.path, dtype="float32")
    assert rate == RATE
    assert audio.ndim == 1
    return audio


# -- What is taken


def test_upload_becomes_a_clip_with_a_rendition_for_each_system(post: Post, alice: User) -> None:
    content = make_wav(SPEECH)
    clip = accepted(post(content, "My speech.wav"))
    assert (clip.owner, clip.title, clip.original_name) == (alice, "My speech", "My speech.wav")
    assert (clip.source_rate, clip.source_channels, clip.source_format) == (RATE, 1, "WAV, PCM_16")
    assert clip.seconds == 1.0
    assert Path(clip.upload.path).read_bytes() == content
    np.testing.assert_allclose(audio_of(clip), SPEECH, atol=1 / 32768)
    assert set(clip.renditions.values_list("status", flat=True)) == {Job.Status.QUEUED}
    assert set(clip.renditions.values_list("system", flat=True)) == set(SPEECH_SYSTEMS)


@pytest.mark.parametrize(
    ("format", "subtype", "name"),
    [
        ("WAV", "PCM_24", "a.wav"),
        ("WAV", "FLOAT", "a.wav"),
        ("WAV", "DOUBLE", "a.wav"),
        ("FLAC", "PCM_16", "a.flac"),
        ("OGG", "VORBIS", "a.ogg"),
        ("MP3", "MPEG_LAYER_III", "a.mp3"),
    ],
)
def test_formats(post: Post, format: str, subtype: str, name: str) -> None:
    clip = accepted(post(make_wav(SPEECH, subtype=subtype, format=format), name))
    assert clip.seconds == pytest.approx(1.0, abs=0.1)
    assert format in clip.source_format
    assert np.abs(audio_of(clip)).max() > 0.1


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_clip_keeps_its_rate_and_channels_to_the_sample(post: Post, rate: int, channels: int) -> None:
    rng = np.random.default_rng(rate)
    audio = rng.integers(-20_000, 20_000, (rate // 2, channels), dtype=np.int16)
    clip = accepted(post(make_wav(audio, rate=rate)))
    assert (clip.rate, clip.channels, clip.source_rate, clip.source_channels) == (rate, channels) * 2
    kept, kept_rate = soundfile.read(clip.audio.path, dtype="int16", always_2d=True)
    assert kept_rate == rate
    np.testing.assert_array_equal(kept, audio)
    assert clip.notes == []


@pytest.mark.parametrize(
    ("right", "told", "speech"),
    [(0.999, None, True), (0.5, None, False), (-1.0, None, False), (0.5, True, True), (1.0, False, False)],
)
def test_what_is_the_same_in_both_channels_is_taken_for_speech(
    alice: User, media: Path, right: float, told: bool | None, speech: bool
) -> None:
    content = make_wav(np.stack([SPEECH, right * SPEECH], axis=1))
    clip, _ = ingest(alice, make_upload(content), speech=told)
    assert clip.speech == speech
    # In stereo, or as music, it goes through codecs for every kind of sound, too.
    assert set(clip.renditions.values_list("system", flat=True)) == set(registry.SYSTEMS)


def test_surround_sound_is_mixed_to_stereo_by_bs_775(post: Post) -> None:
    """A tone in one channel at a time: 0 dB of the front, -3 dB of the middle and the back, no LFE."""
    tone = 0.25 * np.sin(2 * np.pi * 1000 * np.arange(4800) / 48_000)
    audio = np.zeros((6 * 4800, 6))
    for channel in range(6):
        audio[channel * 4800 : (channel + 1) * 4800, channel] = tone
    clip = accepted(post(make_wav(audio, rate=48_000)))
    assert (clip.channels, clip.source_channels) == (2, 6)
    mixed = "6 channels mixed to stereo by ITU-R BS.775, without the channel of low frequencies"
    assert mixed in clip.notes
    mixed = soundfile.read(clip.audio.path)[0].reshape(6, 4800, 2)
    levels = np.sqrt(np.mean(mixed**2, axis=1)) / np.sqrt(np.mean(tone**2))
    half = 10 ** (-3.0103 / 20)
    expected = [(1, 0), (0, 1), (half, half), (0, 0), (half, 0), (0, half)]
    np.testing.assert_allclose(levels, expected, atol=1e-3)


def test_surround_sound_that_would_clip_is_turned_down(post: Post) -> None:
    loud = 0.9 * np.where(np.arange(24_000) // 48 % 2, 1.0, -1.0)
    clip = accepted(post(make_wav(np.stack([loud] * 5, axis=1), rate=48_000)))
    assert "the mix is 6.7 dB quieter, to stay below full scale" in clip.notes


def test_more_channels_than_bs_775_places(post: Post) -> None:
    clip = accepted(post(make_wav(np.stack([SPEECH] * 9, axis=1))))
    assert (clip.channels, clip.source_channels) == (1, 9)
    assert any(note.startswith("9 channels mixed to mono (mean)") for note in clip.notes)
    np.testing.assert_allclose(audio_of(clip), SPEECH, atol=1.5 / 32768)


@pytest.mark.parametrize(("rate", "kept"), [(192_000, 48_000), (6_000, 8_000)])
def test_rates_outside_8_to_48_khz_are_resampled(post: Post, rate: int, kept: int) -> None:
    clip = accepted(post(make_wav(make_speech(0.5, rate=rate), rate=rate)))
    assert (clip.source_rate, clip.rate) == (rate, kept)
    assert soundfile.info(clip.audio.path).frames == kept / 2
    assert f"resampled from {rate} Hz to {kept} Hz" in clip.notes


def test_silence_is_a_clip_and_says_so(post: Post) -> None:
    assert "the recording is silent" in accepted(post(make_wav(np.zeros(RATE)))).notes


def test_clipped_square_wave_is_a_clip_and_says_so(post: Post) -> None:
    square = np.sign(np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE) + 1e-9)
    clip = accepted(post(make_wav(square)))
    assert any(note.startswith("clipping:") for note in clip.notes)
    assert np.abs(audio_of(clip)).max() <= 1.0


def test_ten_minutes_are_taken(post: Post) -> None:
    assert accepted(post(make_wav(np.zeros(600 * 8000), rate=8000))).seconds == 600.0


def test_title_of_ones_own(post: Post) -> None:
    clip = accepted(post(make_wav(SPEECH), title="  Woman 1,\nHarvard list 3 "))
    assert clip.title == "Woman 1, Harvard list 3"


def test_long_titles_are_cut(post: Post) -> None:
    assert len(accepted(post(make_wav(SPEECH), title="x" * 1000)).title) == 200


# -- What is turned away


def bomb() -> bytes:
    """A FLAC file of 601 s of silence in a few kilobytes."""
    content = io.BytesIO()
    soundfile.write(content, np.zeros((601 * 48_000, 1), dtype=np.int16), 48_000, format="FLAC")
    return content.getvalue()


def lying_wav() -> bytes:
    """A WAV header that declares 1 MB of samples, and a second of them."""
    content = bytearray(make_wav(SPEECH))
    content[4:8] = content[40:44] = struct.pack("<I", 1_000_000)
    return bytes(content)


NAN = np.where(np.arange(RATE) == 100, np.nan, SPEECH).astype(np.float32)
INFINITE = np.where(np.arange(RATE) == 100, np.inf, SPEECH).astype(np.float32)


@pytest.mark.parametrize(
    "content", [make_wav(SPEECH, format="FLAC")[:6000], lying_wav()], ids=["FLAC", "WAV"]
)
def test_the_good_part_of_what_breaks_off_is_a_clip_and_says_so(post: Post, content: bytes) -> None:
    clip = Clip.objects.get(pk=post(content, "speech.bin").json()["id"])
    assert any("the file breaks off at" in note for note in clip.notes)
    audio, _ = soundfile.read(clip.audio.path, dtype="float32")
    assert audio.size > ingest_module.MIN_SECONDS * RATE
    assert np.abs(audio - SPEECH[: audio.size]).max() < 1e-4


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"Dear diary, this is no audio at all.\n" * 50, "speech.wav", "text file"),
        (b"", "speech.wav", "empty"),
        (make_wav(SPEECH)[:44], "speech.wav", ""),
        (make_wav(SPEECH[:160]), "speech.wav", "0.01 s is shorter than the 0.25 s"),
        (make_wav(NAN, subtype="FLOAT"), "speech.wav", "not a finite number"),
        (make_wav(INFINITE, subtype="FLOAT"), "speech.wav", "not a finite number"),
        (make_wav(np.zeros(601 * 8000), rate=8000), "speech.wav", "601.0 s is longer than the 600 s"),
        (bomb(), "speech.flac", "longer than the 600 s"),
        (make_wav(SPEECH)[:20], "speech.wav", ""),
        (bytes(range(256)) * 40, "speech.mp3", ""),
        (b"PK\x03\x04" + b"\0" * 2000, "speech.wav", ""),
    ],
    ids=[
        "text", "zero bytes", "zero samples", "10 ms", "NaN", "infinity", "601 s", "bomb", "cut header",
        "noise", "zip",
    ],
)  # fmt: skip
def test_bad_recordings_get_a_reason(post: Post, media: Path, content: bytes, name: str, reason: str) -> None:
    response = post(content, name)
    assert response.status_code == 422, response.content
    error = response.json()["detail"]
    assert reason in error
    assert error.endswith(".")
    assert "earshot-upload-" not in error, "a path of the server"
    assert not Clip.objects.exists()
    assert stored(media) == []


def test_a_bomb_takes_little_memory(alice: User, settings: Any) -> None:
    settings.UPLOAD_MAX_SECONDS = 60.0
    content = bomb()
    assert len(content) < 200_000
    tracemalloc.start()
    with pytest.raises(ClipRejected):
        ingest(alice, make_upload(content, "bomb.flac"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30_000_000  # decoded whole it would be 115 MB as float32


def test_one_bad_file_leaves_its_neighbours_alone(post: Post) -> None:
    first = accepted(post(make_wav(SPEECH), "first.wav"))
    assert post(b"text", "bad.wav").status_code == 422
    second = accepted(post(make_wav(SPEECH * 0.5), "second.wav"))
    assert first.renditions.count() == second.renditions.count() == len(SPEECH_SYSTEMS)


def test_missing_file_is_explained(post: Post, alice: User) -> None:
    client = script_of(alice)
    for response in (client.post("/api/clips"), client.post("/api/clips", {"file": "just text"})):
        assert response.status_code == 422
        assert "named 'file'" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"no boundary here", "multipart/form-data"),
        (b"--edge\r\nbroken", "multipart/form-data; boundary=edge"),
        (b'{"file": 1}', "application/json"),
        (b"", "multipart/form-data; boundary=edge"),
    ],
)
def test_malformed_requests_are_explained(alice: User, body: bytes, content_type: str) -> None:
    response = script_of(alice).post("/api/clips", body, content_type=content_type)
    assert response.status_code == 422
    assert "multipart/form-data" in response.json()["detail"]


# -- Size


class Endless(io.RawIOBase):
    """A request body of any size that counts how much of it is read."""

    def __init__(self, head: bytes, zeros: int, tail: bytes) -> None:
        self.left = [memoryview(head), zeros, memoryview(tail)]
        self.taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self.left:
            part = self.left[0]
            size = part if isinstance(part, int) else len(part)
            if size == 0:
                self.left.pop(0)
                continue
            n = min(len(buffer), size)
            buffer[:n] = bytes(n) if isinstance(part, int) else part[:n]
            self.left[0] = part - n if isinstance(part, int) else part[n:]
            self.taken += n
            return n
        return 0


def two_hundred_megabytes() -> tuple[Endless, dict[str, Any]]:
    head = (
        b'--edge\r\nContent-Disposition: form-data; name="file"; filename="big.wav"\r\n'
        b"Content-Type: audio/wav\r\n\r\n"
    )
    tail = b'\r\n--edge\r\nContent-Disposition: form-data; name="title"\r\n\r\nBig\r\n--edge--\r\n'
    body = Endless(head, 200_000_000, tail)
    return body, {
        "wsgi.input": body,
        "CONTENT_TYPE": "multipart/form-data; boundary=edge",
        "CONTENT_LENGTH": str(len(head) + 200_000_000 + len(tail)),
    }


def test_200_mb_are_refused_unread(alice: User, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 50_000_000
    body, environ = two_hundred_megabytes()
    client = script_of(alice)
    response = client.generic("POST", "/api/clips", **environ)
    assert response.status_code == 413
    assert response.json()["detail"] == "The file has 200.0 MB; this site takes up to 50 MB."
    assert body.taken < 1_000_000


def test_a_form_with_200_mb_is_read_but_not_stored(alice: User, rf: Any, settings: Any) -> None:
    """In a page's form, whose other fields are wanted, the rest of a file is dropped as it comes in."""
    settings.UPLOAD_MAX_BYTES = 1_000_000
    body, environ = two_hundred_megabytes()
    body.left[1] = 20_000_000
    environ["CONTENT_LENGTH"] = str(int(environ["CONTENT_LENGTH"]) - 180_000_000)
    request = rf.generic("POST", "/clips/", **environ)
    file = request.FILES["file"]
    assert request.POST["title"] == "Big"
    assert file.size == 20_000_000
    assert Path(file.temporary_file_path()).stat().st_size <= 1_000_000
    with pytest.raises(ClipTooLarge, match=r"The file has 20.0 MB; this site takes up to 1 MB\."):
        ingest(alice, file)


def test_the_site_uses_the_limited_handler(settings: Any) -> None:
    assert import_string(settings.FILE_UPLOAD_HANDLERS[-1]) is LimitedUploadHandler


def test_a_file_that_is_larger_than_it_says_is_cut_off(alice: User, settings: Any) -> None:
    settings.UPLOAD_MAX_BYTES = 1000
    upload = make_upload(make_wav(SPEECH))
    upload.size = 10
    with pytest.raises(ClipTooLarge):
        ingest(alice, upload)


# -- Names


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../etc/passwd.wav", "passwd.wav"),
        ("..\\..\\windows\\system32.wav", "system32.wav"),
        ("/etc/cron.d/job", "job"),
        ("<script>alert(1)</script>.wav", "script>.wav"),
        ("<img src=x onerror=alert(1)>.wav", "<img src=x onerror=alert(1)>.wav"),
        ("a\0b\r\nSet-Cookie: x.wav", "a b Set-Cookie: x.wav"),
        ("\u202egnp.wav", "gnp.wav"),
        ("", "recording"),
        ("..", ".."),
        ("x" * 500 + ".wav", "x" * 251 + ".wav"),
        ("half \ud83d.wav", "half .wav"),
        ("été 🎤.wav", "été 🎤.wav"),
    ],
)
def test_names_are_for_showing_only(alice: User, media: Path, name: str, kept: str) -> None:
    assert clean_name(name) == kept
    upload = make_upload(make_wav(SPEECH))
    upload._name = name  # Django would have cleaned it
    clip, _ = ingest(alice, upload)
    assert clip.original_name == kept
    assert clip.title
    for path in stored(media):
        assert path.resolve().is_relative_to(media.resolve())
        assert path.name.replace(".", "").isalnum()
    assert len(stored(media)) == 2


@pytest.mark.parametrize("name", ["../../evil.wav", "<script>alert(1)</script>.wav"])
def test_hostile_names_through_the_api(post: Post, media: Path, name: str) -> None:
    clip = accepted(post(make_wav(SPEECH), name))
    assert "/" not in clip.original_name
    assert len(stored(media)) == 2


# -- The same file again


def test_the_same_bytes_are_the_same_clip(post: Post, media: Path) -> None:
    content = make_wav(SPEECH)
    clip = accepted(post(content, "one.wav"))
    again = post(content, "two.wav")
    assert (again.status_code, again.json()) == (200, {"id": str(clip.pk)})
    assert Clip.objects.count() == 1
    assert clip.renditions.count() == len(SPEECH_SYSTEMS)
    assert len(stored(media)) == 2


def test_another_owner_gets_a_clip_of_their_own(alice: User, bob: User) -> None:
    content = make_wav(SPEECH)
    ours, _ = ingest(alice, make_upload(content))
    theirs, created = ingest(bob, make_upload(content))
    assert created
    assert theirs.pk != ours.pk


def test_a_system_added_later_is_made_up_for(alice: User) -> None:
    content = make_wav(SPEECH)
    clip, _ = ingest(alice, make_upload(content))
    clip.renditions.filter(system="opus-6k").delete()
    ingest(alice, make_upload(content))
    assert clip.renditions.filter(system="opus-6k").count() == 1


def test_two_uploads_at_the_same_moment(alice: User, media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other request's clip appears after this one has looked for it."""
    content = make_wav(SPEECH)
    read = ingest_module.read_working_copy

    def read_after_the_other(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(ingest_module, "read_working_copy", read)
        ingest(alice, make_upload(content))
        return read(*args, **kwargs)

    monkeypatch.setattr(ingest_module, "read_working_copy", read_after_the_other)
    clip, created = ingest(alice, make_upload(content))
    assert not created
    assert Clip.objects.get() == clip
    assert len(stored(media)) == 2


def test_clip_and_renditions_appear_together_or_not_at_all(
    alice: User, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(clip: Clip, systems: object = None) -> None:
        raise RuntimeError("the process is killed here")

    monkeypatch.setattr(ingest_module, "queue_renditions", fail)
    with pytest.raises(RuntimeError):
        ingest(alice, make_upload(make_wav(SPEECH)))
    assert not Clip.objects.exists()


def test_one_clip_for_each_file_is_the_databases_rule(alice: User, make_clip: Callable[..., Clip]) -> None:
    make_clip(alice, sha256="0" * 64)
    with pytest.raises(IntegrityError):
        make_clip(alice, sha256="0" * 64)


# -- Messages


def test_broker_away_is_no_error(
    post: Post, django_capture_on_commit_callbacks: Any, monkeypatch: Any
) -> None:
    from listening.site.celery import app

    monkeypatch.setattr(app.conf, "broker_url", "redis+socket:///nonexistent/redis.sock")
    monkeypatch.setattr(app, "_pool", None)
    with django_capture_on_commit_callbacks(execute=True):
        accepted(post(make_wav(SPEECH)))
    assert set(Rendition.objects.values_list("status", "dispatched")) == {(Job.Status.QUEUED, None)}


def test_messages_go_out_when_the_rows_are_there(
    alice: User, eager: None, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = {slug: registry.SYSTEMS[slug] for slug in ("original", "anchor35")}
    monkeypatch.setattr(registry, "SYSTEMS", some)
    with django_capture_on_commit_callbacks(execute=True):
        clip, _ = ingest(alice, make_upload(make_wav(SPEECH)))
    assert set(clip.renditions.values_list("system", "status")) == {
        ("original", Job.Status.DONE),
        ("anchor35", Job.Status.DONE),
    }
