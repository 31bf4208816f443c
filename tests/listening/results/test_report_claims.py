"""What a report may claim of grades that came from elsewhere, or from a program."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Sequence
from datetime import date
from itertools import product
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from evaluation.models import Clip
from listening.interchange import exports
from listening.interchange.imports.results import read_results
from listening.interchange.imports.roles import suggest_for
from listening.interchange.imports.storing import Decisions, store
from listening.models import Analysis, Session, Study, Trial
from listening.results import drawing, frames
from listening.results.report.build import cite, context_of
from listening.results.summary import compute
from listening.session.grading import graded_signals
from listening.session.ratings import save_rating
from listening.session.sessions import start_session
from listening.study.compliance import checklist
from listening.study.studies import create_study
from listening.tasks import make_analysis
from tests.listening.conftest import SYSTEMS, open_unrendered, system_of, take
from tests.listening.generated import generate
from tests.listening.results.test_method_results import always_a, parts, right, wrong
from tests.rows import some

QUALITY = {"anchor35": 20, "anchor70": 50, "opus-9k": 65, "bpgan-2k": 58}
HEAD = "session_test_id,session_uuid,trial_id,rating_stimulus,rating_score,rating_time,rating_comment\n"


def imported(owner: User, rows: Sequence[tuple[str, str, str, float]], mapping: dict[str, str]) -> Study:
    text = HEAD + "".join(f"case,{who},{item},{slug},{score},1000,\n" for who, item, slug, score in rows)
    return store(owner, read_results(text.encode()), Decisions("Elsewhere", "mushra", mapping), "mushra.csv")


def text_of(client: Client, study: Study, name: str = "report", **query: str) -> str:
    answer = client.get(reverse(name, args=[study.pk]), query)
    assert answer.status_code == 200
    bare = re.sub(r"<(script|style).*?</\1>", " ", answer.content.decode(), flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", bare).split()))


@pytest.fixture
def everything_100(alice: User) -> Study:
    systems = ("reference", "anchor35", "anchor70", "A", "B")
    rows = [
        (f"L{who}", f"item{item}", slug, 100) for who in range(6) for item in range(4) for slug in systems
    ]
    return imported(alice, rows, {"reference": "original"})


def test_of_an_imported_test_only_its_file_is_known(
    client: Client, alice: User, everything_100: Study
) -> None:
    client.force_login(alice)
    text = text_of(client, everything_100)
    assert "When the test was held is not known here." in text
    assert "Held from" not in text
    assert "at one position" not in text
    assert "had not finished" not in text
    assert "We analysed the grades of a" in text
    assert "We held" not in text
    states = {rule.id: rule.state for rule in checklist(everything_100)}
    for unknown in ("M2", "M3", "M4", "M10", "M13", "M14", "M15", "M18", "M19"):
        assert states[unknown] == "researcher's responsibility", unknown


def test_grades_of_100_throughout_have_no_winner(client: Client, alice: User, everything_100: Study) -> None:
    client.force_login(alice)
    text = text_of(client, everything_100, "results", screening="none")
    assert "A and B have the same mean: 100.0 of 100" in text
    assert "Low and mid anchor have the same mean." in text
    assert "All systems under test have the same mean" in text
    assert "-0" not in text
    assert "−0" not in text
    assert "highest mean" not in text


def test_intervals_stay_on_the_scale(client: Client, alice: User) -> None:
    """Two listeners 0 and 27 points apart: 12.706 x 27 / 2 = 171.5 is no interval on a scale of 100."""
    rows = [(who, "i", slug, score) for who, add in (("a", 0), ("b", 27))
            for slug, score in (("reference", 100), ("A", 40 + add), ("B", 20 + add / 9))]  # fmt: skip
    study = imported(alice, [(who, item, slug, round(score)) for who, item, slug, score in rows],
                     {"reference": "original"})  # fmt: skip
    client.force_login(alice)
    text = text_of(client, study, "results", screening="none")
    assert "171.5" not in text
    assert "53.5 (0.0 to 100.0)" in text


def test_grades_of_five_points_get_no_words_of_a_hundred(client: Client, alice: User) -> None:
    rows = [(f"L{who}", f"i{item}", slug, min(5, score + (who + item) % 2))
            for who in range(6) for item in range(4)
            for slug, score in (("reference", 5), ("A", 3), ("B", 2))]  # fmt: skip
    study = imported(alice, rows, {"reference": "original"})
    client.force_login(alice)
    text = text_of(client, study, "results", screening="none")
    assert "of 100" not in text.replace("of 100 %", "")
    assert "it was not found reliably" not in text
    assert "95 % interval of listener means 3.50 to 3.50" in text
    assert compute(study).scale.high == 5


#: The header of a file for each method that can be imported.
FILES = {
    "mushra": "listener,item,system,score\n",
    "acr": "listener,item,system,score\n",
    "ccr": "listener,item,system,score\n",
    "abx": "session_test_id,session_uuid,trial_id,choice_reference,choice_non_reference,choice_answer\n",
    "bs1116": "session_test_id,session_uuid,trial_id,rating_reference,rating_non_reference,"
    "rating_reference_score,rating_non_reference_score,rating_time\n",
}


def file_of(method: str) -> str:
    rows = []
    for who, item, place in product(range(3), range(2), range(3)):
        chosen = (who + 2 * item + place) % 3
        if method == "abx":
            rows.append(f"t,u{who},i{item},ref,C{place},{'incorrect' if chosen == 1 else 'correct'}")
        elif method == "bs1116":
            rows.append(f"t,u{who},i{item},ref,C{place},5,{1 + chosen},1")
        else:
            score = {"mushra": 20 * place + 7 * chosen, "acr": 1 + place + chosen, "ccr": chosen - 1}[method]
            rows.append(f"u{who},i{item},C{place},{score}")
    return FILES[method] + "\n".join(rows) + "\nu0,i9,C0,NA\n" * (method in ("mushra", "acr", "ccr"))


@pytest.mark.parametrize("method", some(FILES, {"mushra", "acr"}.__contains__))
def test_an_imported_test_of_any_method_claims_what_its_file_says(
    client: Client, alice: User, method: str
) -> None:
    reading = read_results(file_of(method).encode())
    study = store(alice, reading, Decisions("Elsewhere", method, suggest_for(reading)), "x.csv")
    client.force_login(alice)
    text_of(client, study, "results")
    for row in Analysis.objects.filter(study=study):
        make_analysis(row.pk)
    results, paper = text_of(client, study, "results"), text_of(client, study)
    for text in (results, paper):
        for claim in (
            "training left out",
            "whichever was heard first",
            "of these renditions",
            "Latin square",
            "finished so far",
        ):
            assert claim not in text, claim
    assert ("nobody is screened by it" in paper) == (method == "mushra")
    assert ("no grade is compared with the original's" in paper) == (method in ("acr", "ccr"))
    if method in ("mushra", "acr", "ccr"):
        assert "1 answer is missing" in paper
        assert "1 answer is missing" in results
    if method != "mushra":
        assert "bootstraps" not in paper
        assert not re.search(r"(?<!web)MUSHRA", paper)
    assert ("Satterthwaite" in paper) == (method != "abx")
    states = {rule.id: rule.state for rule in checklist(study)}
    if method == "mushra":
        assert {states[rule] for rule in ("M1", "M2", "M3", "M21", "M22", "M24")} == {"not met"}


@pytest.mark.parametrize("method", ["mushra", "bs1116", "acr", "dcr", "ccr", "abx", "ab"])
def test_of_a_test_that_nobody_has_begun_nothing_is_told_as_done(
    client: Client, alice: User, processed: Callable[..., Clip], method: str
) -> None:
    study = create_study(alice, "New", [processed(alice)], SYSTEMS, seed=1, method=method)
    open_unrendered(study)
    client.force_login(alice)
    paper = text_of(client, study)
    assert "Nobody has begun" in paper
    assert "Nothing yet: no grade counts." in paper
    assert " to report." in paper
    claims = (
        *(
            "0 items",
            "0 listeners",
            "switched between",
            "every listener read before",
            "Listeners came",
            "was given",
        ),
        *("Listeners heard", "Listeners took", "Training came", "Nobody is left out"),
    )
    for claim in claims:
        assert claim not in paper, claim
    assert ("Latin square" in paper) == (method in ("mushra", "abx"))


@pytest.fixture
def simulated(study: Study) -> Study:
    generate(study, 5, QUALITY, kind=Session.Kind.SIMULATED)
    return study


def test_the_mark_of_simulated_grades_survives_export_and_import(alice: User, simulated: Study) -> None:
    content = exports.table(simulated, "mushra.csv", "simulated")
    assert b"simulated-" in content
    for file in (content, exports.table(simulated, "ratings.csv", "simulated")):
        reading = read_results(file)
        assert reading.simulated
        mapping = {"reference": "original"} if "reference" in reading.systems else {}
        again = store(alice, reading, Decisions("Again", "mushra", mapping), "grades.csv")
        assert frames.rating_frame(again).empty  # no listener's
        assert len(frames.rating_frame(again, "simulated")) == len(reading.grades)
        assert b"simulated-" in exports.table(again, "mushra.csv", "simulated")
    parquet = pq.read_schema(io.BytesIO(exports.table(simulated, "ratings.parquet", "simulated")))
    assert parquet.metadata[b"earshot.kind"] == b"simulated"


def test_listeners_grades_are_not_marked(study: Study) -> None:
    generate(study, 2, QUALITY)
    content = exports.table(study, "mushra.csv")
    assert not read_results(content).simulated
    assert "SIMULATED" not in str(drawing.draw(compute(study), "grades"))


def test_every_figure_and_page_of_simulated_grades_says_so(
    client: Client, alice: User, simulated: Study
) -> None:
    found: Any = compute(simulated, kind="simulated")
    for name in ("grades", "items", "rates", "pesq_wb", "pesq_wb-stimuli"):
        svg = drawing.draw(found, name)
        assert svg is not None
        assert "SIMULATED GRADES" in svg, name
        assert 'viewBox="0 -24 ' in svg
    client.force_login(alice)
    assert "SIMULATED GRADES" in client.get(
        reverse("results_figure", args=[simulated.pk, "grades"]), {"kind": "simulated"}
    ).content.decode()  # fmt: skip
    text = text_of(client, simulated, kind="simulated")
    assert "Held from" not in text
    assert "Listeners switched" not in text
    assert "No listener: a program made 5 simulated listeners" in text
    assert cite(found).startswith("Nothing")


def test_every_page_of_the_pdf_says_so(simulated: Study) -> None:
    context = context_of(simulated, "simulated", "none", None, made=date(2026, 1, 2), files=True)
    page = render_to_string("listening/report/document.html", context)
    assert f'@page {{ @top-left {{ content: "{frames.LOUD["simulated"]}"' in page
    listened = context_of(simulated, "real", "none", None, made=date(2026, 1, 2), files=True)
    assert "@top-left" not in render_to_string("listening/report/document.html", listened)


def report_of(client: Client, study: Study) -> str:
    """The report when its tests are computed."""
    client.force_login(study.owner)
    text_of(client, study, "results")
    for row in Analysis.objects.filter(study=study):
        make_analysis(row.pk)
    return text_of(client, study)


def test_a_report_of_one_listener_has_no_words_of_intervals_or_others(
    client: Client, alice: User, study: Study
) -> None:
    generate(study, 1, QUALITY)
    paper = report_of(client, study)
    for claim in ("± half", "Marker and bar", "95 % t interval over", "differences are for"):
        assert claim not in paper, claim
    for said in (
        "One listener: an interval over listeners needs at least two, and so does a test.",
        "No pair of systems under test could be tested: Table 3 says why.",
        "Means are of one listener: how far others would agree is not known.",
        "Mean of each item, of the only listener.",
        "ANOVA of the listeners who graded everything, if they are two or more",
    ):
        assert said in paper, said
    assert "for these systems alone" not in paper  # there was nothing to draw again
    assert "Differences between systems are for" not in paper


def test_a_report_of_a_blocked_design_says_who_graded_what(
    client: Client, alice: User, processed: Callable[..., Clip]
) -> None:
    systems = ["opus-9k", "bpgan-2k", "celp-8k"]
    clips = [processed(alice, systems) for _ in range(4)]
    design = {"systems_per_trial": 2, "items_per_session": 2}
    study = create_study(alice, "Blocked", clips, systems, seed=7, design=design)
    open_unrendered(study)
    study.refresh_from_db()

    def graded(trial: Trial) -> None:
        for entry in graded_signals(trial):
            slug = system_of(entry)
            grades = {"original": 100, **QUALITY, "celp-8k": 40}
            lower = 0 if slug == "original" else trial.pk * len(slug) % 7
            save_rating(trial, entry["key"], grades[slug] - lower, 1)

    for _ in range(6):
        take(start_session(study), graded)
    paper = report_of(client, study)
    assert "By the study's design each listener is given 2 of 4 items" in paper
    assert "or because they have not finished" not in paper
    assert "All systems of an item" not in paper
    assert "; 95 % interval of unadjusted listener means" in paper
    assert "would agree about these 4 items" not in paper
    assert (
        "Not every listener graded everything, so that they contain differences between these 4 items, too"
        in paper
    )
    assert "graded by 6 listeners, not each of whom graded every item with every system." in paper


def test_a_file_without_rates_has_no_table_of_measured_rates(client: Client, everything_100: Study) -> None:
    paper = report_of(client, everything_100)
    assert "Measured bit rate" not in paper
    assert "objective scores (means" not in paper
    assert "Table 2. Grade; no bit rate and no objective score is known." in paper
    assert r"\caption{Elsewhere. MUSHRA: mean of listener means" in paper


def test_a_file_with_gaps_is_not_waiting_for_more(client: Client, alice: User) -> None:
    everything = product(range(4), range(3), (("reference", 96), ("A", 40), ("B", 20)))
    rows = [
        (f"L{who}", f"i{item}", slug, score + who)
        for who, item, (slug, score) in everything
        if (who, item) != (3, 2)
    ]
    paper = report_of(client, imported(alice, rows, {"reference": "original"}))
    assert "1 listener graded only some of the items;" in paper
    assert "so far;" not in paper


def test_a_stereo_test_was_not_mono(client: Client, alice: User, study: Study) -> None:
    generate(study, 3, QUALITY)
    assert "Signals were mono, the same at both ears;" in report_of(client, study)
    Study.objects.filter(pk=study.pk).update(channels=2)
    study.refresh_from_db()
    paper = report_of(client, study)
    assert "Signals were in stereo;" in paper
    assert "mono" not in paper.split("Listeners")[1]


def test_limits_of_diff_grades_are_not_those_of_answers(
    client: Client, alice: User, hold: Callable[..., Study]
) -> None:
    def heard(trial: Trial) -> None:
        for entry in graded_signals(trial):
            worse = system_of(entry) != "original"
            save_rating(trial, entry["key"], 4.0 - 0.1 * (trial.position % 3) if worse else 5.0, 1)

    limits = report_of(client, hold("bs1116", heard)).split("4. Limits")[1]
    assert "shares" not in limits.split("5. Reproduction")[0]
    assert "Differences between systems are for items like these" in limits


def test_experts_who_are_everybody_were_not_chosen(client: Client, hold: Callable[..., Study]) -> None:
    def heard(trial: Trial) -> None:
        for entry in graded_signals(trial):
            worse = system_of(entry) != "original"
            save_rating(trial, entry["key"], 3.0 - 0.1 * (trial.position % 3) if worse else 5.0, 1)

    paper = report_of(client, hold("bs1116", heard))
    assert "All listeners pass, so these are the figures of everybody." in paper
    assert "chosen by the same grades" not in paper


@pytest.mark.parametrize("listeners", [1, 3])
def test_shares_of_answers_say_whose_they_are(
    client: Client, hold: Callable[..., Study], listeners: int
) -> None:
    def answer(trial: Trial) -> None:
        """Each pair but the one with Opus always right."""
        (wrong if "opus-9k" in parts(trial).values() and trial.position % 2 else right)(trial)

    paper = report_of(client, hold("abx", answer, listeners=listeners, trials=4))
    assert "1 of 2 pairs was told apart" in paper
    assert ("exact 95 % interval over answers" in paper) is (listeners == 1)
    assert ("share of right answers over listeners like these" in paper) is (listeners > 1)
    assert ("The shares are of one listener" in paper) is (listeners == 1)
    assert ("In simulated studies" in paper) is (listeners > 1)  # none was of one listener


def test_where_everyone_is_screened_out_nothing_is_said_of_figures(client: Client, study: Study) -> None:
    generate(study, 4, QUALITY, careless=4)
    paper = report_of(client, study)
    assert "this report has no result" in paper
    assert "of listeners who are not screened out also medians, IQR and means" in paper


def test_a_report_of_everybody_says_once_that_nobody_is_left_out(
    client: Client, alice: User, study: Study
) -> None:
    generate(study, 4, QUALITY)
    client.force_login(alice)
    everybody = text_of(client, study, screening="none")
    assert everybody.count("Nobody is") == 1
    assert "By these rules nobody is left out" not in everybody
    assert "By these rules nobody is left out. Screening is a view" in text_of(client, study)


def test_where_listeners_sat_is_not_claimed(client: Client, alice: User, study: Study) -> None:
    """Nobody asked them: neither for the room nor for what they listened with."""
    generate(study, 2, QUALITY)
    client.force_login(alice)
    paper = text_of(client, study)
    assert "What they listened with was not asked." in paper
    assert "Where listeners took the test and on what equipment, at what level" in paper
    assert "their own" not in paper


def test_a_report_of_choices_speaks_of_answers(
    client: Client, alice: User, hold: Callable[..., Study]
) -> None:
    study = hold("ab", always_a, listeners=1)
    client.force_login(alice)
    text_of(client, study, "results")
    for analysis in Analysis.objects.filter(status="queued"):
        make_analysis(analysis.pk)
    paper = text_of(client, study)
    assert "its answers are in no figure" in paper
    assert "every signal, order, answer and event" in paper
    assert "Half of the pairs of a session are turned round" in paper
    assert "test (Bradley and Terry, 1952) with Earshot" in paper
    assert "No test was possible of Opus 9k and BPGAN 2k: one listener voted." in paper
    assert "Undecided" not in paper
    assert "–––" not in paper
