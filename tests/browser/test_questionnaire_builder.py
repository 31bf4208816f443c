"""The questionnaire is built without a mouse, put in order, refused where it cannot be asked, and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from listening.models import Session, Study
from listening.session.sessions import begin, start_session

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.conftest import Errors

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def who(page: Page, live_server: Any, study: Study) -> Page:
    """The second step of the study's page, as its owner sees it."""
    client = Client()
    client.force_login(study.owner)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    page.context.add_cookies([cookie])
    page.goto(f"{live_server.url}/studies/{study.pk}/setup/who/")
    return page


def press(page: Page, name: str) -> None:
    """Press a button by the keyboard."""
    page.get_by_role("button", name=name, exact=True).focus()
    page.keyboard.press("Enter")


def save(page: Page) -> None:
    with page.expect_navigation():
        press(page, "Save")


def saved(study: Study) -> list[dict[str, Any]]:
    study.refresh_from_db()
    questions: list[dict[str, Any]] = study.questionnaire
    return questions


def test_built_by_keyboard_saved_and_shown_again(who: Page, study: Study) -> None:
    page = who
    press(page, "Add a question")
    page.keyboard.type("What do you listen to most?")  # the new question has the focus
    card = page.get_by_role("listitem", name="Question 1")
    assert card.get_by_label("Name in exports").input_value() == "what_do_you_listen"
    card.get_by_label("Type").select_option("single")
    card.get_by_label("Answers to choose from").fill("m | Music\ns | Speech, mostly\nNeither")
    card.get_by_label("An answer is required").check()
    press(page, "Add the question “Age”")
    press(page, "Add the question “Remarks”")
    press(page, "Move question 2 up")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Move question 1 down"
    press(page, "Remove question 3")
    save(page)
    assert saved(study) == [
        {"name": "age", "label": "How old are you?", "type": "number", "when": "before", "required": True,
         "minimum": 16, "maximum": 110},
        {"name": "what_do_you_listen", "label": "What do you listen to most?", "type": "single",
         "when": "before", "required": True, "choices": [
             {"value": "m", "label": "Music"}, {"value": "s", "label": "Speech, mostly"},
             {"value": "Neither", "label": "Neither"}]},
    ]  # fmt: skip
    assert page.get_by_text("Number · before the trials · required").is_visible()
    press(page, "Edit question 2")
    card = page.get_by_role("listitem", name="Question 2")
    assert (
        card.get_by_label("Answers to choose from").input_value() == "m | Music\ns | Speech, mostly\nNeither"
    )
    card.get_by_label("Question", exact=True).fill("Which?")
    assert card.get_by_label("Name in exports").input_value() == "what_do_you_listen"
    save(page)
    assert [question["label"] for question in saved(study)] == ["How old are you?", "Which?"]


def test_platforms_refusals_pasted_questions_and_the_end_of_changes(
    who: Page, study: Study, errors: Errors
) -> None:
    """One after the other on one page."""
    the_addresses_of_a_platform_appear_when_it_is_chosen(who, study)
    who.reload()
    what_cannot_be_asked_is_refused_and_still_there(who, study, errors)
    a_pasted_questionnaire_becomes_cards(who, study)
    once_somebody_takes_part_it_is_fixed(who, study)


def what_cannot_be_asked_is_refused_and_still_there(who: Page, study: Study, errors: Errors) -> None:
    errors.allow("status of 400")
    page = who
    press(page, "Add the question “Age”")
    card = page.get_by_role("listitem", name="Question 1")
    card.get_by_label("Smallest number").fill("200")
    save(page)
    assert page.get_by_text("Question 1: the smallest number allowed is larger").is_visible()
    assert saved(study) == []
    card.get_by_label("Smallest number").fill("20")
    save(page)
    assert saved(study)[0]["minimum"] == 20


def a_pasted_questionnaire_becomes_cards(who: Page, study: Study) -> None:
    page = who
    page.get_by_text("Questions as JSON").first.click()
    field = page.get_by_label("Questions as JSON")
    field.fill(
        '[{"name": "x", "label": "From elsewhere", "type": "text", "when": "after", "required": false}]'
    )
    field.blur()
    assert page.get_by_role("listitem", name="Question 1").get_by_text("From elsewhere").is_visible()
    save(page)
    assert saved(study)[0]["label"] == "From elsewhere"


def once_somebody_takes_part_it_is_fixed(who: Page, study: Study) -> None:
    Study.objects.update(
        questionnaire=[{"name": "x", "label": "X?", "type": "text", "when": "before", "required": False}]
    )
    study.refresh_from_db()
    begin(start_session(study))
    assert Session.objects.count() == 1
    who.reload()
    assert who.get_by_role("button", name="Add a question").is_disabled()
    assert who.get_by_role("button", name="Remove question 1").is_disabled()


def the_addresses_of_a_platform_appear_when_it_is_chosen(who: Page, study: Study) -> None:
    address = who.get_by_label("Study address to paste into Prolific")
    assert address.is_hidden()
    who.get_by_label("Prolific", exact=True).check()
    assert address.input_value().endswith(
        f"/t/{study.token}/?PROLIFIC_PID={{{{%PROLIFIC_PID%}}}}&STUDY_ID={{{{%STUDY_ID%}}}}"
        "&SESSION_ID={{%SESSION_ID%}}"
    )
    who.get_by_label("Amazon Mechanical Turk").check()
    assert address.is_hidden()
    assert "<ExternalURL>" in who.get_by_label("The task's ExternalQuestion").input_value()
