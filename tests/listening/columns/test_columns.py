"""Every JSON column: what fits comes back as it was stored, what does not is named."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection, models, transaction
from django.utils.translation import override

from evaluation.analysis.statistics.screening import Thresholds
from evaluation.columns import BadColumn, TypedJSONField
from evaluation.models import Clip, Favourites, OutputBatch, OutputFile, Rendition, Worker
from listening.columns.studies import TEST_NAMES, PostScreening
from listening.interchange.archive.fields import to_json
from listening.models import (
    Analysis,
    Answer,
    Demo,
    DemoVersion,
    Event,
    ImportDraft,
    MadeFile,
    Participation,
    Stage,
    Stimulus,
    Study,
    StudyVersion,
    Trial,
    VoiceTrial,
)
from listening.study.headphones import TESTS
from listening.web import forms
from listening.web.api import api

QUESTION = {
    "name": "age",
    "label": "Age?",
    "type": "number",
    "when": "after",
    "required": True,
    "minimum": 18,
}
CHOSEN = {
    "name": "skill", "label": "Skill", "type": "likert", "when": "before", "required": False, "help": "Say",
    "choices": [{"value": "1", "label": "Low"}, {"value": "2", "label": "High"}],
}  # fmt: skip
SIMULATION = {
    "listeners": 3, "seed": 7, "bias": 8.0, "spread": 10.0, "items": 5.0, "use": 0.15, "careless": 0.05,
    "qualities": {"original": 100.0, "opus-9k": 70}, "asked": "2026-01-01T00:00:00+00:00",
}  # fmt: skip

#: By column: what it may hold, as JSON; keys in another order than the models have them, here and there.
FIT: dict[tuple[type[models.Model], str], list[Any]] = {
    (Clip, "notes"): [[], ["Downmixed from 2 channels."]],
    (Rendition, "parameters"): [
        {}, {"encoder": "ffmpeg", "frames": 100, "nested": {"b": [1, None], "a": 0.5}},
        {"sha256": "ab", "uploaded": "a.wav", "matched": "", "checks": {"rate": 16000}, "delay_seconds": 0},
    ],
    (OutputBatch, "notes"): [[], ["a.txt was left out."]],
    (Favourites, "systems"): [[], ["opus-9k", "bpgan-2k"]],
    (Worker, "queues"): [[], ["celery", "metrics"]],
    (MadeFile, "options"): [{}, {"kind": "real"}],
    (StudyVersion, "content"): [
        {"language": "de", "texts": {"consent": "Ja?"}, "questionnaire": [QUESTION, CHOSEN]},
        {"language": "en", "texts": {}, "questionnaire": []},
    ],
    (OutputFile, "checks"): [{}, {"seconds": 1.5, "delay_seconds": None, "exact": True}],
    (Study, "method_options"): [{}],
    (Study, "systems"): [[], ["opus-9k", "bpgan-2k"]],
    (Study, "other_languages"): [[], ["de", "ar"]],
    (Demo, "draft"): [
        {}, {"title": "Ours", "authors": [{"name": "A. Author"}], "systems": ["opus-9k"], "blind": False},
    ],
    (DemoVersion, "content"): [{"title": "Ours", "abstract": "*New*", "measures": ["kbps"]}],
    (DemoVersion, "facts"): [{}, {"systems": [
        {"slug": "opus-9k", "title": "Opus 9k", "colour": "#123456", "marker": "o", "nominal": 9,
         "kind": "registry"},
    ]}],
    (VoiceTrial, "systems"): [[], ["opus-6k", "bpgan-2k"]],
    (Study, "texts"): [{}, {"thanks": "Merci.", "consent": "Ja, gerne. ½"}],
    (Study, "design"): [{}, {"systems_per_trial": 3, "items_per_session": 2}, {"drop_out_hours": 12},
                        {"drop_out_hours": 0.5}],
    (Study, "questionnaire"): [[], [QUESTION, CHOSEN]],
    (Study, "headphones"): [
        {}, {"required": True},
        {"tests": [{"test": "antiphase", "pass": 6, "attempts": 2}], "on_fail": "go_on"},
    ],
    (Study, "recruitment"): [
        {}, {"platform": "mturk", "required": False},
        {"platform": "prolific", "required": True, "code": "C0DE", "screened_out_code": ""},
    ],
    (Study, "post_screening"): [{}, {"mid_above": None, "reference_below": 90, "ordered": 0.1}],
    (Study, "analysis"): [{}, {"population": "these", "margin": 3, "include_reference": True}],
    (Study, "simulation"): [{}, SIMULATION],
    (Study, "imported"): [{}, {"format": "list", "file": "a"}, {"scale": [0, 100], "systems": {"R": "r"}}],
    (Stimulus, "objective"): [{}, {"polqa": 3.3, "visqol": 4}],
    (Stage, "data"): [
        {}, {"transducer": "earphones", "channels": "right", "device": "", "volume_db": None},
        {"seconds": 3.5},
        {"answers": [{"answer": 1, "right": 2, "at": "2026-01-01"}], "correct": 0, "passed": False},
    ],
    (Answer, "value"): ["text", 42, 42.5, ["a", "b"]],
    (Participation, "references"): [{}, {"STUDY_ID": "60", "SESSION_ID": "61"}],
    (Trial, "order"): [[], [{"key": "k", "stimulus": 1}, {"key": "l", "stimulus": 2, "role": "X"}]],
    (Event, "detail"): [{}, {"sound": "k", "from": None, "position": [1, 2.5]}],
    (Analysis, "data"): [{}, {"pairs": {"rows": [{"p": 0.5}]}}],
    (ImportDraft, "choices"): [{}, {"report": [{"kind": "taken", "line": 3, "text": "A."}], "name": "x"}],
    (ImportDraft, "progress"): [{}, {"done": 1, "total": 2}],
}  # fmt: skip

#: What a column does not hold, and what its error has to name.
UNFIT: list[tuple[type[models.Model], str, Any, str]] = [
    (Clip, "notes", [1], r"notes: \[0\]: must be text"),
    (Rendition, "parameters", [], "parameters: must be an object"),
    (Favourites, "systems", ["opus-9k", 9], r"systems: \[1\]: must be text"),
    (Worker, "queues", "celery", "queues: must be a list"),
    (MadeFile, "options", {"kind": 1}, "options: kind: must be text"),
    (Rendition, "parameters", {"delay_seconds": "late"}, "parameters: delay_seconds: must be a number"),
    (OutputFile, "checks", {"rate": 1.5}, "checks: rate: must be a whole number"),
    (OutputFile, "checks", {"colour": 1}, "checks: 'colour' does not belong here"),
    (Study, "method_options", {"plays": "once"}, "method_options: 'plays' does not belong here"),
    (Study, "systems", ["a", 7], r"systems: \[1\]: must be text"),
    (Study, "other_languages", ["de", 1], r"other_languages: \[1\]: must be text"),
    (VoiceTrial, "systems", [1], r"systems: \[0\]: must be text"),
    (Demo, "draft", {"paper": 5}, "draft: paper: "),
    (DemoVersion, "content", {"colour": 1}, "content: 'colour' does not belong here"),
    (DemoVersion, "facts", {"systems": [{}]}, r"facts: systems\[0\]"),
    (Study, "texts", {"consnt": "x"}, "texts: 'consnt' does not belong here"),
    (Study, "texts", {"thanks": "x" * 5001}, "texts: thanks: .*longer than 5000"),
    (Study, "design", {"items_per_session": 0}, "design: items_per_session: must be a whole number from 1"),
    (Study, "design", {"items_per_session": True}, "design: items_per_session: "),
    (Study, "design", {"drop_out_hours": float("nan")}, "design: drop_out_hours: must be a number"),
    (Study, "questionnaire", [QUESTION, {**CHOSEN, "colour": 1}], r"questionnaire: \[1\]: 'colour'"),
    (
        Study,
        "questionnaire",
        [QUESTION, {**QUESTION, "name": "AGE"}],
        r"questionnaire: \[1\]: .*another question",
    ),
    (
        Study,
        "headphones",
        {"tests": [{"test": "telepathy"}]},
        r"headphones: tests\[0\].test: must be one of hugg",
    ),
    (Study, "headphones", {"tests": [{"test": "huggins", "pass": 7}]}, r"tests\[0\].pass: .*from 1 to 6"),
    (Study, "headphones", {"tests": [{"test": "huggins", "to_pass": 5}]}, r"tests\[0\]: 'to_pass'"),
    (Study, "recruitment", {"platform": "prolific"}, "recruitment: code: "),
    (Study, "recruitment", {"platform": "mturk", "code": "C0DE"}, "recruitment: code: "),
    (Study, "post_screening", {"mid_share": 1.5}, "post_screening: mid_share: must be a number from 0 to 1"),
    (Study, "analysis", {"margin": 0}, "analysis: margin: "),
    (Study, "analysis", {"population": "all"}, "analysis: population: "),
    (Study, "simulation", {"bias": 41}, "simulation: bias: must be a number from 0 to 40"),
    (Study, "simulation", {"listeners": 201}, "simulation: listeners: "),
    (Study, "imported", {"systems": {"R": 1}}, "imported: systems.R: must be text"),
    (Stimulus, "objective", {"polqa": "good"}, "objective: polqa: must be a number"),
    (Stage, "data", {"passed": "yes"}, "data: passed: must be true or false"),
    (Answer, "value", {"a": 1}, "value: "),
    (Participation, "references", {"STUDY_ID": 60}, "references: STUDY_ID: must be text"),
    (Trial, "order", [{"key": "k", "stimulus": "1"}], r"order: \[0\].stimulus: must be a whole number"),
    (
        Trial,
        "order",
        [{"key": "k", "stimulus": 1, "system": "x"}],
        r"order: \[0\].system: does not belong here",
    ),
    (Trial, "order", [{"stimulus": 1}], r"order: \[0\].key: is missing"),
    (Event, "detail", ["x"], "detail: must be an object"),
    (ImportDraft, "choices", {"mapping": {}}, "choices: 'mapping' does not belong here"),
    (ImportDraft, "progress", {"done": "1"}, "progress: done: must be a whole number"),
]


def typed_columns() -> set[tuple[type[models.Model], str]]:
    found = apps.get_models()
    return {(m, f.name) for m in found for f in m._meta.fields if isinstance(f, models.JSONField)}


def test_every_json_column_has_a_model_and_is_tried_here() -> None:
    assert typed_columns() == set(FIT)
    for model, name in FIT:
        assert isinstance(model._meta.get_field(name), TypedJSONField), (model, name)


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [(model, name, value) for (model, name), values in FIT.items() for value in values],
)
def test_what_fits_comes_back_as_it_was(model: type[models.Model], name: str, value: Any) -> None:
    field: Any = model._meta.get_field(name)
    row = model(**{name: value})
    assert getattr(row, name) == value
    given = repr(value)
    assert repr(field.as_stored(row)) == given  # to the order of keys, and whole numbers stay whole
    stored = field.from_db_value(
        field.get_db_prep_save(field.pre_save(row, True), connection), None, connection
    )
    again = model()
    setattr(again, name, stored)
    assert getattr(again, name) == getattr(row, name)
    assert repr(field.as_stored(again)) == given
    setattr(again, name, getattr(row, name))  # an object, which knows no order: the same content
    assert json.dumps(field.as_stored(again), sort_keys=True) == json.dumps(value, sort_keys=True)


@pytest.mark.parametrize(("model", "name", "value", "message"), UNFIT)
def test_what_does_not_fit_is_named(model: type[models.Model], name: str, value: Any, message: str) -> None:
    with pytest.raises(BadColumn, match=message) as refused:
        model(**{name: value})
    assert refused.value.column == name
    assert refused.value.problems


@pytest.fixture
def study(db: None) -> Study:
    owner = User.objects.create_user("alice")
    return Study.objects.create(owner=owner, name="One", systems=["opus-9k"], seed=1, method="abx")


def write_raw(study: Study, column: str, text: str) -> None:
    """Put a text into the column, past every check."""
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE listening_study SET {column} = %s", [text])  # noqa: S608


def test_a_bad_row_is_named_when_it_is_read_and_no_other_row_minds(study: Study) -> None:
    write_raw(study, "design", '{"items_per_session": "two"}')
    found = Study.objects.get()
    assert found.systems == ["opus-9k"]
    with pytest.raises(
        BadColumn, match=rf"^study {study.pk}, design: items_per_session: must be a whole"
    ) as bad:
        _ = found.design
    assert [problem.path for problem in bad.value.problems] == ["items_per_session"]
    Study.objects.filter(pk=study.pk).update(design={})
    assert Study.objects.get().design == {}


def test_an_update_is_checked_too(study: Study) -> None:
    with pytest.raises(BadColumn, match="headphones: 'colour'"), transaction.atomic():
        Study.objects.update(headphones={"colour": "red"})
    assert Study.objects.filter(headphones={}).exists()


def test_saving_a_row_leaves_the_order_of_stored_keys(study: Study) -> None:
    write_raw(study, "design", '{"systems_per_trial": 1, "items_per_session": 2}')
    found = Study.objects.get()
    assert found.design.items_per_session == 2
    found.save()
    again = Study.objects.get()
    assert list(to_json(again)["design"]) == ["systems_per_trial", "items_per_session"]


def test_options_are_those_of_the_method(study: Study) -> None:
    study.method_options = {"trials": 4}
    assert study.method_options.to_json() == {"trials": 4}
    with pytest.raises(BadColumn, match="method_options: trials: must be a whole number from 1 to 50"):
        study.method_options = {"trials": 51}
    study.method = "acr"
    with pytest.raises(BadColumn, match="'trials' does not belong here"):
        _ = study.method_options


def test_the_messages_can_be_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    with override("de"):
        monkeypatch.setattr("evaluation.columns.base._", lambda text: f"DE {text}")
        with pytest.raises(BadColumn, match="DE must be a whole number from 1"):
            Study(design={"items_per_session": 0})


def test_the_api_describes_the_columns() -> None:
    shown = api.get_openapi_schema()["components"]["schemas"]
    for schema in ("NewStudy", "StudyChange", "StudyDetail"):
        properties = shown[schema]["properties"]
        for name in ("texts", "design", "headphones", "recruitment", "post_screening"):
            [described] = [
                each
                for each in properties[name].get("anyOf", [properties[name]])
                if each.get("type") != "null"
            ]
            assert described["additionalProperties"] is False
            assert described["properties"]
        options = {each.get("$ref", "") for each in properties["method_options"]["anyOf"]}
        assert "#/components/schemas/AbxOptions" in options
    tests = shown["HeadphoneTest"]["properties"]
    assert (tests["pass"]["minimum"], tests["pass"]["maximum"]) == (1, 6)
    assert shown["Question"]["properties"]["type"]["enum"]


def test_one_list_of_thresholds_and_of_headphone_tests() -> None:
    """The analysis works without Django, the generator of sounds without columns: both name the same."""
    known = {field.name: field.default for field in dataclasses.fields(Thresholds)}
    assert {name: field.default for name, field in PostScreening.model_fields.items()} == known
    assert tuple(TESTS) == TEST_NAMES


def test_what_a_form_sends_is_checked_by_the_columns_model(study: Study) -> None:
    section = forms.Recruitment(study, {"recruitment-platform": "prolific", "recruitment-code": "no code!"})
    assert not section.is_valid()
    assert section.errors == {"code": ["A code may contain only letters, digits, - and _."]}
