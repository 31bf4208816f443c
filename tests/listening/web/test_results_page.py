"""The results page beyond its figures: profiles, kinds, seals, sounds, files, and studies of every shape."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from listening import results
from listening.interchange.imports import read_results
from listening.interchange.imports.roles import suggest
from listening.interchange.imports.scores import read_scores
from listening.interchange.imports.storing import Decisions, store
from listening.models import Assessor, Item, Rating, Session, Stimulus, Study, Trial
from listening.results import heavy
from listening.study.errors import StudyError
from listening.study.settings import check_settings
from tests.listening.conftest import listen
from tests.listening.generated import generate
from tests.listening.results.test_analyses import computed
from tests.rows import some

pytestmark = pytest.mark.usefixtures("few_permutations")

GRADES = {"original": 100, "anchor35": 20, "anchor70": 60, "opus-9k": 80, "bpgan-2k": 64}
QUALITY = {"anchor35": 20, "anchor70": 50, "opus-9k": 65, "bpgan-2k": 58}


@pytest.fixture
def owner(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def text_of(client: Client, study: Study, **query: str) -> str:
    answer = client.get(reverse("results", args=[study.pk]), query)
    assert answer.status_code == 200
    main = answer.content.decode().split("<main")[1].split("</main>")[0]
    assert not re.search(r"\b(nan|NaN|inf|None)\b", main)
    return " ".join(re.sub(r"<[^>]+>", " ", main).split())


PAGES = [
    ("results", []), ("report", []), ("report_pdf", []), ("results_figure", ["grades"]),
    ("results_png", ["grades"]), ("results_latex", ["table3"]),
]  # fmt: skip


def test_only_the_owner_gets_in(client: Client, study: Study, bob: User) -> None:
    addresses = [reverse(name, args=[study.pk, *arguments]) for name, arguments in PAGES]
    for address in addresses:
        assert client.get(address).headers["Location"].startswith("/signin/"), address
    client.force_login(bob)
    for address in addresses:
        assert client.get(address).status_code == 404, address


def test_only_the_owner_changes_anything(client: Client, study: Study, bob: User) -> None:
    client.force_login(bob)
    for name in ("results_unseal", "results_thresholds", "results_question", "results_again"):
        assert client.post(reverse(name, args=[study.pk])).status_code == 404, name
        assert client.get(reverse(name, args=[study.pk])).status_code == 302, name


def test_profiles_are_views_side_by_side(owner: Client, study: Study) -> None:
    generate(study, 4, QUALITY)
    careless = listen(study, GRADES | {"original": 50})
    text = text_of(owner, study)
    assert f"{careless.assessor.code} 2" in text
    assert "Mean of all listeners" in text  # figures with and without, in one table
    assert "1 listener screened out by BS.1534-3" in text
    assert "screened out" not in text_of(owner, study, screening="none")
    assert "on any item, grade the hidden reference below 90" in text_of(owner, study, screening="mpeg")
    assert owner.get(reverse("results", args=[study.pk]), {"screening": "custom"}).status_code == 404


def test_own_thresholds_become_a_profile(owner: Client, study: Study) -> None:
    generate(study, 3, QUALITY)
    sent = {"reference_below": "40", "reference_share": "0,5", "least_items": "1"}
    answer = owner.post(reverse("results_thresholds", args=[study.pk]), sent)
    assert answer.headers["Location"].endswith("?screening=custom#screening")
    study.refresh_from_db()
    assert study.post_screening["reference_below"] == 40
    assert study.post_screening["reference_share"] == 0.5
    assert study.post_screening["mid_above"] is None
    assert "Own thresholds" in text_of(owner, study, screening="custom")
    answer = owner.post(
        reverse("results_thresholds", args=[study.pk]), {"reference_below": "many"}, follow=True
    )
    assert "“many” is not a number." in answer.content.decode()
    answer = owner.post(
        reverse("results_thresholds", args=[study.pk]), {"reference_below": "400"}, follow=True
    )
    assert "reference_below" in answer.content.decode()
    study.refresh_from_db()
    assert study.post_screening["reference_below"] == 40


def test_population_and_margin_are_the_researchers(owner: Client, study: Study) -> None:
    generate(study, 4, QUALITY)
    address = reverse("results_question", args=[study.pk])
    sent = {"population": "these", "margin": "7,5", "include_reference": "yes"}
    assert owner.post(address, sent).headers["Location"].endswith("#pairs")
    study.refresh_from_db()
    assert study.analysis == {"population": "these", "margin": 7.5, "include_reference": True}
    data = heavy.compute(study, "real", "none")
    assert data["pairs"]["margin"] == 7.5
    assert {row["population"] for row in data["pairs"]["rows"]} == {"these"}
    assert data["omnibus"] == {"include_reference": True}
    with_all = data["friedman"]["systems"]
    assert owner.post(address, {"population": "like", "margin": ""}).status_code == 302
    study.refresh_from_db()
    usual = heavy.compute(study, "real", "none")
    assert (usual["pairs"]["margin"], usual["pairs"]["population"]) == (5.0, "like")
    assert usual["friedman"]["systems"] == with_all - 3  # hidden reference and both anchors stay out
    for wrong in ({"population": "all"}, {"margin": "-1"}, {"margin": "wide"}):
        owner.post(address, wrong)
        study.refresh_from_db()
        assert study.analysis == {"population": "like"}
    assert check_settings({"analysis": {"margin": 3}})["analysis"] == {"margin": 3}
    with pytest.raises(StudyError, match="margin"):
        check_settings({"analysis": {"margin": 0}})


def test_pilots_and_simulations_are_apart_and_loud(owner: Client, study: Study) -> None:
    listen(study, GRADES)
    generate(study, 2, QUALITY, kind=Session.Kind.PILOT)
    generate(study, 5, QUALITY, kind=Session.Kind.SIMULATED)
    text = text_of(owner, study)
    assert "Listeners (1) Pilot (2) Simulated (5)" in text
    assert "1 listener, 2 items" in text
    assert "Nothing here is a result" not in text
    text = text_of(owner, study, kind="simulated")
    assert "Simulated. A program gave these grades" in text
    assert "5 listeners, 2 items" in text
    assert "Pilot. These are the researcher" in text_of(owner, study, kind="pilot")
    assert owner.get(reverse("results", args=[study.pk]), {"kind": "imported"}).status_code == 404
    tex = owner.get(
        reverse("results_latex", args=[study.pk, "table3"]), {"kind": "simulated"}
    ).content.decode()
    assert "SIMULATED GRADES, NOT A RESULT" in tex


def test_a_sealed_study_shows_progress_and_no_grade(owner: Client, study: Study) -> None:
    listen(study, GRADES | {"opus-9k": 83})
    Study.objects.update(sealed_until=timezone.now() + timedelta(days=1))
    html = owner.get(reverse("results", args=[study.pk])).content.decode()
    assert "Listeners: 1 of 1 finished" in html
    shown = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", html.split("<main")[1])  # has any digits
    assert "83" not in shown.replace(str(study.pk), "")
    for name, arguments in PAGES[1:]:
        answer = owner.get(reverse(name, args=[study.pk, *arguments]))
        assert (answer.status_code, answer.headers["Location"]) == (302, reverse("results", args=[study.pk]))


def test_a_seal_is_broken_knowingly_and_for_good(owner: Client, study: Study) -> None:
    listen(study, GRADES)
    Study.objects.update(sealed_until=timezone.now() + timedelta(days=1))
    address = reverse("results_unseal", args=[study.pk])
    owner.post(address)
    study.refresh_from_db()
    assert results.is_sealed(study)
    owner.post(address, {"understood": "yes"})
    study.refresh_from_db()
    assert not results.is_sealed(study)
    broken = study.unsealed
    owner.post(address, {"understood": "yes"})
    study.refresh_from_db()
    assert study.unsealed == broken
    assert "Opus 9k has a mean of 80.0" in text_of(owner, study)
    report = owner.get(reverse("report", args=[study.pk])).content.decode()
    assert "broke the seal on" in report


def test_a_seal_opens_by_itself(owner: Client, study: Study) -> None:
    Study.objects.update(sealed_until=timezone.now() - timedelta(seconds=1))
    assert "Nobody has graded anything yet" in text_of(owner, study)
    assert "The seal was not broken" in owner.get(reverse("report", args=[study.pk])).content.decode()


def test_sounds_are_for_the_researcher_only(
    owner: Client, make_study: Callable[..., Study], bob: User
) -> None:
    study = make_study(clips=1, sound=True)
    listen(study, GRADES)
    html = owner.get(reverse("results", args=[study.pk])).content.decode()
    stimulus = Stimulus.objects.get(item__study=study, item__training=False, system="opus-9k")
    address = reverse("results_sound", args=[study.pk, stimulus.pk])
    assert f'data-play="{address}"' in html
    answer = owner.get(address)
    assert answer.headers["Content-Type"] == "audio/wav"
    audio, rate = soundfile.read(io.BytesIO(answer.content))
    master, _ = soundfile.read(stimulus.audio.path)
    assert rate == 16000
    assert np.std(audio - master) < 10 ** (-30 / 20) * np.std(master)  # the noise floor of all sounds
    owner.force_login(bob)
    assert owner.get(address).status_code == 404
    owner.logout()
    assert owner.get(address).status_code == 302
    svg = Client()
    svg.force_login(study.owner)
    saved = svg.get(reverse("results_figure", args=[study.pk, "pesq_wb"])).content.decode()
    assert "data-play" not in saved
    assert "tabindex" not in saved


def test_sounds_of_other_studies_are_not_there(owner: Client, make_study: Callable[..., Study]) -> None:
    first, second = make_study(clips=1, sound=True), make_study(clips=1, sound=True)
    stimulus = Stimulus.objects.filter(item__study=second).first()
    assert stimulus is not None
    assert owner.get(reverse("results_sound", args=[first.pk, stimulus.pk])).status_code == 404


@pytest.mark.parametrize(
    "name",
    some(
        ["grades", "items", "rates", "differences", "pesq_wb", "pesq_wb-stimuli"],
        {"grades", "pesq_wb-stimuli"}.__contains__,
    ),
)
def test_every_figure_is_a_picture_too(owner: Client, study: Study, name: str) -> None:
    generate(study, 4, QUALITY)
    computed(study)
    answer = owner.get(reverse("results_png", args=[study.pk, name]))
    assert answer.status_code == 200
    assert answer.content.startswith(b"\x89PNG")
    svg = owner.get(reverse("results_figure", args=[study.pk, name])).content.decode()
    assert "var(" not in svg
    assert 'style="' not in svg


def test_no_markup_that_a_strict_policy_refuses(owner: Client, study: Study) -> None:
    generate(study, 3, QUALITY)
    computed(study)
    for name in ("results", "report"):
        html = owner.get(reverse(name, args=[study.pk])).content.decode()
        assert 'style="' not in html
        assert "<style" not in html
        assert not re.search(r"\son\w+=", html)


def test_table_three_as_latex(owner: Client, study: Study) -> None:
    Study.objects.update(name="50 % of $x_1$ & more")
    listen(study, GRADES)
    listen(study, GRADES)
    tex = owner.get(reverse("results_latex", args=[study.pk, "table3"])).content.decode()
    assert r"\toprule" in tex
    assert r"BPGAN 2k & 6.00 & 2.50 & 2.60 & 0.60 & 64.0 $\pm$ 0.0 \\" in tex
    assert r"50\,\% of \$x\_1\$ \& more" in tex
    assert tex.count("&") - tex.count(r"\&") == 5 * (2 + 4 - 1) + 5  # five systems and the head
    grades = owner.get(reverse("results_latex", args=[study.pk, "grades"])).content.decode()
    assert r"BPGAN 2k & 4 & 2 & 64.0 & 0.0 & 64.0 & 64.0--64.0 \\" in grades
    assert owner.get(reverse("results_latex", args=[study.pk, "other"])).status_code == 404


@pytest.fixture
def foreign(alice: User) -> Study:
    """An imported study: systems of any name, no clips, no sounds, neither reference nor anchors."""
    study = Study.objects.create(
        owner=alice,
        name="Held elsewhere",
        systems=["C3 <b>", "lp70", "ours"],
        seed=1,
        status=Study.Status.CLOSED,
        imported={"format": "list", "file": "scores.csv"},
    )
    items = [Item.objects.create(study=study, position=n, name=f"take {n}") for n in (1, 2)]
    stimuli = {
        (item.pk, system): Stimulus.objects.create(item=item, system=system, objective={"visqol": 3.0 + n})
        for item in items
        for n, system in enumerate(study.systems)
    }
    for number in range(1, 5):
        session = Session.objects.create(
            study=study,
            assessor=Assessor.objects.create(),
            number=number,
            seed=0,
            kind=Session.Kind.IMPORTED,
            instructed=timezone.now(),
        )
        for item in items:
            trial = Trial.objects.create(
                session=session, item=item, position=item.position, order=[], finished=timezone.now()
            )
            for n, system in enumerate(study.systems):
                Rating.objects.create(
                    trial=trial, stimulus=stimuli[item.pk, system], score=20 * n + number, sequence=1
                )
    return study


def test_a_study_of_another_tool_without_reference_or_clips(owner: Client, foreign: Study) -> None:
    computed(foreign)
    text = text_of(owner, foreign)
    assert (
        "Which of 3 systems is highest is undecided: ours has a mean of 42.5 of 100 (4 listeners, 2 items"
        in text
    )
    assert "MUSHRA" not in text.replace("webMUSHRA", "")  # there is no hidden reference (M1)
    assert "Hidden reference" not in text.split("Population and margin")[0]
    assert "ViSQOL" in text
    assert "Nobody graded the hidden reference (original)" in text
    assert "C3 &lt;b&gt;" in text  # escaped, in tables and figures alike
    for name in ("grades", "items", "visqol", "visqol-stimuli"):
        assert owner.get(reverse("results_figure", args=[foreign.pk, name])).status_code == 200
    report = owner.get(reverse("report", args=[foreign.pk]))
    assert report.status_code == 200
    assert "<b>" not in re.sub(r"</?strong>", "", report.content.decode().split("<article")[1])
    assert "not MUSHRA" in report.content.decode()


def test_grades_on_another_scale_are_pointed_out(owner: Client, foreign: Study) -> None:
    Rating.objects.update(score=4)
    text = text_of(owner, foreign)
    assert "No grade is above 10" in text
    assert "have the same mean: 4.00 (4 listeners" in text
    assert "of 100" not in text.split("Grades per system")[0]


def test_twelve_signals(owner: Client, make_study: Callable[..., Study]) -> None:
    systems = [
        "opus-6k", "opus-9k", "opus-12k", "celp-8k", "celp-4k", "amrwb-6.6k", "amrwb-8.85k", "unified-gan-2k",
        "bpgan-2k",
    ]  # fmt: skip
    study = make_study(clips=2, systems=systems)
    quality = dict.fromkeys(systems, 50.0) | {"anchor35": 20, "anchor70": 50}
    generate(study, 6, quality)
    row = computed(study)
    text = text_of(owner, study)
    assert "All 36 pairs of systems under test" in text
    assert len(row.data["against"]["rows"]) == 27


def test_everybody_screened_out(owner: Client, study: Study) -> None:
    listen(study)
    row = computed(study)
    assert row.data["pairs"]["problem"]
    assert "The only listener is screened out; choose “All listeners”" in text_of(owner, study)
    assert owner.get(reverse("report", args=[study.pk])).status_code == 200


def test_figures_are_those_of_the_statistics(owner: Client, study: Study) -> None:
    generate(study, 7, QUALITY)
    computed_ = results.compute(study)
    svg = owner.get(reverse("results_figure", args=[study.pk, "grades"])).content.decode()
    for row in computed_.systems:
        own = computed_.frame[computed_.frame["system"] == row.slug]
        means = own.groupby("assessor")["score"].mean()
        assert row.mean == pytest.approx(means.mean())
        assert row.median == own["score"].median()
        assert f"{row.mean:.1f} ± {row.ci95:.1f}" in svg
    cells = computed_.cells[computed_.cells["item"] == 1].set_index("system")["mean"]
    frame = computed_.frame
    expected = frame[(frame["item"] == 1) & (frame["system"] == "opus-9k")]["score"].mean()
    assert cells["opus-9k"] == pytest.approx(expected)


def test_as_many_queries_for_fifty_listeners_as_for_two(
    owner: Client, make_study: Callable[..., Study], django_assert_max_num_queries: Any
) -> None:
    for number in (2, 50):
        study = make_study(clips=3)
        generate(study, number, QUALITY)
        computed(study)
        with django_assert_max_num_queries(24):
            owner.get(reverse("results", args=[study.pk]))
        with django_assert_max_num_queries(56):
            owner.get(reverse("report", args=[study.pk]))


@pytest.mark.shared
def test_a_published_test_from_its_files_to_the_warning(owner: Client, alice: User, shared: Path) -> None:
    """benjsta: screening drops two listeners, and PESQ orders the stimuli otherwise than people do."""
    folder = shared / "reference" / "ratings" / "benjsta"
    reading = read_results((folder / "ratings_formated.csv").read_bytes())
    scores = read_scores((folder / "pesq_wb_vs_mushra.csv").read_bytes(), reading, "pesq_wb_vs_mushra.csv")
    decisions = Decisions("benjsta", "mushra", suggest(reading.systems))
    study = store(alice, reading, decisions, "ratings_formated.csv", scores)
    row = computed(study)
    text = text_of(owner, study)
    assert "2 listeners screened out by BS.1534-3" in text
    labels = dict(study.sessions.values_list("assessor__code", "label"))
    assert sorted(labels[each.assessor] for each in results.compute(study).excluded) == ["17", "6"]
    stimulus = next(each for each in row.data["agreement"] if each["level"] == "stimulus")
    spearman = stimulus["figures"][1]
    assert (stimulus["n"], spearman["name"]) == (112, "Spearman")
    assert spearman["value"] == pytest.approx(-0.12, abs=0.01)
    assert spearman["low"] < spearman["value"] < spearman["high"]
    assert "PESQ-WB and the listeners rank the stimuli" in text
    report = owner.get(reverse("report", args=[study.pk]))
    assert "is not a substitute for listeners here" in report.content.decode()
