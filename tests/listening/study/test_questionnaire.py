"""What may be asked, what counts as an answer, and how the form behaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from django.utils import translation

from evaluation.columns import plain
from listening.models import Answer, Session, Stage, Study
from listening.session.sessions import current_step, start_session
from listening.study.languages import LANGUAGES
from listening.study.questionnaire import (
    QuestionnaireError,
    check_questionnaire,
    questions_of,
    read_answers,
)
from listening.study.ready_questions import READY, translate_ready

YES_NO = [{"value": "yes", "label": "Yes, I do"}, {"value": "no", "label": "No"}]
ALL = [
    {"name": "nick", "label": "A word", "type": "text", "when": "before", "required": False},
    {"name": "story", "label": "Tell", "type": "long_text", "when": "before", "required": False},
    {"name": "age", "label": "Age", "type": "number", "when": "before", "required": True,
     "minimum": 18, "maximum": 99.5},
    {"name": "music", "label": "Play?", "type": "single", "when": "before", "required": True,
     "choices": YES_NO},
    {"name": "used", "label": "Used", "type": "multiple", "when": "before", "required": False,
     "choices": [{"value": v, "label": v.upper()} for v in ("a", "b", "c")]},
    {"name": "skill", "label": "Skill", "type": "likert", "when": "before", "required": True,
     "choices": [{"value": str(n), "label": f"L{n}"} for n in range(1, 6)]},
]  # fmt: skip
RIGHT = {"q-age": "42", "q-music": "yes", "q-skill": "4"}


@pytest.fixture
def asked(study: Study) -> Session:
    """A session that is asked everything."""
    Study.objects.filter(pk=study.pk).update(questionnaire=check_questionnaire(ALL))
    study.refresh_from_db()
    return start_session(study)


def read(**sent: str | list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    data = QueryDict(mutable=True)
    for name, value in sent.items():
        data.setlist(f"q-{name}", value if isinstance(value, list) else [value])
    return read_answers(questions_of(Study(questionnaire=ALL)), data)


def test_answers_are_kept_in_their_type() -> None:
    answers, problems = read(
        nick=" Bo\x00b ", story="one\ntwo", age="42", music="no", used=["c", "a"], skill="4"
    )
    assert not problems
    assert answers == {
        "nick": "Bob", "story": "one\ntwo", "age": 42, "music": "no", "used": ["a", "c"], "skill": 4,
    }  # fmt: skip


@pytest.mark.parametrize(("text", "number"), [("42,5", 42.5), ("42.5", 42.5), ("4e1", 40), (" 18 ", 18)])
def test_numbers_are_read_as_people_write_them(text: str, number: float) -> None:
    assert read(age=text)[0]["age"] == number


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ({"age": "17.9"}, "age"), ({"age": "99.6"}, "age"), ({"age": "nan"}, "age"), ({"age": "inf"}, "age"),
        ({"age": "old"}, "age"), ({"age": ""}, "age"), ({"music": "maybe"}, "music"),
        ({"music": " "}, "music"),
        ({"used": ["a", "z"]}, "used"), ({"skill": "6"}, "skill"), ({"skill": "L4"}, "skill"),
        ({"nick": "x" * 501}, "nick"), ({"story": "x" * 5001}, "story"),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_said_so(sent: dict[str, Any], name: str) -> None:
    answers, problems = read(**{"age": "42", "music": "yes", "skill": "1"} | sent)
    assert set(problems) == {name}
    assert problems[name]
    assert name not in answers


def test_optional_questions_may_stay_open() -> None:
    answers, problems = read(age="42", music="yes", skill="1")
    assert not problems
    assert set(answers) == {"age", "music", "skill"}
    assert set(read()[1]) == {"age", "music", "skill"}


def test_the_page_shows_every_kind_of_question(client: Client, asked: Session) -> None:
    html = client.get(reverse("session", args=[asked.token])).content.decode()
    assert html.count('type="radio"') == 7
    assert html.count('type="checkbox"') == 3
    assert html.count("(optional)") == 3
    assert "<textarea" in html
    assert "Yes, I do" in html


def test_a_wrong_answer_keeps_the_right_ones(client: Client, asked: Session) -> None:
    url = reverse("session_questions", args=[asked.token])
    sent = RIGHT | {"stage": "before", "q-age": "7", "q-used": ["a", "c"], "q-nick": "<b>Bob</b>"}
    answer = client.post(url, sent)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "Please enter 18 or more." in html
    assert 'value="7"' in html
    assert "&lt;b&gt;Bob" in html
    assert html.count(" checked") == 4
    assert not Stage.objects.exists()
    stored = dict(Answer.objects.values_list("question", "value"))
    assert stored == {"music": "yes", "skill": 4, "used": ["a", "c"], "nick": "<b>Bob</b>"}
    assert client.post(url, sent | {"q-age": "70"}).status_code == 302
    assert Answer.objects.get(question="age").value == 70
    assert current_step(asked).kind == "volume"


def test_a_draft_survives_on_another_device(asked: Session) -> None:
    url = reverse("session_questions", args=[asked.token])
    draft = Client().post(url, {"stage": "before", "draft": "yes", "q-age": "33", "q-music": "no"})
    assert draft.json() == {"stored": 2}
    html = Client().get(reverse("session", args=[asked.token])).content.decode()
    assert 'value="33"' in html
    assert html.count(" checked") == 1
    assert current_step(asked).kind == "questions"
    Client().post(url, {"stage": "before", "draft": "yes", "q-age": "", "q-music": "no"})
    assert not Answer.objects.filter(question="age").exists()  # taken back


def test_sending_twice_stores_once_and_late_drafts_change_nothing(client: Client, asked: Session) -> None:
    url = reverse("session_questions", args=[asked.token])
    for _ in range(2):
        client.post(url, RIGHT | {"stage": "before"})
    client.post(url, {"stage": "before", "draft": "yes", "q-age": "88"})
    assert Answer.objects.count() == 3
    assert Answer.objects.get(question="age").value == 42
    assert Stage.objects.count() == 1


def problems_of(raw: Any) -> str:
    with pytest.raises(QuestionnaireError) as refused:
        check_questionnaire(raw)
    return str(refused.value)


def test_a_questionnaire_is_kept_as_it_is_described() -> None:
    assert check_questionnaire(ALL) == ALL
    assert check_questionnaire([]) == []
    [question] = check_questionnaire(
        [{"name": " the  age ", "label": "Age\x00", "type": "number", "minimum": "", "choices": 3}]
    )
    assert question == {
        "name": "the age", "label": "Age", "type": "number", "when": "before", "required": False,
    }  # fmt: skip
    [question] = check_questionnaire([ALL[3] | {"choices": [{"label": "A"}, {"label": "B"}]}])
    assert question["choices"] == [{"value": "A", "label": "A"}, {"value": "B", "label": "B"}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": " "}, "give it a text"),
        ({"name": ""}, "give it a name"),
        ({"name": "x" * 201}, "longer than 200"),
        ({"name": 5}, "must be text"),
        ({"type": "slider"}, "its type must be one of"),
        ({"type": []}, "its type must be one of"),
        ({"when": "during"}, "before or after"),
        ({"type": "number", "minimum": 5, "maximum": 4}, "smallest number allowed is larger"),
        ({"type": "number", "minimum": "many"}, "must be a number"),
        ({"type": "number", "minimum": True}, "must be a number"),
        ({"x": 1}, "'x' does not belong here"),
        ({"type": "single"}, "at least two"),
        ({"type": "single", "choices": YES_NO[:1]}, "at least two"),
        ({"type": "single", "choices": [*YES_NO, *YES_NO]}, "stored as “yes”"),
        ({"type": "single", "choices": ["a", "b"]}, "a value and a label"),
        ({"type": "single", "choices": [{"label": ""}, {"label": "x"}]}, "is empty"),
        ({"type": "likert", "choices": [{"label": str(n)} for n in range(51)]}, "at most 50"),
    ],
)
def test_what_cannot_be_asked_is_named(changes: dict[str, Any], message: str) -> None:
    question = {"name": "q", "label": "Q", "type": "text", "when": "before"}
    said = problems_of([ALL[0], question | changes])
    assert message in said
    assert said.startswith("Question 2: ")


def test_names_are_unique_and_lists_are_lists() -> None:
    assert "another question named" in problems_of([ALL[0], ALL[0] | {"name": "Nick"}])
    assert "must be a list" in problems_of({"name": "x"})
    assert "must be an object" in problems_of(["x"])
    assert "too many" in problems_of([ALL[0]] * 61)
    two = problems_of([ALL[0] | {"label": ""}, ALL[1] | {"type": ""}])
    assert "Question 1:" in two
    assert "Question 2:" in two


#: As the builder has stored them since there are ready-made questions.
AGE = {
    "name": "age",
    "label": "How old are you?",
    "type": "number",
    "when": "before",
    "required": True,
    "minimum": 16,
    "maximum": 110,
}
YES_NO_UNKNOWN = [{"value": "no", "label": "No"}, {"value": "yes", "label": "Yes"},
                  {"value": "unknown", "label": "I do not know"}]  # fmt: skip
HEARING = {
    "name": "hearing",
    "label": "Do you know of any loss of your hearing?",
    "type": "single",
    "when": "before",
    "required": True,
    "choices": YES_NO_UNKNOWN,
}
SCALE = [{"value": "1", "label": "Not at all"}, {"value": "2", "label": "A little"},
         {"value": "3", "label": "Rather"}, {"value": "4", "label": "Very"}]  # fmt: skip


def shown_words(language: str, question: Mapping[str, object]) -> list[str]:
    """What a listener reads of the question: its text and its answers."""
    with translation.override(language):
        shown = translate_ready(check_questionnaire([question])[0])
    return [shown.label, *(option.label for option in shown.choices)]


def test_listeners_read_ready_made_questions_in_their_language_and_answer_in_the_same_values(
    client: Client, study: Study
) -> None:
    Study.objects.update(
        language="en", other_languages=["de"], questionnaire=check_questionnaire([AGE, HEARING])
    )
    study.refresh_from_db()
    sessions = [start_session(study), start_session(study)]
    Session.objects.filter(pk=sessions[1].pk).update(language="de")
    pages = [client.get(reverse("session", args=[session.token])).content.decode() for session in sessions]
    texts = (
        ["How old are you?", "Do you know of any loss of your hearing?", "I do not know"],
        ["Wie alt sind Sie?", "Ist bei Ihnen ein Hörverlust bekannt?", "Weiß ich nicht"],
    )
    for at, page in enumerate(pages):
        assert [text in page for text in texts[at]] == [True] * 3
        assert [text in page for text in texts[1 - at]] == [False] * 3
    sent = {"stage": "before", "q-age": "30", "q-hearing": "unknown"}
    for session in sessions:
        assert client.post(reverse("session_questions", args=[session.token]), sent).status_code == 302
        stored = dict(Answer.objects.filter(session=session).values_list("question", "value"))
        assert stored == {"age": 30, "hearing": "unknown"}
    study.refresh_from_db()
    assert study.questionnaire == [AGE, HEARING]


def test_a_researchers_own_words_stay_as_they_are() -> None:
    for change in ({"label": "How old are you, roughly?"}, {"label": "Wie alt bist du?"}):
        assert shown_words("de", AGE | change) == [change["label"]]
    answers = [*YES_NO_UNKNOWN[:2], {"value": "unknown", "label": "No idea"}]
    assert shown_words("de", HEARING | {"choices": answers}) == [HEARING["label"], "No", "Yes", "No idea"]
    helped = AGE | {"help": "In years."}
    assert shown_words("de", helped) == ["How old are you?"]
    # Limits, name and place are no words.
    assert shown_words("de", AGE | {"minimum": 18, "name": "years", "when": "after"}) == ["Wie alt sind Sie?"]


def test_a_scale_that_was_left_as_it_began_is_translated_under_any_text() -> None:
    question = {"name": "tired", "label": "Wie müde sind Sie?", "type": "likert", "choices": SCALE}
    assert shown_words("fr", question)[:2] == ["Wie müde sind Sie?", "Pas du tout"]
    assert shown_words("en-gb", question)[1:] == ["Not at all", "A little", "Rather", "Very"]
    changed = [*SCALE[:3], {"value": "4", "label": "Much"}]
    assert shown_words("fr", question | {"choices": changed})[1:] == [
        "Not at all",
        "A little",
        "Rather",
        "Much",
    ]


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
def test_every_ready_made_word_is_said_in_every_language(language: str) -> None:
    for question in READY.values():
        english = [question.label, *(option.label for option in question.choices)]
        translated = shown_words(language, plain(question))
        assert not set(english) & set(translated)
        assert len(set(translated)) == len(english)
