"""A system of one's own, from a zip to a rendition that is measured like any other."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from codec.audio import AudioError
from evaluation import tasks
from evaluation.columns.renditions import Checks
from evaluation.models import Clip, OutputBatch, OutputFile, Rendition, Score, UploadedSystem
from evaluation.outputs import batches as outputs
from evaluation.outputs.archives import ArchiveProblem, members
from evaluation.outputs.batches import OutputProblem
from evaluation.outputs.comparison import compare
from evaluation.outputs.matching import MappingProblem, match, read_mapping
from evaluation.refusals import translate_note
from evaluation.web.presentation import rendition_rows
from tests.codec.speech import harvard_sentence
from tests.evaluation.conftest import make_speech, make_upload, make_wav

MakeClip = Callable[..., Clip]
SPEECH = make_speech(2.0)


@pytest.fixture
def clips(alice: User, make_clip: MakeClip) -> list[Clip]:
    return [
        make_clip(alice, make_speech(2.0, seed=number), title=title, original_name=f"{title}.flac")
        for number, title in enumerate(("one", "two"))
    ]


@pytest.fixture
def system(alice: User) -> UploadedSystem:
    return outputs.save_system(alice, "My codec", "version 3", 1.5)


def zipped(files: dict[str, bytes]) -> SimpleUploadedFile:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return SimpleUploadedFile("outputs.zip", content.getvalue())


def late(audio: np.ndarray, samples: int) -> np.ndarray:
    """`audio` so many samples later, as long as it was."""
    rolled = np.roll(audio, samples)
    rolled[: max(samples, 0)] = 0
    rolled[audio.size + min(samples, 0) :] = 0
    return rolled


def written(path: Path, audio: np.ndarray, rate: int = 16_000) -> Path:
    soundfile.write(path, audio, rate, subtype="FLOAT", format="WAV")
    return path


# -- What is found of a file


@pytest.mark.parametrize("samples", [0, 40, 333, -512, 4000])
def test_delay_is_found_to_the_sample(tmp_path: Path, samples: int) -> None:
    noise = np.random.default_rng(3).normal(scale=0.003, size=SPEECH.size).astype(np.float32)
    found = compare(written(tmp_path / "x.wav", late(SPEECH, samples) + noise), SPEECH, 60)
    assert found.exact
    assert found.delay_seconds == pytest.approx(samples / 16_000, abs=1e-9)
    assert found.shifts == (abs(samples) > 32)
    assert found.certainty > 0.8


@pytest.mark.parametrize(
    ("milliseconds", "delays"), [(50, "in time until .* s, 50 ms late from"), (100, "100 ms late from")]
)
@pytest.mark.parametrize("speech", [SPEECH, harvard_sentence(0), harvard_sentence(5)], ids=["made", "0", "5"])
def test_a_delay_that_changes_is_said_and_no_shift_is_offered(
    tmp_path: Path, speech: np.ndarray, milliseconds: int, delays: str
) -> None:
    """The issue's cases: the second half 50 ms late, a gap of 100 ms."""
    half = speech.size // 2
    other = np.concatenate([speech[:half], np.zeros(16 * milliseconds, np.float32), speech[half:]])
    found = compare(written(tmp_path / "x.wav", other[: speech.size]), speech, 60)
    assert not found.shifts
    assert (found.delay_seconds, found.exact) == (None, False)
    assert len(found.stretches) == 2
    assert found.stretches[1].delay == pytest.approx(milliseconds / 1000, abs=0.002)
    said = " ".join(found.warnings)
    assert re.search(f"Its delay changes, so no shift corrects it: .*{delays}", said), said
    assert "unknown" not in said
    assert Checks.model_validate(found.as_dict()).stretches[1].delay == found.stretches[1].delay


def test_polarity_level_length_rate_and_channels(tmp_path: Path) -> None:
    stereo = np.stack([-0.5 * SPEECH, -0.5 * SPEECH], axis=1)
    found = compare(written(tmp_path / "x.wav", np.concatenate([stereo, stereo[:8000]])), SPEECH, 60)
    assert found.inverted is True
    assert found.channels == 2
    assert found.seconds == 2.5
    said = " ".join(found.warnings)
    assert "500 ms longer" in said
    assert "polarity is inverted" in said
    assert "channels are mixed" in said
    plain = compare(written(tmp_path / "y.wav", 0.5 * SPEECH), SPEECH, 60)
    assert plain.level_db == pytest.approx(-6.02, abs=0.01)
    assert plain.loudness_db == pytest.approx(-6.02, abs=0.01)
    assert "6.0 dB quieter" in " ".join(plain.warnings)
    loud = compare(written(tmp_path / "z.wav", np.clip(8 * SPEECH, -1, 1)), SPEECH, 60)
    assert "It clips" in " ".join(loud.warnings)
    narrow = compare(written(tmp_path / "n.wav", SPEECH[::2], 8000), SPEECH, 60)
    assert "nothing above 4 kHz" in " ".join(narrow.warnings)


def test_an_offset_is_taken_out_and_said(tmp_path: Path) -> None:
    """0.1 of full scale would make it 8.8 dB louder."""
    found = compare(written(tmp_path / "o.wav", SPEECH + np.float32(0.1)), SPEECH, 60)
    assert found.level_db == pytest.approx(0.0, abs=0.05)
    assert found.warnings == ["an offset of 10 % of full scale was removed"]


def test_clipping_in_one_channel_is_found(tmp_path: Path) -> None:
    both = np.stack([np.clip(8 * SPEECH, -1, 1), SPEECH], axis=1)
    found = compare(written(tmp_path / "c.wav", both), SPEECH, 60)
    assert found.clipped > 0.001
    assert "It clips" in " ".join(found.warnings)


def test_what_breaks_off_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "b.wav", SPEECH)
    path.write_bytes(path.read_bytes()[: 44 + SPEECH.size * 2])
    found = compare(path, SPEECH, 60)
    assert "the file breaks off at" in found.warnings[0]


def test_another_recording_has_no_delay(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(scale=0.1, size=SPEECH.size).astype(np.float32)
    found = compare(written(tmp_path / "x.wav", noise), SPEECH, 60)
    assert found.delay_seconds is None
    assert "is unknown" in " ".join(found.warnings)


@pytest.mark.parametrize(
    ("audio", "part"), [(np.zeros(16_000), "silent"), (np.full(16_000, np.nan), "not a finite number")]
)
def test_silence_and_nan_are_refused(tmp_path: Path, audio: np.ndarray, part: str) -> None:
    with pytest.raises(AudioError, match=part):
        compare(written(tmp_path / "x.wav", audio), SPEECH, 60)


# -- Which clip it is of


def test_names_folders_and_tables(clips: list[Clip], system: UploadedSystem) -> None:
    other = outputs.save_system(system.owner, "Other")
    names = [
        "one.wav", "ONE__other.wav", "Other/two.wav", "two/my codec.wav", "some/two.wav", "one.opus",
        "three.wav", "one__nobody.wav",
    ]  # fmt: skip
    found = {one.name: one for one in match(names, clips, [system, other], system)}
    got = {
        name: (one.clip and one.clip.title, one.system and one.system.title) for name, one in found.items()
    }
    assert got["one.wav"] == ("one", "My codec")
    assert got["ONE__other.wav"] == ("one", "Other")
    assert got["Other/two.wav"] == ("two", "Other")
    assert got["two/my codec.wav"] == ("two", "My codec")
    assert "already" in found["some/two.wav"].problem
    assert "already" in found["one.opus"].problem
    assert "no clip 'three'" in found["three.wav"].problem
    assert "no system 'nobody'" in found["one__nobody.wav"].problem
    table = read_mapping(b"clip;file;system\none;a.wav;\ntwo;deep/b.wav;Other\n")
    first, second, third = match(["x/a.wav", "deep/b.wav", "one.wav"], clips, [system, other], system, table)
    assert (first.clip, first.system) == (clips[0], system)
    assert (second.clip, second.system) == (clips[1], other)
    assert "does not name this file" in third.problem


def test_a_name_of_two_clips_is_no_match(alice: User, make_clip: MakeClip, system: UploadedSystem) -> None:
    same = [make_clip(alice, title="take") for _ in range(2)]
    (found,) = match(["take.wav"], same, [system], system)
    assert "2 of your clips" in found.problem


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "empty"),
        (b"a,b\n1,2\n", "needs the columns"),
        (b"clip,file\n,x.wav\n", "Line 2"),
        (b"clip,file\na,x.wav\nb,X.wav\n", "Line 3.*twice"),
        (b"\xff\xfe\xff", "UTF-8"),
    ],
)
def test_bad_mapping_tables(content: bytes, part: str) -> None:
    with pytest.raises(MappingProblem, match=part):
        read_mapping(content)


# -- Zips


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def archive_of(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> io.BytesIO:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in entries:
            archive.writestr(name, body)
    content.seek(0)
    return content


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (io.BytesIO(b"PK\x03\x04 nothing"), "zip cannot be opened"),
        (archive_of(("../../etc/passwd.wav", b"x")), "leads out"),
        (archive_of(("/etc/x.wav", b"x")), "leads out"),
        (archive_of(("..\\x.wav", b"x")), "leads out"),
        (archive_of(("a.wav", b"\0" * 2_000_000)), "the limit is 1 MB"),
        (archive_of(*((f"{n}.wav", b"x") for n in range(6))), "6 files; 5 at most"),
        (archive_of(("a\x07.wav", b"x")), "not a file name"),
    ],
)
def test_zips_that_are_not_opened(content: io.BytesIO, part: str) -> None:
    with pytest.raises(ArchiveProblem, match=part), members(content, max_files=5, max_bytes=1_000_000):
        pass


def test_a_zip_that_lies_about_its_size_is_stopped() -> None:
    content = bytearray(archive_of(("a.wav", b"\0" * 3_000_000)).getvalue())
    size = (3_000_000).to_bytes(4, "little")
    assert content.count(size) == 2
    lying = io.BytesIO(bytes(content.replace(size, (100).to_bytes(4, "little"))))
    with members(lying, max_files=5, max_bytes=1_000_000) as inside:
        target = io.BytesIO()
        with pytest.raises(ArchiveProblem):
            inside[0].write_to(target)
    assert len(target.getvalue()) <= 1_000_000


def test_links_nested_zips_and_clutter_are_passed_over() -> None:
    notes: list[str] = []
    content = archive_of(
        (link("l.wav"), b"/etc/passwd"), ("in.zip", b"x"), ("__MACOSX/._a", b"x"), ("a.wav", b"x")
    )
    with members(content, max_files=9, max_bytes=1000, notes=notes) as inside:
        assert [member.name for member in inside] == ["a.wav"]
    assert ["link" in notes[0], "archive inside" in notes[1], len(notes)] == [True, True, 2]


# -- From upload to rendition


def test_what_was_left_out_is_worded_when_it_is_shown(
    clips: list[Clip], system: UploadedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    def shown() -> list[str]:
        return [translate_note(note) for note in OutputBatch.objects.get().notes]

    body = make_wav(make_speech(2.0, seed=0))
    batch = outputs.receive(system, [zipped({"b/one.wav": body, "readme.txt": b"hello"})], make_systems=True)
    text = "%(name)s was left out: it does not have a recording's file name."
    made = "Made a system for each folder without one: %(systems)s."
    assert OutputBatch.objects.values_list("notes", flat=True).get() == [
        {"text": text, "values": {"name": "readme.txt"}},
        {"text": made, "values": {"systems": "b"}},
    ]
    german = {text: "%(name)s fehlt.", made: "Neu: %(systems)s."}
    monkeypatch.setattr("evaluation.refusals.gettext_lazy", german.__getitem__)
    assert shown() == ["readme.txt fehlt.", "Neu: b."]
    OutputBatch.objects.filter(pk=batch.pk).update(notes=["old.txt was left out."])  # as older rows have it
    assert shown() == ["old.txt was left out."]


def test_a_zip_becomes_renditions_when_it_is_confirmed(
    clips: list[Clip], system: UploadedSystem, django_capture_on_commit_callbacks: Any
) -> None:
    audio = make_speech(2.0, seed=0)
    body = make_wav(late(audio, 160))
    batch = outputs.receive(system, [zipped({"one.wav": body, "readme.txt": b"hello", "nobody.wav": body})])
    assert batch.notes == ["readme.txt was left out: it does not have a recording's file name."]
    assert not Rendition.objects.exists()
    tasks.handle_outputs(str(batch.pk))
    batch.refresh_from_db()
    assert batch.status == "done"
    one, nobody = batch.files.get(name="one.wav"), batch.files.get(name="nobody.wav")
    assert "no clip" in nobody.problem
    assert one.checks["delay_seconds"] == 0.01
    with pytest.raises(OutputProblem, match="at least one"):
        outputs.confirm(batch, [nobody.pk], [])
    assert outputs.confirm(batch, [one.pk, nobody.pk], [one.pk]) == 1
    with django_capture_on_commit_callbacks(execute=True):
        tasks.handle_outputs(str(batch.pk))
    rendition = Rendition.objects.get()
    assert (rendition.system, rendition.status, rendition.kbps) == (system.slug, "done", None)
    assert rendition.parameters["delay_seconds"] == 0.01
    with rendition.upload.open("rb") as kept:
        assert kept.read() == body
    stored, _ = soundfile.read(io.BytesIO(rendition.audio.open("rb").read()))
    assert stored.size == audio.size
    assert np.abs(stored[: audio.size - 160] - audio[: audio.size - 160]).max() < 1e-4
    assert not default_storage.exists(nobody.upload.name)
    for score in Score.objects.all():
        tasks.make_score(score.pk)
    row = next(row for row in rendition_rows(clips[0]) if row["system"] == system.slug)
    assert (row["title"], row["status"], row["kind"]) == ("My codec", "done", "uploaded")
    assert (row["kbps"], row["stated_kbps"], row["bitstream_url"]) == (None, 1.5, None)
    assert row["pesq_wb"] is not None
    assert row["pesq_wb"] > 3


def stored_once(system: UploadedSystem, name: str, audio: np.ndarray) -> Rendition:
    batch = outputs.receive(system, [make_upload(make_wav(audio), name)])
    tasks.handle_outputs(str(batch.pk))
    batch.refresh_from_db()
    outputs.confirm(batch, batch.files.values_list("pk", flat=True), [])
    tasks.handle_outputs(str(batch.pk))
    return Rendition.objects.get(system=system.slug)


def test_outputs_are_replaced_and_deleted_with_their_files(clips: list[Clip], system: UploadedSystem) -> None:
    first = stored_once(system, "one.wav", SPEECH)
    second = stored_once(system, "one.wav", 0.9 * SPEECH)
    assert first.pk != second.pk
    outputs.remove_system(system)
    assert not Rendition.objects.exists()
    assert not UploadedSystem.objects.exists()
    assert not OutputBatch.objects.exists()


def test_storing_twice_makes_one_rendition(clips: list[Clip], system: UploadedSystem) -> None:
    """A worker that dies after it stored a file leaves the batch to another."""
    batch = outputs.receive(system, [make_upload(make_wav(SPEECH), "one.wav")])
    outputs.check_batch(batch)
    OutputFile.objects.update(taken=True)
    outputs.store_batch(batch)
    before = Rendition.objects.get().pk
    outputs.store_batch(batch)
    assert Rendition.objects.get().pk == before


@pytest.mark.parametrize(
    ("files", "part"),
    [
        ([SimpleUploadedFile("x.txt", b"words")], "No recording arrived"),
        ([SimpleUploadedFile("x.zip", b"PK\x03\x04 broken")], "zip cannot be opened"),
        ([zipped({"../x.wav": b"x"})], "leads out"),
    ],
)
def test_what_cannot_be_received(system: UploadedSystem, files: list[Any], part: str, media: Path) -> None:
    with pytest.raises(OutputProblem, match=part):
        outputs.receive(system, files)
    assert not OutputBatch.objects.exists()
    assert not list((media / "incoming").glob("*")) if (media / "incoming").exists() else True


def test_text_called_wav_is_named(clips: list[Clip], system: UploadedSystem) -> None:
    batch = outputs.receive(system, [SimpleUploadedFile("one.wav", b"these are words")])
    tasks.handle_outputs(str(batch.pk))
    assert "text file" in batch.files.get().problem


def test_folders_become_systems_when_asked(clips: list[Clip], system: UploadedSystem) -> None:
    body = make_wav(SPEECH)
    batch = outputs.receive(system, [zipped({"A/one.wav": body, "B/one.wav": body})], make_systems=True)
    assert {file.system.title for file in batch.files.all() if file.system} == {"A", "B"}
    assert not batch.files.exclude(problem="").exists()


@pytest.mark.parametrize(
    ("title", "kbps", "part"),
    [
        ("", None, "Give"),
        ("x" * 101, None, "longer"),
        ("my CODEC", None, "already"),
        ("New", -1.0, "bit rate"),
    ],
)
def test_systems_that_are_refused(system: UploadedSystem, title: str, kbps: float | None, part: str) -> None:
    with pytest.raises(OutputProblem, match=part):
        outputs.save_system(system.owner, title, "", kbps)
