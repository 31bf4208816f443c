"""Remarks are stored by what they say, and every page words them in its own language."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db.models import TextField
from django.db.models.functions import Cast
from django.template import Context, Template
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy, trans_real

from codec.base import AudioError, Note
from codec.recordings.formats import ACCEPT
from evaluation.analysis.words import keep_units
from evaluation.clips.ingest import ingest
from evaluation.columns import BadColumn
from evaluation.columns.renditions import Checks
from evaluation.models import Clip, Job, OutputBatch, OutputFile, Rendition, Score
from evaluation.outputs import batches as outputs
from evaluation.refusals import Message, Refusal, note_of, translate_note
from evaluation.web.api_outputs import _describe_batch
from evaluation.web.presentation import rendition_rows, row_state
from tests.codec.recordings.making import RATE, coded, sound
from tests.evaluation.conftest import make_upload, script_of

TEXT = "an offset of %(share)s of full scale was removed"


@pytest.fixture
def german(monkeypatch: pytest.MonkeyPatch) -> None:
    """A translation that the catalogues, which hold listeners' words, do not have."""
    catalog = trans_real.translation("de")._catalog  # type: ignore[attr-defined]
    monkeypatch.setitem(catalog._catalogs[0], TEXT, "ein Versatz von %(share)s wurde entfernt")


@pytest.fixture
def clip(alice: User, media: Path) -> Clip:
    """With an offset of a tenth of full scale."""
    upload = make_upload(coded(sound(RATE) + 0.1))
    return ingest(alice, upload, systems=[])[0]


def test_a_note_keeps_its_message_and_values(clip: Clip, german: None) -> None:
    stored: list[object] = [note for (notes,) in Clip.objects.values_list("notes") for note in notes]
    assert stored == [{"text": TEXT, "values": {"share": "10 %"}}]
    (note,) = Clip.objects.get().notes
    assert note == "an offset of 10 % of full scale was removed"
    assert translate_note(note) == note
    with translation.override("de"):
        assert translate_note(note) == "ein Versatz von 10 % wurde entfernt"


def test_pages_and_the_api_word_it(clip: Clip, client: Client, alice: User, german: None) -> None:
    client.force_login(alice)
    note = "an offset of 10\xa0% of full scale was removed"
    assert note in client.get(reverse("clip", args=[clip.pk])).content.decode()
    with translation.override("de"):
        shown = Template("{{ clip.notes.0|isolate }}").render(Context({"clip": Clip.objects.get()}))
    assert shown == '<bdi dir="auto">ein Versatz von 10 % wurde entfernt</bdi>'
    answer = script_of(alice).get(f"/api/clips/{clip.pk}").json()
    assert answer["notes"] == ["an offset of 10 % of full scale was removed"]


def test_a_loss_is_said_where_clips_are_chosen(client: Client, alice: User, media: Path) -> None:
    wav = coded(sound(RATE))
    cut, _ = ingest(alice, make_upload(wav[: len(wav) // 2]), systems=[])
    assert cut.losses == ["the file breaks off at 0.60 s of 1.20 s: what follows is missing or damaged"]
    client.force_login(alice)
    for address in (reverse("clips"), reverse("clip", args=[cut.pk])):
        assert keep_units(str(cut.losses[0])) in client.get(address).content.decode()


def test_an_offset_is_no_loss(clip: Clip) -> None:
    assert clip.losses == []


def test_notes_of_earlier_rows_stay(clip: Clip) -> None:
    Clip.objects.update(notes=["resampled from 8000 Hz"])
    assert Clip.objects.get().notes == ["resampled from 8000 Hz"]
    assert translate_note(Clip.objects.get().notes[0]) == "resampled from 8000 Hz"


@pytest.mark.parametrize("wrong", [3, {"text": 3}, {"text": "%(a)s", "values": {}, "more": 1}, None])
def test_what_is_no_note_is_refused(wrong: object) -> None:
    with pytest.raises(BadColumn, match="must be text"):
        Clip(notes=[wrong])


def test_checks_of_an_output_keep_them(clip: Clip, alice: User, media: Path) -> None:
    system = outputs.save_system(alice, "Mine")
    batch = OutputBatch.objects.create(owner=alice, system=system)
    note = Note(TEXT, share="5 %")
    row = OutputFile.objects.create(batch=batch, name="a.wav", clip=clip, checks=Checks(warnings=[note]))
    OutputFile.objects.filter(pk=row.pk).update(checks={"warnings": [note], "notes": [note, "old"]})
    read = OutputFile.objects.get(pk=row.pk).checks
    assert isinstance(read.warnings[0], Note)
    assert read.notes == ["an offset of 5 % of full scale was removed", "old"]
    assert read.to_json()["warnings"] == [{"text": TEXT, "values": {"share": "5 %"}}]


def test_pickers_offer_what_is_read(client: Client, alice: User) -> None:
    client.force_login(alice)
    system = outputs.save_system(alice, "Mine")
    assert f'accept="{ACCEPT}"' in client.get(reverse("clips")).content.decode()
    assert f'accept="{ACCEPT},.zip"' in client.get(reverse("system", args=[system.slug])).content.decode()


@pytest.mark.parametrize("name", ["one.opus", "one.m4a", "one.mp4"])
def test_outputs_of_every_format_are_received(clip: Clip, alice: User, name: str, media: Path) -> None:
    system = outputs.save_system(alice, "Mine")
    batch = outputs.receive(system, [make_upload(bytes(80), name)])
    assert [file.name for file in batch.files.all()] == [name]
    assert batch.notes == []


@pytest.mark.parametrize(
    ("note", "stored"),
    [
        ("as it is", "as it is"),
        ('{"text": no JSON', '{"text": no JSON'),
        (Note(TEXT, share="5 %"), f'{{"text": "{TEXT}", "values": {{"share": "5 %"}}}}'),
        (
            Note("%(first)s; %(second)s", first=Note(TEXT, share="5 %"), second="more"),
            '{"text": "%(first)s; %(second)s", "values": {"first": '
            '{"text": "an offset of %(share)s of full scale was removed", "values": {"share": "5 %"}}, '
            '"second": "more"}}',
        ),
        (Note("%(loss).1f s", loss=np.float32(0.5)), '{"text": "%(loss).1f s", "values": {"loss": 0.5}}'),
    ],
    ids=["text", "like a note", "a note", "of others", "of a number of NumPy's"],
)  # fmt: skip
def test_a_score_keeps_its_note(clip: Clip, note: str, stored: str) -> None:
    rendition = Rendition.objects.create(clip=clip, system="opus-9k")
    Score.objects.create(rendition=rendition, metric="stoi", note=note)
    (text,) = Score.objects.values_list(Cast("note", TextField()), flat=True)
    assert text == stored
    read = Score.objects.get().note
    assert read == note
    assert type(read) is type(note)


def test_what_is_stored_in_english_is_shown_in_the_language_of_the_page(
    clip: Clip, alice: User, german: None
) -> None:
    inside = Note(TEXT, share="5 %")
    note = Note("%(first)s; %(second)s", first=inside, second="more")
    words = "ein Versatz von 5 % wurde entfernt"
    rendition = Rendition.objects.create(clip=clip, system="opus-9k", status=Job.Status.FAILED, error=inside)
    Score.objects.create(rendition=rendition, metric="estoi", note=note, error=inside)
    Score.objects.create(rendition=rendition, metric="stoi", note=inside)
    batch = OutputBatch.objects.create(owner=alice, system=outputs.save_system(alice, "Mine"), error=inside)
    OutputFile.objects.create(batch=batch, name="a.wav", reason=inside, problem=inside)
    with translation.override("de"):
        (row,) = rendition_rows(clip)
        (file,) = _describe_batch(batch)["files"]
    assert row["error"] == row_state(row).text == words
    assert f"STOI: {words}" in row["note"]
    assert row["others"]["estoi"]["note"] == f"{words}; more"
    assert row["others"]["estoi"]["error"] == words
    assert (file["reason"], file["problem"]) == (words, words)


@pytest.mark.parametrize(
    "error",
    [
        AudioError(TEXT, share="5 %"),
        Refusal(gettext_lazy(TEXT), share="5 %"),
        Refusal.of_field("file", gettext_lazy(TEXT), share="5 %"),
        Refusal(Message(gettext_lazy(TEXT), share="5 %")),
        Refusal(gettext_lazy(TEXT), share=Message(gettext_lazy("5 %"))),
    ],
)
def test_what_an_error_says_is_stored_by_message_and_values(error: Exception, german: None) -> None:
    with translation.override("de"):
        note = note_of(error)
        assert note == "an offset of 5 % of full scale was removed"
        assert translate_note(note) == "ein Versatz von 5 % wurde entfernt"


def test_an_error_without_a_message_says_nothing() -> None:
    assert translate_note(note_of(AudioError())) == ""
