"""The researcher's preview: every page of the test, at any time, and no trace of it."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from listening.interchange.archive.write import document_parts
from listening.kinds import kinds_of
from listening.models import Assessor, Choice, DeletedSession, Deletion, Rating, Session, Stage, Study
from listening.session.ratings import save_rating
from listening.session.sessions import current_step, start_preview, start_session
from listening.study import selectors
from listening.study.errors import StudyClosed
from listening.study.studies import close_study, open_study, update_study
from tests.listening.conftest import listen

QUESTIONS = [
    {"name": "age", "label": "Age", "type": "number", "when": "before", "required": True},
    {"name": "note", "label": "Remarks", "type": "long_text", "when": "after", "required": True},
]
#: The pages of a study of one training trial and two items with all that it can ask.
WAY = [
    "consent", "questions", "volume", "headphones", "instructions", "trial", "trained", "trial", "break",
    "trial", "questions", "thanks",
]  # fmt: skip


@pytest.fixture
def researcher(study: Study) -> Client:
    client = Client()
    client.force_login(study.owner)
    return client


def step(session: Session) -> str:
    return current_step(Session.objects.get(pk=session.pk)).kind


def no_trace() -> bool:
    return not any(model._default_manager.exists() for model in (Session, Assessor, Rating, Stage, Choice))


@pytest.mark.parametrize("status", [Study.Status.READY, Study.Status.OPEN, Study.Status.CLOSED])
def test_it_shows_every_page_whatever_the_state_of_the_study(
    study: Study, researcher: Client, status: str
) -> None:
    Study.objects.update(
        status=status,
        questionnaire=QUESTIONS,
        headphones={"tests": [{"test": "antiphase", "pass": 6, "attempts": 2}], "on_fail": "end"},
        break_after=1,
    )
    answer = researcher.post(reverse("study_preview", args=[study.pk]))
    session = Session.objects.get()
    assert answer.headers["Location"] == reverse("session", args=[session.token])
    listener, seen = Client(), []
    while True:
        page = listener.get(reverse("session", args=[session.token])).content.decode()
        assert "Nothing that you do here counts or is kept." in page
        assert "data-session" not in page  # no browser remembers it as a session of its own
        seen.append(step(session))
        if seen[-1] == "thanks":
            break
        listener.post(reverse("preview_skip", args=[session.token]))
    assert seen == WAY
    end = "session_withdraw" if status == Study.Status.OPEN else "preview_end"  # the same, in a preview
    over = listener.post(reverse(end, args=[session.token]), {"withdraw": "yes"})
    assert over.headers["Location"] == reverse("study", args=[study.pk])
    assert no_trace()
    assert not Deletion.objects.exists()
    assert not DeletedSession.objects.exists()


def test_its_pages_work_as_the_listeners_do(study: Study) -> None:
    """What is sent is checked and stored like anybody's, also before the study is opened."""
    Study.objects.update(status=Study.Status.READY)
    session = start_preview(study)
    client = Client()
    for name in ("preview_skip", "preview_skip", "session_begin"):
        client.post(reverse(name, args=[session.token]))
    trial = session.trials.get(position=1)
    sent = {"key": trial.order[0]["key"], "score": 40, "sequence": 1}
    url = reverse("save_rating", args=[session.token, 1])
    assert client.post(url, sent, content_type="application/json").json()["score"] == 40
    assert (
        client.post(url, sent | {"score": 101, "sequence": 2}, content_type="application/json").status_code
        == 400
    )
    assert Rating.objects.get().score == 40


def everything_shown(study: Study, researcher: Client) -> dict[str, object]:
    """What pages and files say of the study's sessions."""
    page = researcher.get(reverse("results", args=[study.pk])).content.decode()
    return {
        "rows": selectors.session_rows(selectors.sessions_shown(study)),
        "page": re.sub(r'csrfmiddlewaretoken" value="\w+|hx-headers=\S+ \S+', "", page),
        "archive": b"".join(document_parts(study)),
        "csv": researcher.get(reverse("ratings_csv", args=[study.pk])).getvalue(),
    }


def test_nothing_shows_or_counts_it(study: Study, researcher: Client) -> None:
    heard = listen(study)
    before = everything_shown(study, researcher)
    session = start_preview(study)
    for trial in session.trials.order_by("position"):
        Session.objects.filter(pk=session.pk).update(instructed="2026-01-01T00:00Z")
        for entry in trial.order:
            save_rating(trial, entry["key"], 1, 1)
        trial.finished = "2026-01-01T00:00Z"
        trial.save()
    assert everything_shown(study, researcher) == before
    later = start_session(study)
    assert (later.number, later.place) == (heard.number + 1, 1)
    with pytest.raises(ValueError, match="no results"):
        kinds_of("preview")


def test_it_locks_nothing_and_goes_when_the_study_changes_or_opens(study: Study) -> None:
    Study.objects.update(status=Study.Status.READY)
    study.refresh_from_db()
    start_preview(study)
    start_preview(study)
    assert Session.objects.count() == 1  # in place of the one before
    study.seed += 1
    update_study(study, ["seed"])
    assert no_trace()
    Study.objects.update(status=Study.Status.READY)
    start_preview(study)
    open_study(study)
    assert no_trace()


def test_it_waits_for_the_stimuli(study: Study, researcher: Client) -> None:
    Study.objects.update(status=Study.Status.PREPARING)
    with pytest.raises(StudyClosed):
        start_preview(study)
    assert researcher.post(reverse("study_preview", args=[study.pk])).status_code == 410
    assert "Preview as listener" not in researcher.get(reverse("study", args=[study.pk])).content.decode()
    assert no_trace()


def test_only_the_owner_starts_one_and_no_other_session_can_be_skipped_or_ended(
    study: Study, bob: User, client: Client
) -> None:
    client.force_login(bob)
    assert client.post(reverse("study_preview", args=[study.pk])).status_code == 404
    session = start_session(study)
    assert client.post(reverse("preview_skip", args=[session.token])).status_code == 302
    assert step(session) == "volume"
    assert client.post(reverse("preview_end", args=[session.token])).status_code == 404
    assert Session.objects.filter(pk=session.pk).exists()
    close_study(study)
    assert client.post(reverse("preview_skip", args=[session.token])).status_code == 302
    assert not session.stages.exists()
