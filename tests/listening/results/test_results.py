"""The results page: right figures with many listeners, named answers with few or none."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from evaluation.models import Score
from listening import results
from listening.models import Analysis, Stimulus, Study
from listening.results.objective import agreement
from listening.session.sessions import begin, start_session
from listening.tasks import make_analysis
from tests.listening.conftest import grade, listen

GRADES = {"original": 100, "anchor35": 20, "anchor70": 60, "opus-9k": 80, "bpgan-2k": 64}


@pytest.fixture
def owner(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def page(client: Client, study: Study, **query: str) -> str:
    """The results page as text without tags; never with a figure that is none."""
    answer = client.get(reverse("results", args=[study.pk]), query)
    assert answer.status_code == 200
    html = answer.content.decode()
    main = html[html.index("<main") : html.index("</main>")]
    assert not re.search(r"\b(nan|NaN|inf|None)\b", main)
    return " ".join(re.sub(r"<[^>]+>", " ", main).split())


def row_of(study: Study, slug: str, **options: Any) -> results.SystemResult:
    return next(row for row in results.compute(study, **options).systems if row.slug == slug)


def test_nobody_yet(owner: Client, study: Study) -> None:
    text = page(owner, study)
    assert "Nobody has graded anything yet." in text
    assert "Summary table" in text  # what was measured is there already


def test_grades_of_unfinished_trials_wait(owner: Client, study: Study) -> None:
    session = start_session(study)
    begin(session)
    grade(session.trials.get(position=1), GRADES)  # training
    grade(session.trials.get(position=2), GRADES, finish=False)
    text = page(owner, study)
    assert "Nobody has finished a trial yet" in text
    assert "5 grades in trials that are not finished are in the export" in text


def test_one_listener_has_means_and_no_interval(owner: Client, study: Study) -> None:
    listen(study, GRADES)
    text = page(owner, study)
    assert "highest is not known: Opus 9k has a mean of 80.0 of 100 (1 listener, 2 items)." in text
    assert "Whether the systems differ is not computed yet." in text
    assert "One listener: an interval over listeners needs" in text
    assert "needs 2 listeners" in text
    assert not re.search(r"± (?!95 %)\d", text)


def test_two_listeners_and_one_item(owner: Client, make_study: Callable[..., Study]) -> None:
    study = make_study(clips=1)
    listen(study, GRADES)
    listen(study, GRADES | {"bpgan-2k": 74})
    text = page(owner, study)
    assert "Two listeners:" in text
    assert "One item:" in text
    row = row_of(study, "bpgan-2k")
    assert (row.n, row.listeners, row.mean, row.median) == (2, 2, 69, 69)
    assert row.ci95 == pytest.approx(12.7062 * 5, abs=1e-3)
    assert (row.low, row.high) == (pytest.approx(69 - 63.531, abs=1e-3), 100)  # no grade is above 100


def test_means_are_of_listeners_and_leave_training_out(study: Study) -> None:
    for score in (40, 50, 60, 70):
        session = start_session(study)
        begin(session)
        for trial in session.trials.select_related("item"):
            wanted = 0 if trial.item.training else score + 10 * trial.item.position
            grade(trial, GRADES | {"bpgan-2k": wanted})
    row = row_of(study, "bpgan-2k")
    assert (row.n, row.listeners, row.mean) == (8, 4, 70)
    assert (row.q1, row.median, row.q3, row.iqr) == (60, 70, 80, 20)
    assert row.ci95 == pytest.approx(3.18245 * 12.90994 / 2, abs=1e-3)


def test_screening_is_a_view_with_reasons(owner: Client, study: Study) -> None:
    for _ in range(3):
        listen(study, GRADES)
    careless = listen(study, {"original": 60, "opus-9k": 10})
    assert row_of(study, "opus-9k").mean == 80
    assert row_of(study, "opus-9k", profile="none").mean == (3 * 80 + 10) / 4
    text = page(owner, study)
    assert f"{careless.assessor.code} 2 44.0 excluded hidden reference below 90 on 2 of 2 items" in text
    assert "1 listener screened out by BS.1534-3" in text
    assert "62.5" in text  # the mean of all listeners, beside the screened one
    text = page(owner, study, screening="none")
    assert f"{careless.assessor.code} 2 44.0 included" in text
    assert "62.5" in text


def test_when_all_are_screened_out_the_page_says_where_the_grades_are(owner: Client, study: Study) -> None:
    listen(study)
    assert "The only listener is screened out" in page(owner, study)
    assert "have the same mean: 50.0" in page(owner, study, screening="off")
    listen(study)
    text = page(owner, study)
    assert "Both listeners are screened out; choose" in text
    assert "leaves out both listeners" in text
    assert "Show all listeners" in text
    assert "Summary table" not in text  # of dashes
    report = owner.get(reverse("report", args=[study.pk])).content.decode()
    assert "this report has no result" in report
    assert "Table 1" not in report


def test_table_three_has_rate_both_pesq_and_mushra(owner: Client, study: Study) -> None:
    listen(study, GRADES)
    listen(study, GRADES)
    row = row_of(study, "bpgan-2k")
    assert row.objective.kbps == 6.0
    assert row.objective.scores == {"pesq_nb": 2.5, "pesq_wb": pytest.approx(2.6), "stoi": 0.6}
    text = page(owner, study)
    assert "System Bit rate, kbit/s PESQ-NB PESQ-WB STOI MUSHRA" in text
    assert "BPGAN 2k 6.00 2.50 2.60 0.60 64.0 ± 0.0" in text


def test_scores_are_means_over_the_items_that_have_grades(study: Study) -> None:
    """Beside a mean grade of one item stand the scores of that item: else the two could not be compared."""
    session = start_session(study)
    begin(session)
    grade(session.trials.get(position=1), GRADES)  # training
    first, second = (session.trials.get(position=position) for position in (2, 3))
    for trial, value in ((first, 2.6), (second, 1.6)):
        stimulus = Stimulus.objects.get(item=trial.item, system="bpgan-2k")
        Score.objects.filter(rendition=stimulus.rendition, metric="pesq_wb").update(value=value)
    grade(first, GRADES)
    objective = row_of(study, "bpgan-2k").objective
    assert (objective.scores["pesq_wb"], objective.counts["pesq_wb"]) == (2.6, 1)
    grade(second, GRADES)
    objective = row_of(study, "bpgan-2k").objective
    assert (objective.scores["pesq_wb"], objective.counts["pesq_wb"]) == (pytest.approx(2.1), 2)


@pytest.fixture
def with_gaps(make_study: Callable[..., Study]) -> Study:
    """Three items, graded: STOI is of the first alone, and BPGAN's PESQ-WB of two of them."""
    study = make_study(3)
    listen(study, GRADES)
    Score.objects.filter(metric="stoi").exclude(rendition__stimuli__item__position=1).delete()
    Score.objects.filter(
        metric="pesq_wb", rendition__system="bpgan-2k", rendition__stimuli__item__position=3
    ).delete()
    return study


def test_a_mean_over_fewer_items_than_the_study_has_says_so_wherever_it_is_printed(
    owner: Client, with_gaps: Study
) -> None:
    text = page(owner, with_gaps)
    assert "PESQ-NB PESQ-WB STOI 1 of 3 items MUSHRA" in text
    html = owner.get(reverse("results", args=[with_gaps.pk])).content.decode()
    assert "Of one stimulus." in html
    assert "n = 1 stimuli" not in html
    assert "BPGAN 2k 6.00 2.50 2.60 2 of 3 items 0.60 64.0" in text
    assert re.findall(r"[12] of 3 items", text) == ["1 of 3 items", "2 of 3 items"]  # a column, and a cell
    assert "Objective scores: means over the items, or over as many as the table says, and not to" in text
    report = owner.get(reverse("report", args=[with_gaps.pk])).content.decode()
    assert '<th class="number">STOI (1 of 3 items)</th>' in report
    assert '<td class="number">2.60 (2 of 3 items)</td>' in report
    assert "objective scores (means over the items, or over as many as the table says" in report
    latex = owner.get(reverse("results_latex", args=[with_gaps.pk, "table3"])).content.decode()
    assert "System & kbit/s & PESQ-NB & PESQ-WB & STOI (1 of 3 items) & MUSHRA" in latex
    assert "BPGAN 2k & 6.00 & 2.50 & 2.60 (2 of 3 items) & 0.60 & 64.0" in latex
    assert "means over the items, or over as many as the table says" in latex


def test_means_of_unlike_items_are_not_compared(owner: Client, with_gaps: Study) -> None:
    """A score of one item is not held against a grade of three: not as a point, not in a correlation."""
    found = {row.metric.slug: row for row in results.compute(with_gaps).agreements}
    # Without BPGAN PESQ falls, anchor35, anchor70, opus, while grades rise: 20, 60, 80.
    assert (found["pesq_wb"].systems, found["pesq_wb"].spearman) == (3, -1)
    assert (found["stoi"].systems, found["stoi"].spearman) == (0, None)
    assert (found["pesq_nb"].systems, found["pesq_nb"].gaps) == (4, "")
    text = page(owner, with_gaps)
    assert (
        "Left out per system: BPGAN 2k, which has grades in more items than PESQ-WB was measured on." in text
    )
    assert ", Opus 9k and BPGAN 2k, which have grades in more items than STOI was measured on." in text
    svg = owner.get(reverse("results_figure", args=[with_gaps.pk, "pesq_wb"])).content.decode()
    assert "Opus 9k" in svg
    assert "BPGAN 2k" not in svg
    assert text.count("Per system: means over items and listeners.") == 2  # none of STOI


def test_missing_scores_are_dashes(owner: Client, study: Study) -> None:
    listen(study, GRADES)
    Score.objects.filter(rendition__system="bpgan-2k").update(value=None, note="silence")
    assert "BPGAN 2k 6.00 – – – 64.0" in page(owner, study)
    Score.objects.all().delete()
    assert "There are no objective scores of these renditions." in page(owner, study)


def test_agreement_leaves_the_hidden_reference_out(study: Study) -> None:
    listen(study, GRADES)  # PESQ falls: anchor35, anchor70, opus, bpgan; grades: 20, 60, 80, 64
    agreement = next(row for row in results.compute(study).agreements if row.metric.slug == "pesq_wb")
    assert agreement.systems == 4
    assert agreement.spearman == pytest.approx(-0.8)


def test_a_metric_that_orders_systems_otherwise_is_pointed_out(owner: Client, study: Study) -> None:
    listen(study, GRADES)
    text = page(owner, study)
    assert "rank correlation −0.80 over 4" in text
    assert "is not a substitute" not in text  # -0.80 over four systems: the interval holds nearly everything
    falling = [(float(place), float(-place)) for place in range(8)]
    assert agreement("pesq_wb", falling).disagrees
    assert agreement("stoi", falling).disagrees
    assert not agreement("stoi", falling[:4]).disagrees
    assert not agreement("stoi", [(x, -y) for x, y in falling]).disagrees


def test_listeners_with_some_of_the_items_are_pointed_out(owner: Client, study: Study) -> None:
    listen(study, GRADES)
    assert "only some of the items" not in page(owner, study)
    session = start_session(study)
    begin(session)
    for position in (1, 2):
        grade(session.trials.get(position=position), GRADES)
    assert "1 listener graded only some of the items so far" in page(owner, study)


def test_the_answer_says_whose_interval_and_when_two_overlap(owner: Client, study: Study) -> None:
    for opus in (78, 80, 82):
        listen(study, GRADES | {"opus-9k": opus})
    text = page(owner, study)
    assert (
        "95 % interval of listener means 75.0 to 85.0). Whether the systems differ is not computed yet."
        in text
    )
    make_analysis(Analysis.objects.get().pk)
    text = page(owner, study)
    # Three listeners 14, 16 and 18 points apart: 4.3027 * 2 / sqrt(3) = 4.97.
    assert (
        "Opus 9k is better than BPGAN 2k (16.0 points, 11.0 to 21.0). This holds for items like these."
        in text
    )
    listen(study, GRADES | {"opus-9k": 60})
    page(owner, study)
    make_analysis(Analysis.objects.filter(status="queued").get().pk)
    assert "Undecided against Opus 9k: BPGAN 2k (11.0 points, " in page(owner, study)


@pytest.mark.parametrize("name", ["grades", "pesq_nb", "pesq_wb", "stoi"])
def test_figures_are_svg_files_that_need_no_page(owner: Client, study: Study, name: str) -> None:
    Study.objects.update(name="A <b> & “c”")
    url = reverse("results_figure", args=[study.pk, name])
    for _ in range(3):
        answer = owner.get(url)
        assert answer.headers["Content-Type"] == "image/svg+xml"
        assert "attachment" in answer.headers["Content-Disposition"]
        svg = answer.content.decode()
        root = ElementTree.fromstring(svg)  # noqa: S314 -- ours
        assert root.find("{http://www.w3.org/2000/svg}title").text.startswith("A <b> & “c”")
        assert "var(" not in svg
        assert "nan" not in svg
        listen(study, GRADES)
    assert "Opus 9k" in svg


def test_figures_of_nothing_and_of_strangers_are_not_found(
    client: Client, study: Study, alice: User, bob: User
) -> None:
    url = reverse("results_figure", args=[study.pk, "grades"])
    assert client.get(url).status_code == 302
    client.force_login(bob)
    assert client.get(url).status_code == 404
    client.force_login(alice)
    assert client.get(reverse("results_figure", args=[study.pk, "other"])).status_code == 404


def test_the_page_takes_as_many_queries_for_ten_listeners_as_for_one(
    owner: Client, study: Study, django_assert_max_num_queries: Any
) -> None:
    for _ in range(10):
        listen(study, GRADES)
    page(owner, study)
    with django_assert_max_num_queries(24):
        page(owner, study)
    with django_assert_max_num_queries(20):
        owner.get(reverse("study", args=[study.pk]))
