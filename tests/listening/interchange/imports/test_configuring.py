"""Importing a configuration: limits come first, a failure leaves nothing, and nothing is made twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from django.db.models.signals import ModelSignal, post_save, pre_save
from django.test import Client
from django.urls import reverse

from evaluation.models import Clip, Rendition, UploadedSystem
from evaluation.outputs.comparison import compare
from listening import tasks
from listening.interchange.imports import drafts
from listening.models import ImportDraft, Study
from tests.evaluation.conftest import make_speech, make_wav, script_of
from tests.listening.interchange.imports.test_configuration import zipped
from tests.listening.interchange.imports.test_planning import PAIR, page, text_of
from tests.problems import fields_of

#: Two methods and two items of one, with the same recordings under other names.
TWO_GROUPS = text_of(
    page(**{**PAIR, "id": "p1", "content": "Which is the reference?"}),
    page(
        **{
            **PAIR,
            "id": "p2",
            "reference": "b/ref.wav",
            "stimuli": {"fast": "b/fast.wav", "slow": "b/slow.wav"},
        }
    ),
    page(id="fine", type="bs1116"),
)


def sounds(*paths: str, rate: int = 16_000, channels: int = 1) -> dict[str, bytes]:
    speech = make_speech(0.5, rate)
    rng = np.random.default_rng(0)
    noisy = (
        speech + 0.01 * (1 + n) * rng.standard_normal(speech.size).astype(np.float32)
        for n, _ in enumerate(paths)
    )
    return {
        path: make_wav(np.column_stack([audio] * channels) if channels > 1 else audio, rate)
        for path, audio in zip(paths, noisy, strict=True)
    }


ALL = sounds("a/ref.wav", "a/fast.wav", "a/slow.wav", "b/ref.wav", "b/fast.wav", "b/slow.wav")


def upload(owner: User, text: str, files: dict[str, bytes]) -> ImportDraft:
    content = zipped({"test.yaml": text.encode(), **files})
    return drafts.keep(owner, SimpleUploadedFile("test.zip", content))


def run(draft: ImportDraft, group: str = "", **answers: str) -> ImportDraft:
    drafts.start_configuration(draft, "", group, answers)
    tasks.import_configuration(str(draft.pk))
    return ImportDraft.objects.get(pk=draft.pk)


def made(media: Path) -> tuple[int, ...]:
    """Rows and files that an import makes; its own upload is none of them."""
    files = [path for path in media.rglob("*") if path.is_file() and path.parent.name != "imports"]
    models: tuple[type[Model], ...] = (Clip, UploadedSystem, Rendition, Study)
    return (*(model._default_manager.count() for model in models), len(files))


NOTHING = (0, 0, 0, 0, 0)


@contextmanager
def when(signal: ModelSignal, sender: type[Model], act: Callable[[Any], None]) -> Iterator[None]:
    def receive(instance: Any, **_: Any) -> None:
        act(instance)

    signal.connect(receive, sender=sender)
    try:
        yield
    finally:
        signal.disconnect(receive, sender=sender)


def fail(_row: Any) -> None:
    raise ValueError("The disk is full.")


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Any:
    """Files are deleted after a commit, which tests do not reach."""
    return django_capture_on_commit_callbacks


# -- Limits and failures


def test_too_many_pages_are_refused_before_anything_is_made(alice: User, client: Client, media: Path) -> None:
    """It failed after clips and systems had been made."""
    many = (
        {"type": "bs1116", "id": n, "reference": "a/ref.wav", "stimuli": {"x": "a/fast.wav"}}
        for n in range(61)
    )
    text = text_of(*many)
    draft = upload(alice, text, ALL)
    client.force_login(alice)
    answer = client.post(f"/import/{draft.pk}/", {"name": "N"})
    assert (answer.status_code, "61 graded items" in answer.content.decode()) == (422, True)
    script = script_of(alice)
    refused = script.post(f"/api/imports/{draft.pk}", {}, content_type="application/json")
    assert (refused.status_code, "61 graded items" in refused.json()["detail"]) == (422, True)
    assert "61 graded items" in run(draft).error  # whoever starts it without a look at its plan
    assert made(media) == NOTHING


def test_systems_beyond_an_accounts_limit_are_refused_first(alice: User, media: Path) -> None:
    UploadedSystem.objects.bulk_create(
        UploadedSystem(owner=alice, slug=f"own-{n}", title=f"S{n}") for n in range(99)
    )
    before = made(media)
    assert "this import makes 2" in run(upload(alice, TWO_GROUPS, ALL)).error
    assert made(media) == before


@pytest.mark.parametrize(
    ("signal", "sender"),
    [(pre_save, Study), (post_save, Rendition), (post_save, Clip), (post_save, UploadedSystem)],
)
def test_a_failed_import_leaves_nothing_and_can_be_repeated(
    alice: User, media: Path, signal: ModelSignal, sender: type[Model], committed: Any
) -> None:
    draft = upload(alice, TWO_GROUPS, ALL)
    with when(signal, sender, fail), committed(execute=True):
        draft = run(draft)
    assert (draft.status, draft.study_id) == ("failed", None)
    assert made(media) == NOTHING
    if sender is Study:
        assert run(draft).error == ""
        assert made(media)[:4] == (2, 2, 6, 1)


@pytest.mark.django_db(transaction=True)  # foreign keys are checked at the end of each transaction
def test_a_draft_that_is_discarded_meanwhile_leaves_nothing(
    alice: User, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = upload(alice, TWO_GROUPS, ALL)

    def discard_once(*args: Any) -> Any:
        if Rendition.objects.filter(system__startswith="own-").count() == 1:
            drafts.discard(ImportDraft.objects.get(pk=draft.pk))
        return compare(*args)

    monkeypatch.setattr("listening.interchange.imports.configuring.compare", discard_once)
    drafts.start_configuration(draft, "", "")
    tasks.import_configuration(str(draft.pk))
    assert not ImportDraft.objects.exists()
    assert made(media) == NOTHING
    assert not list((media / "imports").iterdir())


def test_what_was_there_before_stays_after_a_failure(alice: User, media: Path, committed: Any) -> None:
    run(upload(alice, TWO_GROUPS, ALL))
    before = made(media)
    with when(pre_save, Study, fail), committed(execute=True):
        failed = run(upload(alice, TWO_GROUPS, ALL), "bs1116:fast|slow")
    assert failed.status == "failed"
    assert made(media) == before


# -- Used again


def test_a_second_group_and_a_second_time_use_what_is_there(alice: User, media: Path) -> None:
    for group in ("abx:fast|slow", "bs1116:fast|slow", "abx:fast|slow"):
        assert run(upload(alice, TWO_GROUPS, ALL), group).error == ""
    assert made(media)[:4] == (2, 2, 6, 3)
    assert sorted(UploadedSystem.objects.values_list("title", flat=True)) == ["fast (t)", "slow (t)"]


def test_a_name_with_the_same_outputs_is_the_same_system(alice: User, media: Path) -> None:
    run(upload(alice, TWO_GROUPS, ALL))
    other = TWO_GROUPS.replace("testId: t", "testId: other").replace("fast:", "quick:")
    report = run(upload(alice, other, ALL))
    titles = sorted(UploadedSystem.objects.values_list("title", flat=True))
    # Another name is another system, even if it sounds the same.
    assert (report.error, titles) == ("", ["fast (t)", "quick (other)", "slow (t)"])
    assert Clip.objects.count() == 2


def test_the_same_key_with_another_sound_is_another_system(alice: User, media: Path) -> None:
    run(upload(alice, TWO_GROUPS, ALL))
    changed = ALL | sounds("x", "x2", "y", "z", "a/fast.wav")
    report = run(upload(alice, TWO_GROUPS, {path: changed[path] for path in ALL}))
    titles = sorted(UploadedSystem.objects.values_list("title", flat=True))
    assert (report.error, titles) == ("", ["fast (t)", "fast (t) 2", "slow (t)"])


# -- What listeners hear


def test_a_stereo_study_keeps_its_rate_and_channels(alice: User, client: Client) -> None:
    """It became 16 kHz and mono; what does not fit is told for each file, before and after."""
    files = sounds("a/ref.wav", "a/fast.wav", rate=44_100, channels=2)
    files |= {"a/slow.wav": sounds("a/slow.wav", rate=22_050)["a/slow.wav"]}
    draft = upload(alice, text_of(page(**{**PAIR, "id": "p1"})), files)
    client.force_login(alice)
    before = client.get(f"/import/{draft.pk}/").content.decode()
    preview = script_of(alice).get(f"/api/imports/{draft.pk}").json()
    done = run(draft)
    study = done.study
    assert study is not None
    assert (study.sample_rate, study.channels) == (preview["sample_rate"], preview["channels"]) == (44_100, 2)
    after = client.get(f"/import/{draft.pk}/").content.decode()
    said = (
        "a/slow.wav: it is mono, its reference stereo: it is put alike into both channels; "
        "it is resampled from 22050 Hz to 44100 Hz."
    )
    for report in (before, after):
        assert said in report.replace("\xa0", " ")
    assert said in [line["text"] for line in preview["report"]]
    tasks.prepare_study(str(study.pk))
    with study.items.get().stimuli.get(system="original").audio.open("rb") as file:
        info = soundfile.info(file)
    assert (info.samplerate, info.channels) == (44_100, 2)


def test_levels_and_clipping_are_told_before_the_import_and_once(alice: User) -> None:
    """They were told afterwards. Half the amplitude is 6.0 dB less; a mono output sounds from both sides."""
    rate, seconds = 16_000, 0.5
    speech = 0.4 * make_speech(seconds, rate) / np.abs(make_speech(seconds, rate)).max()
    loud = np.clip(4 * speech, -1, 1)
    files = {"a/ref.wav": make_wav(speech, rate), "a/fast.wav": make_wav(speech / 2, rate)}
    draft = upload(
        alice, text_of(page(**{**PAIR, "id": "p1"})), {**files, "a/slow.wav": make_wav(loud, rate)}
    )
    before = [line["text"] for line in script_of(alice).get(f"/api/imports/{draft.pk}").json()["report"]]
    done = run(draft)
    after = [line.text for line in done.choices.report]
    assert done.error == ""
    for report in (before, after):
        (fast,) = (text for text in report if text.startswith("a/fast.wav") and "quieter" in text)
        assert "it is 6.0 dB quieter than a/ref.wav; studies match loudness" in fast
        assert len([text for text in report if text.startswith("a/slow.wav") and "louder" in text]) == 1
        assert len([text for text in report if text.startswith("a/slow.wav") and "clips" in text]) == 1


def test_answers_reach_the_study_from_page_and_program(alice: User, client: Client) -> None:
    text = text_of(page(**{**PAIR, "id": "warm-up"}), page(**{**PAIR, "id": "p2"}))
    script = script_of(alice)
    sent = script.post(
        "/api/imports", {"file": SimpleUploadedFile("t.zip", zipped({"t.yaml": text.encode(), **ALL}))}
    )
    preview = sent.json()
    asked = {question["key"]: question for question in preview["questions"]}
    assert asked["method:paired_comparison"]["answer"] == "abx"
    role = next(key for key, question in asked.items() if question["answer"] == "training")
    address = f"/api/imports/{preview['id']}"
    wrong = script.post(address, {"answers": {"page:0": "graded"}}, content_type="application/json")
    assert (wrong.status_code, "'page:0' is not a question" in wrong.json()["detail"]) == (422, True)
    odd = script.post(address, {"answers": {role: "perhaps"}}, content_type="application/json")
    assert (odd.status_code, list(fields_of(odd))) == (422, [f"answers.{role}"])
    client.force_login(alice)
    page_address = f"/import/{preview['id']}/"
    choices = {"answer-method:paired_comparison": "ab", f"answer-{role}": "graded", "name": "Mine"}
    sent = client.post(page_address, {**choices, "preview": "1"})
    assert (sent.status_code, sent["Location"]) == (302, page_address)  # so that Back works
    shown = client.get(page_address).content.decode()
    assert 'value="Mine"' in shown
    assert "Paired preference (AB): 2 items" in shown
    assert ImportDraft.objects.get().status == "done"  # nothing was started
    assert client.post(page_address, choices)["Location"] == page_address
    tasks.import_configuration(preview["id"])
    study = Study.objects.get()
    assert (study.method, study.items.filter(training=False).count()) == ("ab", 2)
    report = script.get(address).json()["report"]
    assert not [line for line in report if "Import the file again" in line["text"]]


def test_questions_that_nobody_has_seen_are_shown_first(alice: User, client: Client) -> None:
    """Other pages chosen in the form have other questions."""
    draft = upload(alice, TWO_GROUPS, ALL)
    client.force_login(alice)
    address = f"/import/{draft.pk}/"
    form = {
        "name": "N",
        "asked": re.findall('name="asked" value="([^"]+)"', client.get(address).content.decode()),
    }
    other = client.post(address, {**form, "group": "bs1116:fast|slow"})
    shown = other.content.decode()
    assert (other.status_code, "changes what the file leaves open" in shown) == (422, True)
    assert ImportDraft.objects.get().status == "done"
    form["asked"] = re.findall('name="asked" value="([^"]+)"', shown)
    assert client.post(address, {**form, "group": "bs1116:fast|slow"}).status_code == 302


def test_what_only_the_other_kind_of_file_takes_is_refused_by_name(alice: User) -> None:
    script = script_of(alice)
    results = drafts.keep(alice, SimpleUploadedFile("r.csv", b"listener,item,system,score\na,i,s,50\n"))
    for draft, sent in (
        (upload(alice, TWO_GROUPS, ALL), {"name": "n" * 201}),
        (upload(alice, TWO_GROUPS, ALL), {"method": "mushra", "group": "", "keep_personal": False}),
        (results, {"group": "mushra:a", "method": "mushra"}),
    ):
        refused = script.post(f"/api/imports/{draft.pk}", sent, content_type="application/json")
        assert (refused.status_code, list(fields_of(refused))) == (422, [next(iter(sent))])


def test_what_cannot_be_imported_is_shown_with_its_elements(alice: User, client: Client) -> None:
    text = text_of(
        {"type": "spatial", "id": "room", "stimuli": {"C1": "a.wav"}, "views": [{"view": "front"}]}
    )
    draft = upload(alice, text, {})
    client.force_login(alice)
    shown = client.get(f"/import/{draft.pk}/").content.decode()
    assert "views (8: view (9))" in shown
    assert "views (8: view (9))" in str(script_of(alice).get(f"/api/imports/{draft.pk}").json()["report"])


#: What is sent, and a part of the page that follows.
UPLOADS = {
    "nothing.yaml": (b"", 422, "The file is empty."),
    "blank.yaml": (b" \n\n", 200, "it has no list of pages"),
    "folders.zip": ({"a/b/t.yaml": TWO_GROUPS, **{f"a/b/{path}": "" for path in ALL}}, 200, "2 items"),
    "audio.zip": (dict.fromkeys(ALL, ""), 422, "has recordings and no configuration"),
    "empty.zip": ({}, 422, "The zip is empty."),
    "two.zip": ({"a.yaml": TWO_GROUPS, "b.yaml": TWO_GROUPS}, 200, "2 YAML files (a.yaml, b.yaml), not one"),
    "compose.zip": ({"t.yaml": TWO_GROUPS, "compose.yml": "services: {}"}, 200, "not used, because no pages"),
    "mac.zip": ({"t.yaml": TWO_GROUPS, "__MACOSX/._t.yaml": "\0"}, 200, "2 items"),
}


@pytest.mark.parametrize("name", UPLOADS)
def test_whatever_is_uploaded_is_shown_or_refused_by_its_fault(
    alice: User, client: Client, media: Path, name: str
) -> None:
    content, status, part = UPLOADS[name]
    if isinstance(content, dict):
        content = zipped({path: text.encode() for path, text in content.items()})
    client.force_login(alice)
    answer = client.post("/import/", {"file": SimpleUploadedFile(name, content)}, follow=True)
    assert (answer.status_code, part in answer.content.decode()) == (status, True)


def test_whoever_comes_back_to_a_file_that_is_gone_is_told_so(
    alice: User, client: Client, media: Path
) -> None:
    """A second click on Create study, a refresh and another browser found nothing there."""
    client.force_login(alice)
    results = drafts.keep(alice, SimpleUploadedFile("r.csv", b"listener,item,system,score\na,i,s,50\n"))
    address = f"/import/{results.pk}/"
    data = {"name": "R", "method": "mushra", "from": ["s"], "to": ["s"]}
    assert client.post(address, data).status_code == 302
    for again in (client.post(address, data, follow=True), client.get(address, follow=True)):
        assert "it has been imported or discarded" in again.content.decode()
    draft = upload(alice, TWO_GROUPS, ALL)
    address = f"/import/{draft.pk}/"
    assert client.post(address, {"name": "N"}).status_code == 302
    assert "Waiting for a worker" in client.post(address, {"name": "N"}).content.decode()
    assert [client.post(f"{address}discard/").status_code for _ in range(2)] == [302, 302]
    tasks.import_configuration(str(draft.pk))  # the worker that comes later
    follows = {"HX-Request": "true"}  # the page of progress
    job = reverse("job", args=["importdraft", draft.pk])
    assert client.get(job).status_code == 404
    stopped = client.get(job, headers=follows)
    assert (stopped.status_code, stopped["HX-Trigger"]) == (286, "job-settled")
    assert client.get(address, headers=follows)["HX-Redirect"] == "/import/"
    assert "it has been imported or discarded" in client.get(address, follow=True).content.decode()
    assert Study.objects.count() == 1
