"""The sections of the study page about listeners: what they show, take and refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string

from listening.models import Study
from listening.web.forms.base import Section
from listening.web.forms.headphones import Headphones
from listening.web.forms.questionnaire import Questionnaire
from listening.web.forms.recruitment import Recruitment
from listening.web.forms.texts import Texts
from tests.listening.study.test_questionnaire import ALL


def form(kind: type[Section], study: Study, **data: Any) -> Section:
    sent = QueryDict(mutable=True)
    sent.update({f"{kind.slug}-{name}": value for name, value in data.items()})
    return kind(study, sent)


def html(section: Section) -> str:
    return render_to_string(section.templates, {"section": section, "study": section.study})


def stored(section: Section) -> Study:
    assert section.is_valid(), section.errors
    names = section.apply(section.study)
    section.study.save(update_fields=names)
    return Study.objects.get(pk=section.study.pk)


def test_texts_and_language_are_stored_and_come_back(study: Study) -> None:
    saved = stored(
        form(
            Texts,
            study,
            language="de",
            consent=" Ja? ",
            instructions="",
            thanks="Danke",
            training_repeats="2",
        )
    )
    assert (saved.language, saved.training_repeats) == ("de", 2)
    assert saved.texts == {"consent": "Ja?", "thanks": "Danke"}
    shown = html(Texts(saved))
    assert "Ja?" in shown
    assert '<option value="de" selected>' in shown
    assert (
        "texts-training_repeats" in form(Texts, study, language="xx", training_repeats="9").errors
        or not form(Texts, study, language="xx").is_valid()
    )
    assert "consent" in form(Texts, study, language="de", consent="x" * 5001).errors
    assert "training_repeats" in form(Texts, study, language="de", training_repeats="6").errors


def test_headphone_tests_and_pass_marks_are_stored(study: Study) -> None:
    saved = stored(form(Headphones, study))
    assert saved.headphones == {}
    saved = stored(form(Headphones, study, required="on", huggins="on", huggins_pass="6", on_fail="go_on"))
    assert saved.headphones == {
        "required": True,
        "tests": [{"test": "huggins", "pass": 6, "attempts": 1}],
        "on_fail": "go_on",
    }
    again = Headphones(saved)
    assert "Milne et al. 2021" in html(again)
    assert again.initial["huggins_pass"] == 6
    saved = stored(form(Headphones, study, huggins="on", antiphase="on", antiphase_attempts="3"))
    assert [row["attempts"] for row in saved.headphones["tests"]] == [1, 3]
    assert [row["pass"] for row in saved.headphones["tests"]] == [5, 5]
    for wrong in (
        {"huggins_pass": "7"},
        {"antiphase_pass": "0"},
        {"huggins_attempts": "4"},
        {"on_fail": "x"},
    ):
        assert not form(Headphones, study, **wrong).is_valid()


def test_the_addresses_to_paste_are_shown(study: Study) -> None:
    shown = html(Recruitment(study))
    assert f"/t/{study.token}/?PROLIFIC_PID={{{{%PROLIFIC_PID%}}}}&amp;STUDY_ID=" in shown
    assert f"&lt;ExternalURL&gt;http://localhost:8000/t/{study.token}/&lt;/ExternalURL&gt;" in shown
    assert "needs an https address" in shown


def test_prolific_needs_its_code_and_takes_it_as_an_address(study: Study) -> None:
    assert "code" in form(Recruitment, study, platform="prolific").errors
    saved = stored(
        form(
            Recruitment,
            study,
            platform="prolific",
            required="on",
            code="https://app.prolific.com/submissions/complete?cc=C1ABC",
            screened_out_code=" X-9 ",
        )
    )
    assert saved.recruitment == {
        "platform": "prolific", "required": True, "code": "C1ABC", "screened_out_code": "X-9",
    }  # fmt: skip
    for wrong in ("no spaces please", "<b>", "https://app.prolific.com/?cc=%3Cb%3E"):
        assert "code" in form(Recruitment, study, platform="prolific", code=wrong).errors
    assert stored(form(Recruitment, study, platform="mturk")).recruitment == {
        "platform": "mturk", "required": False,
    }  # fmt: skip
    assert stored(form(Recruitment, study, platform="")).recruitment == {}
    assert not form(Recruitment, study, platform="elsewhere").is_valid()


def test_a_questionnaire_goes_through_the_form(study: Study) -> None:
    saved = stored(form(Questionnaire, study, questions=json.dumps(ALL)))
    assert saved.questionnaire == ALL
    assert "A word" in html(Questionnaire(saved))
    assert stored(form(Questionnaire, saved, questions="")).questionnaire == []


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not JSON"), ("[" * 100_000, "not JSON"), ("{}", "must be a list"),
     ('[{"name": "a", "label": "", "type": "text"}]', "Question 1: give it a text.")],
)  # fmt: skip
def test_a_questionnaire_that_cannot_be_asked_is_refused_and_kept_in_the_form(
    study: Study, text: str, message: str
) -> None:
    section = form(Questionnaire, study, questions=text)
    assert not section.is_valid()
    shown = html(section)
    assert message in shown
    assert text[:20].replace('"', "&quot;") in shown
