"""What the trial pages of each method get, keep and refuse; nothing in them tells which is which."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from codec.registry import SYSTEMS as KNOWN
from listening.methods import NO_PREFERENCE
from listening.models import Choice, Rating, Session, Stimulus, Study, Trial
from listening.session.choices import save_choice
from listening.session.grading import answer_of, ccr_sign
from listening.session.ratings import finish_trial, save_rating
from listening.session.sessions import begin, start_session
from listening.study.errors import UnknownStimulus
from listening.study.studies import create_study
from listening.tasks import prepare_study
from tests.listening.conftest import SYSTEMS, open_unrendered, system_of
from tests.listening.web.test_blindness import page_of

CHOOSING = ("abx", "ab")
GRADING = ("bs1116", "acr", "dcr", "ccr")


@pytest.fixture
def start(alice: Any, processed: Callable[..., Any]) -> Callable[..., Session]:
    """Make a study of a method and a listener in it who has read the instructions."""

    def make(method: str, *, sound: bool = False, systems: list[str] = SYSTEMS, **options: Any) -> Session:
        clip = processed(alice, systems, sound=sound)
        study = create_study(
            alice, "A study", [clip], systems, method=method, options=options, seed=70_007_007
        )
        if sound:
            prepare_study(str(study.pk))
        else:
            open_unrendered(study)
        session = start_session(Study.objects.get(pk=study.pk))
        begin(session)
        return session

    return make


def keys(trial: Trial) -> dict[str, str]:
    return {entry.get("role", ""): entry["key"] for entry in trial.order}


def post(client: Client, trial: Trial, name: str, body: dict[str, Any]) -> Any:
    url = reverse(name, args=[trial.session.token, trial.position])
    return client.post(url, json.dumps(body), content_type="application/json")


@pytest.mark.parametrize("method", [*CHOOSING, *GRADING])
def test_no_page_or_file_tells_which_is_which(
    client: Client, start: Callable[..., Session], method: str
) -> None:
    session = start(method, sound=True)
    trial = session.trials.get(position=1)
    html = client.get(reverse("session", args=[session.token])).content.decode()
    page = page_of(html)
    secrets = {str(value) for value in Stimulus.objects.values_list("rendition", flat=True)}
    secrets |= {str(value) for value in Stimulus.objects.values_list("audio", flat=True)}
    secrets |= set(KNOWN) - {"original"}
    secrets |= {str(session.study.seed), str(session.seed), session.study.items.all()[0].clip.title}
    assert [secret for secret in secrets if secret in html] == []
    assert "original" not in html
    name = {"X-Request-ID": "the-same-name"}  # else a random one for each
    answers = [client.get(sound["url"], headers=name) for sound in page["sounds"]]
    assert {answer.status_code for answer in answers} == {200}
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1
    assert len({answer.content for answer in answers}) == len(answers)  # X differs from its twin
    assert len({len(answer.content) for answer in answers}) == 1
    labels = {
        "abx": ["A", "X", "B"], "ab": ["A", "B"], "bs1116": ["A", "B", "C"],
        "acr": ["Recording"], "dcr": ["First", "Second"], "ccr": ["First", "Second"],
    }  # fmt: skip
    assert [sound["label"] for sound in page["sounds"]] == labels[method]
    if method == "ccr":
        assert [sound["name"] for sound in page["sounds"]] == [entry["key"] for entry in trial.order]
    if method in ("bs1116", "dcr"):
        assert trial.reference_key in page["sounds"][0]["url"]
    elif method in ("acr", "abx", "ab", "ccr"):
        assert trial.reference_key not in html  # no open reference


def test_an_answer_is_kept_with_its_sequence_and_never_overwritten_by_an_older(
    client: Client, start: Callable[..., Session]
) -> None:
    trial = start("abx").trials.get(position=1)
    key = keys(trial)
    assert post(client, trial, "save_choice", {"score": key["A"], "sequence": 2}).json() == {
        "sequence": 2,
        "score": key["A"],
    }
    for late in (1, 2):
        kept = post(client, trial, "save_choice", {"score": key["B"], "sequence": late}).json()
        assert kept == {"sequence": 2, "score": key["A"]}
    assert post(client, trial, "save_choice", {"score": key["B"], "sequence": 3}).json()["score"] == key["B"]
    choice = Choice.objects.get(trial=trial)
    assert choice.chosen_id == next(e["stimulus"] for e in trial.order if e.get("role") == "B")
    assert answer_of(choice, trial) == key["B"]
    page = page_of(client.get(reverse("session", args=[trial.session.token])).content.decode())
    assert page["stimuli"] == [{"key": "choice", "score": key["B"], "sequence": 3}]


def test_what_is_no_answer_is_refused(client: Client, start: Callable[..., Session]) -> None:
    trial = start("abx").trials.get(position=1)
    key = keys(trial)
    for answer, sequence, status in (
        (key["X"], 1, 404),
        ("x", 1, 404),
        (None, 1, 404),
        ({}, 1, 404),
        (NO_PREFERENCE, 1, 404),
        (key["A"], 0, 400),
        (key["A"], True, 400),
        (key["A"], 2**31, 400),
        (key["A"], None, 400),
    ):
        answered = post(client, trial, "save_choice", {"score": answer, "sequence": sequence})
        assert answered.status_code == status, (answer, sequence)
    assert post(client, trial, "save_rating", {"key": key["A"], "score": 5, "sequence": 1}).status_code == 400
    assert not Choice.objects.exists()
    missing = post(client, trial, "finish_trial", {})
    assert (missing.status_code, missing.json()["error"]) == (409, "There is no answer yet.")
    save_choice(trial, key["A"], 1)
    assert post(client, trial, "finish_trial", {"comment": "hm"}).status_code == 200
    assert post(client, trial, "save_choice", {"score": key["B"], "sequence": 2}).status_code == 409


def test_no_preference_is_an_answer_only_where_the_study_says_so(
    client: Client, start: Callable[..., Session]
) -> None:
    for offered, status in ((False, 404), (True, 200)):
        trial = start("ab", no_preference=offered).trials.get(position=1)
        answer = post(client, trial, "save_choice", {"score": NO_PREFERENCE, "sequence": 1})
        assert answer.status_code == status
    assert Choice.objects.get().chosen is None
    assert answer_of(Choice.objects.get(), trial) == NO_PREFERENCE


def test_a_graded_study_takes_no_choices(client: Client, start: Callable[..., Session]) -> None:
    trial = start("acr").trials.get(position=1)
    answer = post(client, trial, "save_choice", {"score": keys(trial)[""], "sequence": 1})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("method", "role", "good", "bad"),
    [
        ("bs1116", "B", [1, 1.0, 4.9, 5.0, 3.7], [0.9, 5.1, 4.95, True, "4", None, float(10**20)]),
        ("acr", "", [1, 5, 3], [0, 6, 2.5, 3.0, True, "3", None, -1]),
        ("dcr", "", [1, 5], [0, 6, 4.5]),
        ("ccr", "second", [-3, 0, 3], [-4, 4, 0.5, "0"]),
    ],
)
def test_grades_are_checked_on_the_methods_scale(
    client: Client, start: Callable[..., Session], method: str, role: str, good: list[Any], bad: list[Any]
) -> None:
    trial = start(method).trials.get(position=1)
    key = keys(trial)[role]
    for number, score in enumerate(good, start=1):
        answer = post(client, trial, "save_rating", {"key": key, "score": score, "sequence": number})
        assert (answer.status_code, answer.json()["score"]) == (200, score)
    for score in bad:
        answer = post(client, trial, "save_rating", {"key": key, "score": score, "sequence": 99})
        assert answer.status_code == 400, score
    assert Rating.objects.get().score == good[-1]
    assert page_of(client.get(reverse("session", args=[trial.session.token])).content.decode())["stimuli"][
        0 if role != "C" else 1
    ] == {"key": key, "score": good[-1], "sequence": len(good)}


def test_one_of_b_and_c_has_to_be_the_reference(client: Client, start: Callable[..., Session]) -> None:
    trial = start("bs1116").trials.get(position=1)
    key = keys(trial)
    save_rating(trial, key["B"], 4.2, 1)
    assert post(client, trial, "finish_trial", {}).json()["missing"] == [key["C"]]
    save_rating(trial, key["C"], 4.9, 1)
    refused = post(client, trial, "finish_trial", {})
    assert (refused.status_code, "grade that one 5.0" in refused.json()["error"]) == (409, True)
    save_rating(trial, key["C"], 5.0, 2)
    assert post(client, trial, "finish_trial", {}).status_code == 200


def test_a_ccr_grade_is_the_systems_and_its_sign_follows_the_order(start: Callable[..., Session]) -> None:
    session = start("ccr")
    systems = dict(Stimulus.objects.values_list("pk", "system"))
    signs = set()
    for trial in session.trials.all():
        key = keys(trial)
        with pytest.raises(UnknownStimulus):
            save_rating(trial, key["first"], 1, 1)
        rating = save_rating(trial, key["second"], 2, 1)
        assert finish_trial(trial).finished
        first, second = (system_of(entry) for entry in trial.order)
        assert rating.stimulus.system == (first if second == "original" else second)
        sign = ccr_sign(trial, systems)
        assert sign == (-1 if first != "original" else 1)
        signs.add(sign)
    assert signs == {1, -1}


def test_what_was_heard_need_not_be_heard_again(client: Client, start: Callable[..., Session]) -> None:
    trial = start("abx").trials.get(position=1)
    key = keys(trial)
    events = [
        {"sequence": 1, "kind": "play", "milliseconds": 5, "detail": {"sound": key["A"]}},
        {"sequence": 2, "kind": "heard", "milliseconds": 900, "detail": {"sound": key["A"]}},
        {"sequence": 3, "kind": "heard", "milliseconds": 901, "detail": {}},
    ]
    assert post(client, trial, "save_events", {"events": events}).status_code == 200
    page = page_of(client.get(reverse("session", args=[trial.session.token])).content.decode())
    assert page["heard"] == [key["A"]]
