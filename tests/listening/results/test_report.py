"""The report: what M26 asks for is in it, the same grades give the same document, and it becomes a PDF."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from evaluation.models import Rendition
from listening.methods import METHODS
from listening.models import Analysis, Deletion, MadeFile, Stage, Study
from listening.results.page import context_of as page_context
from listening.results.profiles import BS1534, NONE
from listening.results.report import PdfUnavailable, context_of, facts, pdf_of
from listening.results.summary import compute
from listening.session.sessions import begin, start_session
from listening.study.studies import close_study
from listening.tasks import make_analysis, make_file
from tests.listening.conftest import fetch_made, grade
from tests.listening.generated import generate
from tests.listening.results.test_analyses import computed
from tests.listening.results.test_method_results import grade as grade_all
from tests.listening.results.test_method_results import prefer, right
from tests.rows import some

QUALITY = {"anchor35": 20, "anchor70": 50, "opus-9k": 65, "bpgan-2k": 58}


@pytest.fixture
def owner(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.fixture
def told(study: Study) -> Study:
    """A study with everything that a report has to tell of."""
    generate(study, 6, QUALITY, careless=1)
    leaver = start_session(study)
    begin(leaver)
    for position in (1, 2):
        grade(leaver.trials.get(position=position), {"original": 100})
    for number, session in enumerate(study.sessions.all()):
        data = {"transducer": "earphones" if number else "headphones", "device": "HD 600"}
        Stage.objects.create(session=session, name="volume", data=data)
    Deletion.objects.create(study=study, number=9, ratings=12, reason="asked for it")
    study.texts = {"instructions": "Listen for <artefacts> & noise."}
    study.save()
    for number, row in enumerate(Rendition.objects.filter(system="opus-9k")):
        row.parameters = {"encoder": "ffmpeg -c:a libopus -b:a 9000", "frames": 100 + number}
        row.save()
    return study


def text_of(client: Client, study: Study, **query: str) -> str:
    answer = client.get(reverse("report", args=[study.pk]), query)
    assert answer.status_code == 200
    body = answer.content.decode().split("<article")[1].split("</article>")[0]
    assert not re.search(r">\s*(nan|NaN|inf|None)\b", body)
    body = re.sub(r"</?bdi\b[^>]*>", "", body)  # stands inside sentences, around names
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_everything_that_a_report_is_asked_for(owner: Client, told: Study) -> None:
    computed(told)
    text = text_of(owner, told)
    for said in (
        "MUSHRA listening test, after ITU-R BS.1534-3",
        "7 listeners began grading, 6 finished and 1 had not finished",
        "earphones in the ears (6), headphones on or over the ears (1)",
        "HD 600 (7)",
        "session 9 with 12 grades",
        "asked for it",
        "Listen for <artefacts> & noise.",
        "One or more of the numbered versions must be graded 100",
        "Profile: BS.1534-3.",
        "1 of 7 listeners is left out",
        "hidden reference below 90 on 2 of 2 items (100 %)",
        "Median and interquartile range".lower(),
        "n = 6",
        "Unscreened mean ± 95 %",
        "ITU-R BS.1770",
        "Training came first, with all signals of “Clip 0”",
        "at least 25 dB at 4 kHz and 50 dB at 4.5 kHz",
        "ffmpeg -c:a libopus -b:a 9000",
        "100 to 101, by item",
        "not comparable",
        "seed 70007007",
        "p adjusted by Holm over 1 pair of systems under test",
        "matched-pairs rank-biserial correlation",
        "ICC(2,k)",
        "partial η²",
        "How to cite",
        "Requirements of BS.1534-3",
        "M26 The report has medians with IQR",
        r"\toprule",
    ):
        assert said in text, said
    (pair,) = page_context(compute(told, kind="real", profile=BS1534), Analysis.objects.get(study=told))[
        "pairs"
    ]
    assert f"{pair['standardised']:.2f} {pair['rank_biserial']:.2f} {pair['p']}" in text


def test_means_before_screening_are_those_of_no_screening(owner: Client, told: Study) -> None:
    screened, whole = compute(told, profile=BS1534), compute(told, profile=NONE)
    assert screened.excluded
    text = text_of(owner, told)
    for row, before in zip(screened.systems, whole.systems, strict=True):
        assert (row.all_mean, row.all_ci95, row.all_listeners) == (before.mean, before.ci95, before.listeners)
        if before.mean is not None:
            assert f"{before.mean:.1f}{before.spread} (n = {before.listeners})" in text
    assert any(row.listeners != row.all_listeners for row in screened.systems)


@pytest.mark.rest
def test_the_same_grades_give_the_same_report(told: Study) -> None:
    analysis = computed(told)

    def report(day: date) -> bytes:
        fresh = Study.objects.get(pk=told.pk)
        return pdf_of(context_of(fresh, "real", "bs1534", analysis, made=day, files=True))

    first = report(date(2026, 11, 22))
    assert first.startswith(b"%PDF-")
    assert report(date(2026, 11, 22)) == first
    # The labelled day of its making is all that changes.
    pages = [
        render_to_string(
            "listening/report/document.html",
            context_of(told, "real", "bs1534", analysis, made=date(2026, 11, day), files=True),
        )
        for day in (22, 23)
    ]
    assert pages[0] != pages[1]
    assert pages[0].replace("made on 22 November", "made on 23 November") == pages[1]


def test_the_pdf_waits_for_the_tests(owner: Client, told: Study) -> None:
    answer = owner.get(reverse("report_pdf", args=[told.pk]), follow=True)
    page = answer.content.decode()
    assert "The tests are still being computed" in page
    # What says so goes with the part of the page that is asked for again.
    assert "computing the tests" in page.split('<div id="report" hx-get')[1]
    assert "this report is not complete" in answer.content.decode()
    assert not told.acts.exists()  # nothing left the site
    computed(told)
    answer = owner.get(reverse("report_pdf", args=[told.pk]))
    assert fetch_made(owner, answer).startswith(b"%PDF-")
    assert told.acts.get().what == "report_pdf"


def test_pages_of_the_pdf_have_the_words(told: Study) -> None:
    from django.contrib.staticfiles import finders
    from weasyprint import CSS, HTML

    context = context_of(told, "real", "bs1534", computed(told), made=date(2026, 11, 22), files=True)
    page = render_to_string("listening/report/document.html", context)
    assert "var(--" not in page.split("</style>")[-1]
    assert page.count("<?xml") == 0
    document = HTML(string=page).render(stylesheets=[CSS(filename=str(finders.find("css/report.css")))])
    assert 4 <= len(document.pages) <= 16
    tables = [
        (box.width, page.width)
        for page in document.pages
        for box in page._page_box.descendants()
        if box.element_tag == "table"
    ]
    a_millimetre = 96 / 25.4
    assert tables
    assert max(width for width, _ in tables) <= tables[0][1] - 2 * 18 * a_millimetre + 1  # its margins
    rows = [box for page in document.pages for box in page._page_box.descendants() if box.element_tag == "tr"]
    larger = {
        box.text
        for row in rows
        for box in row.descendants()
        if getattr(box, "text", "") and box.style["font_size"] > row.style["font_size"]
    }
    assert larger == set()
    heads = [label for label, _, _, _ in document.make_bookmark_tree()[0][2]]
    for wanted in ("Result", "How the test was held", "Results in full", "Limits", "Reproduction"):
        assert wanted in [head.split(". ")[-1] for head in heads]


def pages_of(table: str, above: int) -> list[list[str]]:
    """The lines on each page of a report that has this table below a heading and `above` pixels of text."""
    from django.contrib.staticfiles import finders
    from weasyprint import CSS, HTML

    body = f'<article class="report"><div style="height:{above}px"></div><h3>Items</h3>{table}</article>'
    found = HTML(string=body).render(stylesheets=[CSS(filename=str(finders.find("css/report.css")))])
    return [
        [
            box.text
            for box in page._page_box.descendants()
            if getattr(box, "text", "") and box.element_tag != "@"
        ]
        for page in found.pages
    ]


@pytest.mark.parametrize("above", range(690, 860, 30))
def test_headings_and_captions_stay_with_their_rows_and_short_tables_whole(above: int) -> None:
    head = "<caption>What they are.</caption><thead><tr><th>Item</th></tr></thead>"

    def table(rows: int) -> str:
        body = "".join(f"<tr><td>row {n}</td></tr>" for n in range(rows))
        return f"<table>{head}<tbody>{body}</tbody></table>"

    whole = ["Items", "What they are.", "Item", *(f"row {n}" for n in range(6))]
    assert any(set(whole) <= {*lines} for lines in pages_of(table(6), above))
    (first,) = (lines for lines in pages_of(table(40), above) if "Items" in lines)
    assert {"What they are.", "Item", "row 0", "row 1", "row 2"} <= {*first}


@pytest.mark.parametrize("rows", [1, 2])
def test_a_short_table_leaves_a_figure_to_the_next_page(rows: int) -> None:
    body = "".join(f"<tr><td>row {n}</td></tr>" for n in range(rows))
    figure = '<h4>Next</h4><figure><div style="height:500px"></div></figure>'
    first, second = pages_of(f"<table><tbody>{body}</tbody></table>{figure}", 600)
    assert {f"row {n}" for n in range(rows)} <= {*first}
    assert "Next" in second


def test_correlations_with_all_their_intervals_are_no_wider_than_the_page() -> None:
    from django.contrib.staticfiles import finders
    from weasyprint import CSS, HTML

    wide = {"value": -0.13, "decimals": 2, "low": -0.80, "high": 0.69, "low_here": -0.26, "high_here": -0.11}
    plain = {"value": 21.7, "decimals": 1, "low": None}  # errors have no interval
    rows = [
        {"over": over, "level": level, "n": 84, "figures": [wide] * 3 + [plain] * 3}
        for over, level in (("systems", "system"), ("stimuli", "stimulus"))
    ]
    table = render_to_string("listening/results/_agreement.html", {"rows": rows})
    body = f'<article class="report">{table}</article>'
    document = HTML(string=body).render(stylesheets=[CSS(filename=str(finders.find("css/report.css")))])
    (page,) = document.pages
    boxes = list(page._page_box.descendants())
    right = max(box.position_x + box.width for box in boxes if getattr(box, "text", ""))
    assert right <= page.width - 18 * 96 / 25.4 + 1  # its margin of 18 mm


def test_of_simulated_grades_no_metric_is_measured_by_listeners() -> None:
    row = {"over": "Systems", "n": 7, "figures": [], "warning": "Listeners grade A above B."}
    for kind, said in (("real", True), ("pilot", True), ("simulated", False)):
        shown = render_to_string("listening/results/_agreement.html", {"rows": [row], "kind": kind})
        assert ("Listeners grade A above B." in shown) == said


def test_settings_of_a_system_go_on_from_page_to_page() -> None:
    body = "".join(f'<tr><td style="height:90px">row {n}</td></tr>' for n in range(6))
    first, second = pages_of(
        f'<div><h4>Opus</h4><table class="parameters"><tbody>{body}</tbody></table></div>', 450
    )
    assert {"Items", "Opus", "row 0", "row 2"} <= {*first}
    assert "row 5" in second


def test_anchors_of_before_have_the_same_minus() -> None:
    rows = [{"filter": f"Kaiser window, {sign}6 dB at 3750 Hz", "command": "lame -6 -b 6"} for sign in "-−"]
    assert facts._merge_parameters(rows) == [
        ("command", "lame -6 -b 6"),
        ("filter", "Kaiser window, −6 dB at 3750 Hz"),
    ]


def test_units_of_a_report_stay_with_their_numbers(owner: Client, told: Study) -> None:
    computed(told)
    page = owner.get(reverse("report", args=[told.pk])).content.decode()
    body = page[page.index('<article class="report') : page.index("</article>")]
    said = re.sub(r"<(svg|pre|code|bdi)\b.*?</\1>|<[^>]+>", "", body, flags=re.DOTALL)
    assert "95\xa0% interval" in said
    assert not re.search(r"\d (%|dB|Hz|kHz|ms)", said)
    assert "WAV, 16-bit, 16\xa0kHz, mono" in said


def test_without_pango_the_page_says_what_to_install(
    owner: Client, told: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed(told)
    monkeypatch.setitem(__import__("sys").modules, "weasyprint", None)
    with pytest.raises(PdfUnavailable, match="libpango"):
        pdf_of({})
    answer = owner.get(reverse("report_pdf", args=[told.pk]))
    make_file(str(MadeFile.objects.get().pk))
    assert "This server cannot write PDF" in owner.get(answer["Location"]).content.decode()
    assert owner.get(f"{answer['Location']}download").status_code == 409


def test_pilot_and_simulated_reports_are_loud(owner: Client, study: Study) -> None:
    generate(study, 3, QUALITY, kind="simulated")
    text = text_of(owner, study, kind="simulated")
    assert "Simulated. A program gave these grades" in text
    assert "How to cite Nothing: these grades are simulated." in text
    assert "There is no grade to report." in text_of(owner, study)


def test_a_report_says_which_of_its_languages_it_quotes(owner: Client, study: Study) -> None:
    study.other_languages = ["de"]
    study.save()
    begin(start_session(study, language="de"))  # has not finished, and so is not counted
    text = text_of(owner, study)
    assert "listeners could choose: English 0, German 0); the English words of the scale" in text
    assert "The page that every listener read before the first trial, here in English:" in text


def test_a_report_of_an_open_test_does_not_speak_of_its_end(owner: Client, study: Study) -> None:
    session = start_session(study)
    begin(session)
    for position in (1, 2):  # the training, and one of two items
        grade(session.trials.get(position=position), {"original": 100})
    computed(study)
    text = text_of(owner, study)
    # Who is still listening has not left, and has not graded every item.
    assert "1 listener began grading, 0 finished and 1 had not finished." in text
    assert "Only one assessor graded every item that has grades with every system" in text
    assert "with Earshot, while the test was open;" in text
    close_study(study)
    computed(study)
    assert "while the test was open" not in text_of(owner, study)


@pytest.mark.parametrize(
    ("method", "answer"),
    some(
        [("abx", right), ("ab", prefer), ("acr", grade_all), ("bs1116", grade_all)],
        lambda row: row[0] == "abx",
    ),
)
def test_other_methods_have_a_report_too(
    owner: Client, hold: Callable[..., Study], method: str, answer: Any
) -> None:
    study = hold(method, answer, listeners=3)
    text = text_of(owner, study)
    assert METHODS[method].source in text
    assert "3. Results in full" in text
    assert "MUSHRA" not in text
    assert "BS.1534" not in text
    assert "Reproduction" in text
    assert re.search(r"Held on \d+ \w+ \d{4}\.", text)  # choices are dated, too
    assert "turned away" not in text  # there was no headphone screening
    # Who knows which recording is the original has no hidden reference.
    assert ("hidden reference" in text.lower()) is (method in ("acr", "bs1116"))
    # Of differences nothing is said until they are tested; answers of ABX speak for their recordings.
    assert ("of preference are for items like these" in text.split("4. Limits")[1]) is (method == "ab")
    for row in Analysis.objects.filter(study=study):
        make_analysis(row.pk)
    answered = owner.get(reverse("report_pdf", args=[study.pk]))
    assert fetch_made(owner, answered).startswith(b"%PDF-")
