"""Methods of listening tests: they are found by themselves, and a new one touches nothing else."""

from __future__ import annotations

import ast
import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.template.loader import get_template
from django.test import Client
from django.urls import reverse

from evaluation.models import Clip
from listening.interchange import exports
from listening.interchange.imports.results import read_results
from listening.interchange.imports.storing import Decisions, store
from listening.methods import METHODS, Method
from listening.methods.base import OptionProblem
from listening.methods.options import PlaysOptions
from listening.models import Analysis, Session, Stage, Study, Trial
from listening.results import analyses, heavy
from listening.results.frames import rating_frame
from listening.results.grading import opinion
from listening.session.sessions import begin
from listening.simulation import runs as simulation
from listening.study.studies import create_study
from listening.web.forms import SECTIONS
from listening.web.forms.method import MethodOptions
from tests.conftest import ROOT
from tests.listening.conftest import SYSTEMS, open_unrendered, system_of
from tests.listening.web.test_blindness import page_of


class SingleStimulus(Method[PlaysOptions]):
    """A method that Earshot does not have: one recording at a time on a scale from 0 to 10."""

    slug = "single"
    title = "Single stimulus, 0 to 10"
    source = "nobody"
    presents = "One recording in each trial."
    task = "Listen to the recording, and then grade it."
    question = "How much do you like this recording?"
    Options = PlaysOptions

    lowest = 0.0
    highest = 10.0
    step = 1.0
    words = (
        (10, "Very much"),
        *((value, str(value)) for value in range(9, 0, -1)),
        (0, "Not at all"),
    )
    analysis = "opinion"
    mean_name = "Liking"
    webmushra = ("likert_single_stimulus",)


GRADES = {"original": 10, "opus-9k": 7, "bpgan-2k": 3}


@pytest.fixture
def single(monkeypatch: pytest.MonkeyPatch) -> SingleStimulus:
    method = SingleStimulus()
    monkeypatch.setitem(METHODS, method.slug, method)
    return method


@pytest.fixture
def study(single: SingleStimulus, alice: User, processed: Callable[..., Clip]) -> Study:
    clips = [processed(alice) for _ in range(2)]
    made = create_study(alice, "A study", clips, SYSTEMS, method="single", options={"plays": "once"})
    open_unrendered(made)
    return Study.objects.get(pk=made.pk)


def join(client: Client, study: Study) -> Session:
    """A listener who came by the link and is past the pages before the trials."""
    client.post(reverse("join", args=[study.token]), {"consent": "yes"})
    session = study.sessions.get()
    begin(session)
    for name in ("volume", "headphones", "before", "trained"):
        Stage.objects.get_or_create(session=session, name=name)
    return session


def post(client: Client, trial: Trial, name: str, **body: Any) -> Any:
    url = reverse(name, args=[trial.session.token, trial.position])
    return client.post(url, json.dumps(body), content_type="application/json")


def test_a_study_of_a_new_method_goes_from_the_link_to_results_and_files(
    client: Client, study: Study, alice: User
) -> None:
    session = join(client, study)
    trials = list(session.trials.all())
    assert len(trials) == 9  # training and two items, each with two systems and the original
    for trial in trials:
        html = client.get(reverse("session", args=[session.token])).content.decode()
        page = page_of(html)
        (entry,) = trial.order
        assert [sound["name"] for sound in page["sounds"]] == [entry["key"]]
        assert (page["method"], page["once"]) == ("single", True)
        assert SingleStimulus.question in html
        assert "Not at all" in html
        for wrong in (11, -1, 2.5, "3", True):
            refused = post(client, trial, "save_rating", key=entry["key"], score=wrong, sequence=1)
            assert refused.status_code == 400
        assert post(client, trial, "finish_trial").status_code == 409
        score = GRADES[system_of(entry)]
        saved = post(client, trial, "save_rating", key=entry["key"], score=score, sequence=1)
        assert saved.json() == {"score": score, "sequence": 1}
        assert post(client, trial, "save_choice", score=entry["key"], sequence=1).status_code == 400
        assert post(client, trial, "finish_trial").status_code == 200
    session.refresh_from_db()
    assert session.finished

    client.force_login(alice)
    client.get(reverse("results", args=[study.pk]))  # asks for the tests
    analyses.run(Analysis.objects.get().pk)
    for name, said in (
        ("results", "Opus 9k has a Liking of 7.00 (1 listener, 2 items)"),
        ("report", SingleStimulus.title),
        ("study", SingleStimulus.title),
    ):
        assert said in client.get(reverse(name, args=[study.pk])).content.decode(), name
    context = opinion(study, data=heavy.compute(study, "real", "none"))
    assert "Opus 9k has a Liking of 7.00" in context["answer"]
    assert [row["system"]["slug"] for row in context["rows"]] == ["original", "opus-9k", "bpgan-2k"]

    rows = list(csv.DictReader(io.StringIO(exports.table(study, "ratings.csv").decode())))
    assert len(rows) == 9
    assert {(row["system"], float(row["score"])) for row in rows} == set(GRADES.items())
    names = {table.name for table in exports.bundle.tables_of(study)}
    assert {"ratings.csv", "lss.csv"} <= names
    assert not {"mushra.csv", "choices.csv"} & names


def test_simulated_listeners_answer_a_new_method(study: Study) -> None:
    simulation.start(study, {"listeners": 10, "qualities": {"opus-9k": 80.0, "bpgan-2k": 20.0}})
    assert simulation.run(str(study.pk)) == 10
    frame = rating_frame(study, "simulated")
    assert set(frame["score"]) <= set(range(11))
    means = frame.groupby("system")["score"].mean()
    assert means["bpgan-2k"] == pytest.approx(2, abs=1.5)
    assert means["opus-9k"] == pytest.approx(8, abs=1.5)
    assert simulation.usual_half_width(study) == 0.5


def test_a_new_method_can_be_chosen_and_asks_for_its_options(study: Study) -> None:
    basics = next(section for section in SECTIONS if section.slug == "basics")
    assert ("single", SingleStimulus.title) in basics(study).fields["method"].choices  # type: ignore[attr-defined]
    section = MethodOptions(study, {"method-plays": "free"})
    assert list(section.fields) == ["plays"]
    assert section.is_valid(), section.errors
    section.apply(study)
    assert study.method_options == {"plays": "free"}


def test_results_of_elsewhere_can_be_kept_as_a_new_method(single: SingleStimulus, alice: User) -> None:
    table = "assessor,item,system,score\nann,1,opus,10\nann,1,celp,0\nbob,1,opus,9\nbob,1,celp,1\n"
    reading = read_results(table.encode())
    assert "single" in reading.methods
    study = store(alice, reading, Decisions("Old", "single"), "old.csv")
    assert rating_frame(study).groupby("system")["score"].mean().to_dict() == {"opus": 9.5, "celp": 0.5}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_method_stands_in_a_file_of_its_own_and_has_a_page(method: Method[Any]) -> None:
    assert type(method).__module__ == f"listening.methods.{method.slug}"
    assert get_template(method.template)
    assert method.read_options({}) == method.read_options(method.defaults)


def string_constants(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_no_other_room_names_a_method() -> None:
    """Formats of others have names of their own, which may be the same."""
    named = {
        str(path.relative_to(ROOT)): found
        for path in (ROOT / "listening").rglob("*.py")
        if not {"methods", "migrations", "interchange"} & set(path.relative_to(ROOT).parts[1:-1])
        and (found := set(string_constants(path)) & set(METHODS))
    }
    named.pop("listening/site/processes.py")  # "ab" opens a file there
    assert not named
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        for slug in METHODS:
            assert f'method == "{slug}"' not in text, path
            assert f'method.slug == "{slug}"' not in text, path


def test_pairs_that_nobody_chose_fit_the_systems() -> None:
    method = METHODS["ab"]
    for given in ({"no_preference": True}, method.read_options({"no_preference": True})):
        assert method.clean_options(given, ["bpgan-2k"]).to_json() == {
            "pairs": "reference", "no_preference": True,
        }  # fmt: skip
    with pytest.raises(OptionProblem, match="at least two"):
        method.clean_options(method.read_options({"pairs": "systems"}), ["bpgan-2k"])
