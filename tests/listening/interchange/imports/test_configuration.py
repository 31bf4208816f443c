"""webMUSHRA's configurations: real ones become studies that can be opened, or are refused by name."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.models import Clip, Rendition, UploadedSystem
from listening import tasks
from listening.interchange.imports import ImportProblem, drafts
from listening.interchange.imports.configuration import read_configuration
from listening.interchange.imports.content import Configuration
from listening.interchange.imports.plain import plain_text
from listening.interchange.imports.plan import Plan
from listening.interchange.imports.planning import make_plan
from listening.interchange.imports.recordings import Files, locate
from listening.interchange.imports.yaml_lines import Map, load
from listening.models import ImportDraft, Item, Stimulus, Study
from listening.session.sessions import start_session
from listening.study.studies import open_study
from tests.conftest import ROOT
from tests.evaluation.conftest import make_speech, make_wav

CONFIGS = ROOT.parent / "shared" / "reference" / "webmushra-configs"
REAL = sorted(CONFIGS.glob("*/*.yaml"))
#: Of each that cannot be held: what the refusal has to name.
REFUSED = {
    "TCS.yaml": "spatial (line 53)",
    "YSC.yaml": "spatial (line 53)",
    "LMS_2scale.yaml": "likert_multi_stimulus with 2 answers (line 15)",
    "LSS_2scale.yaml": "likert_single_stimulus with 2 answers (line 15)",
    "w4iei+webMUSHRA/default.yaml": "paired_distance (line 50)",
    "marcussen_batch_01_short.yaml": "paired_distance (line 48)",
}

SMALL = """\
testname: Small test
testId: small
language: de
allowedPasswords: [x]
pages:
  - type: generic
    name: Welcome
    content: Note: read <b>this</b>.<script>alert(1)</script>
  - type: volume
    stimulus: audio/ref.wav
  - - random
    - type: mushra
      id: one
      content: Rate it
      reference: audio/ref.wav
      createAnchor35: true
      createAnchor70: true
      stimuli: {C1: audio/a.wav, C2: audio/b.wav}
      colors: [red]
    - type: mushra
      id: two
      content: Rate it
      reference: audio/ref2.wav
      createAnchor35: false
      stimuli: {C1: audio/a2.wav, C2: audio/b2.wav}
  - type: gender
  - type: finish
    name: Bye
    content: <p>Thanks &amp; bye</p>
    questionnaire:
      - {type: number, name: age, label: Age, min: 1, max: 99, optional: true}
      - {type: likert, name: g, label: G, response: [{value: 1, label: One}, {value: 2, label: Two}]}
      - {type: classcode, name: c, label: C}
"""


def plan_of(text: str, group: str = "", **answers: str) -> Plan:
    """The plan of a configuration of which no recording is there."""
    return make_plan(read_configuration(text), Files({}, {}, frozenset()), [], group, answers)


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return content.getvalue()


def audio_for(configuration: Configuration) -> dict[str, bytes]:
    """A recording for each path that the configuration names: a sound of its own for each."""
    paths = dict.fromkeys(
        path for page in configuration.pages for path in (page.reference, *page.stimuli.values())
    )
    speech = make_speech(0.6)
    rng = np.random.default_rng(0)
    return {
        path: make_wav(speech + 0.01 * (number + 1) * rng.standard_normal(speech.size).astype(np.float32))
        for number, path in enumerate(paths)
    }


def draft_of(owner: User, text: str, files: dict[str, bytes], **choices: str) -> ImportDraft:
    content = zipped({"test.yaml": text.encode(), **files})
    draft = drafts.keep(owner, SimpleUploadedFile("test.zip", content))
    assert draft.kind == ImportDraft.Kind.CONFIGURATION
    drafts.start_configuration(draft, choices.get("name", ""), choices.get("group", ""))
    tasks.import_configuration(str(draft.pk))
    draft.refresh_from_db()
    return draft


def test_a_small_one_becomes_a_study(alice: User, media: Path) -> None:
    configuration = read_configuration(SMALL)
    draft = draft_of(alice, SMALL, audio_for(configuration))
    assert (draft.status, draft.error) == ("done", "")
    study = draft.study
    assert study is not None
    assert (study.name, study.method, study.language) == ("Small test", "mushra", "de")
    assert [item.title for item in study.items.all()] == ["one", "two"]
    own = UploadedSystem.objects.filter(owner=alice).order_by("title")
    assert [system.title for system in own] == ["C1 (small)", "C2 (small)"]
    assert set(study.systems) == {system.slug for system in own}
    assert Clip.objects.count() == 2
    assert study.texts["instructions"] == "Welcome\n\nNote: read this.\n\nRate it"
    assert study.texts["thanks"] == "Thanks & bye"
    assert [(one["name"], one["type"], one["when"], one["required"]) for one in study.questionnaire] == [
        ("age", "number", "after", False), ("g", "likert", "after", True),
    ]  # fmt: skip
    tasks.prepare_study(str(study.pk))
    study.refresh_from_db()
    assert (study.status, study.error) == (Study.Status.READY, "")
    said = [(note["kind"], note["line"], note["text"]) for note in draft.choices["report"]]
    for kind, word, part in (
        ("left_out", "allowedPasswords", "allowedPasswords"),
        ("left_out", "colors", "colors"),
        ("left_out", "type: gender", "type gender"),
        ("left_out", "classcode", "classcode"),
        ("taken", "id: one", "with C1, C2"),
    ):
        line = next(at for at, text in enumerate(SMALL.split("\n"), 1) if word in text)
        at = line - (word == "id: one")
        assert any(part in text for which, where, text in said if (which, where) == (kind, at))
    assert any("two: both anchors are added" in text for _, _, text in said)
    assert "not valid YAML (line 8" in " ".join(note["text"] for note in draft.choices["report"])
    assert not list((media / "imports").iterdir())


def test_a_stereo_study_at_44_1_khz_comes_in_as_it_is(alice: User) -> None:
    """The rendered reference is the file itself, channel by channel, but for fades and common headroom."""
    rate = 44_100
    rng = np.random.default_rng(44)
    stereo = 0.1 * rng.standard_normal((rate, 2)) * [1.0, 0.5]
    files = {
        path: make_wav(stereo + 0.01 * number * rng.standard_normal(stereo.shape), rate)
        for number, path in enumerate(audio_for(read_configuration(SMALL)))
    }
    draft = draft_of(alice, SMALL, files)
    assert (draft.status, draft.error) == ("done", "")
    tasks.prepare_study(str(draft.study_id))
    study = Study.objects.get()
    assert (study.sample_rate, study.channels, study.status) == (rate, 2, Study.Status.READY)
    stimuli = Stimulus.objects.filter(item__study=study)
    assert {stimulus.system for stimulus in stimuli} >= {"original", "anchor35", "anchor70"}
    for stimulus in stimuli.select_related("item__clip"):
        heard, heard_rate = soundfile.read(stimulus.audio.path)
        assert (heard_rate, heard.shape) == (rate, (rate, 2))
        if stimulus.system == "original":
            assert stimulus.item.clip is not None
            sent, _ = soundfile.read(stimulus.item.clip.upload.path)
            inside = slice(rate // 100, -rate // 100)
            headroom = np.vdot(heard[inside], sent[inside]) / np.vdot(sent[inside], sent[inside])
            np.testing.assert_allclose(heard[inside], headroom * sent[inside], atol=1e-5)


def test_a_listener_can_take_it(alice: User) -> None:
    draft = draft_of(alice, SMALL, audio_for(read_configuration(SMALL)))
    assert draft.study is not None
    tasks.prepare_study(str(draft.study.pk))
    open_study(Study.objects.get(pk=draft.study.pk))
    session = start_session(Study.objects.get(pk=draft.study.pk))
    assert [len(trial.order) for trial in session.trials.all()] == [5, 5]


def test_a_worker_that_died_is_followed_by_one_that_ends(alice: User, monkeypatch: Any) -> None:
    from listening.interchange.imports import configuring

    with monkeypatch.context() as patch:
        patch.setattr(configuring, "create_study", lambda *_, **__: 1 / 0)
        draft = draft_of(alice, SMALL, audio_for(read_configuration(SMALL)))
    assert draft.status == "failed"
    assert "ZeroDivisionError" in draft.error
    drafts.start_configuration(draft, "Again", "")
    tasks.import_configuration(str(draft.pk))
    assert Study.objects.get().name == "Again"
    assert UploadedSystem.objects.count() == 2
    assert Rendition.objects.filter(system__startswith="own-").count() == 4


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda files: files.pop("audio/b.wav"), "Line 18: audio/b.wav: it is not in the zip"),
        (lambda files: files.update({"audio/b.wav": b"words and words"}), "text file"),
        (lambda files: files.update({"audio/ref.wav": make_wav(np.zeros(100))}), "Line 15: audio/ref.wav"),
    ],
)
def test_recordings_that_cannot_be_used(
    alice: User, change: Callable[[dict[str, bytes]], None], part: str
) -> None:
    files = audio_for(read_configuration(SMALL))
    change(files)
    draft = draft_of(alice, SMALL, files)
    assert draft.status == "failed"
    assert part in draft.error
    assert not Study.objects.exists()


@pytest.mark.shared
@pytest.mark.parametrize("path", REAL, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_real_configurations_are_imported_or_refused_by_name(alice: User, path: Path) -> None:
    text = path.read_text()
    expected = REFUSED.get(path.name) or REFUSED.get(f"{path.parent.name}/{path.name}")
    if expected:
        with pytest.raises(ImportProblem) as caught:
            read_configuration(text)
        assert expected in str(caught.value)
        return
    audio = audio_for(read_configuration(text))
    for group in plan_of(text).groups:
        draft = draft_of(alice, text, audio, group=group.key)
        assert draft.error == ""
        assert draft.study is not None
        plan = plan_of(text, group.key)
        assert draft.study.items.count() == len(group.pages) == len(plan.items)
        assert draft.study.items.filter(training=True).count() == sum(item.training for item in plan.items)
        assert len(draft.study.systems) == len(plan.systems)
        assert draft.study.method == group.method


@pytest.mark.shared
def test_there_are_seventeen(shared: Path) -> None:
    assert len(REAL) == 17


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("pages:\n - type: mushra\n   stimuli: {a: [}\n", 3, ""),
        ("a: &x 1\npages: *x\n", 1, "no list of pages"),
        ("a: &x [*x]\npages: *x\n", None, "deep"),
        (
            "a: &a [1, 1]\n"
            + "".join(
                f"b{n}: &b{n} [{', '.join(['*' + ('a' if not n else f'b{n - 1}')] * 9)}]\n" for n in range(8)
            ),
            None,
            "entries",
        ),
        ("pages:\n - &p {<<: 3, type: mushra}\n", 2, "<<"),
        ("pages: 3\n", 1, "no list of pages"),
        ("just words", 1, "no list of pages"),
        ("pages:\n - type: mushra\n   type: bs1116\n", 3, "twice"),
        ("pages:\n - type: spatial\n", None, "spatial (line 2)"),
        ("pages: " + "[" * 200 + "]" * 200, None, "deep"),
        ("pages: []\n", None, "no page with recordings"),
    ],
)
def test_what_is_no_configuration(text: str, line: int | None, part: str) -> None:
    with pytest.raises(ImportProblem) as caught:
        read_configuration(text)
    assert part in str(caught.value)
    if line is not None:
        assert caught.value.line == line


def test_html_of_anybodys_becomes_plain_text() -> None:
    said = plain_text(
        "<h1 onclick='x()'>A</h1><p>b<br/>c <a href='javascript:x'>d</a></p><img src=x onerror=y>"
    )
    assert said == "A\n\nb\nc d"
    assert plain_text("<style>p{}</style>&lt;script&gt;") == "<script>"


def test_paths_are_found_by_their_ends() -> None:
    found, missing = locate(["configs/audio/a.wav", "b.wav", "c.wav"], ["audio/a.wav", "x/b.wav", "y/b.wav"])
    assert found == {"configs/audio/a.wav": "audio/a.wav"}
    assert missing == {"b.wav": "it may be x/b.wav or y/b.wav", "c.wav": "it is not in the zip"}


@settings(max_examples=150)
@given(
    st.integers(0, len(SMALL) - 1),
    st.sampled_from([":", "\t", "- ", "{", "]", "'", "&a ", "*a", "\n", "é", ""]),
)
def test_any_damage_ends_in_a_configuration_or_a_named_problem(place: int, mark: str) -> None:
    try:
        found = read_configuration(SMALL[:place] + mark + SMALL[place + 1 :])
    except ImportProblem as refused:
        problem = refused
    else:
        assert found.pages
        return
    assert problem.message


def test_lines_survive_mending() -> None:
    data, notes = load("a: 1\ncontent: one: two\n  three\nb: 2\n")
    assert isinstance(data, Map)
    assert {key: data.take_text(key) for key in data.lines} == {
        "a": "1",
        "content": "one: two three",
        "b": "2",
    }
    assert data.lines == {"a": 1, "content": 2, "b": 4}
    assert "quoted it is: 2" in notes[0]


def test_yaml_and_audio_may_be_two_files(alice: User) -> None:
    audio = SimpleUploadedFile("audio.zip", zipped(audio_for(read_configuration(SMALL))))
    draft = drafts.keep(alice, SimpleUploadedFile("small.yaml", SMALL.encode()), audio)
    drafts.start_configuration(draft, "", "")
    tasks.import_configuration(str(draft.pk))
    draft.refresh_from_db()
    assert draft.error == ""
    assert Study.objects.get().items.count() == 2


def test_two_configurations_in_a_zip_are_named(alice: User) -> None:
    content = zipped({"a.yaml": SMALL.encode(), "b.yml": SMALL.encode()})
    draft = drafts.keep(alice, SimpleUploadedFile("two.zip", content))
    drafts.start_configuration(draft, "", "")
    tasks.import_configuration(str(draft.pk))
    draft.refresh_from_db()
    assert "a.yaml, b.yml" in draft.error


def test_pages_of_the_import(alice: User, client: Client) -> None:
    client.force_login(alice)
    files = audio_for(read_configuration(SMALL))
    content = zipped({"c/test.yaml": SMALL.encode(), **files})
    answer = client.post("/import/", {"file": SimpleUploadedFile("c.zip", content)})
    address = answer["Location"]
    shown = client.get(address).content.decode()
    assert "All 6 recordings are included." in shown
    assert '2 items with <bdi dir="auto">C1</bdi>, <bdi dir="auto">C2</bdi>' in shown
    client.post(address, {"name": "Mine", "group": ""})
    assert "Waiting for a worker" in client.get(address).content.decode()
    tasks.import_configuration(str(ImportDraft.objects.get().pk))
    done = client.get(address).content.decode()
    assert '<bdi dir="auto">Mine</bdi>” has been created' in done
    assert "Left out" in done
    assert Item.objects.count() == 2
