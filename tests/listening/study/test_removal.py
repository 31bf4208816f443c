"""Deleting an assessor's data: nothing of it stays but a note."""

from __future__ import annotations

from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from listening.models import Answer, Assessor, Deletion, Event, Participation, Rating, Session, Stage, Study
from listening.study import removal
from tests.listening.conftest import listen


def with_traces(study: Study) -> Session:
    """A finished session that has left something in every table."""
    session = listen(study, comment="a comment")
    Event.objects.create(trial=session.trials.first(), sequence=1, kind="play", milliseconds=5)
    Stage.objects.create(session=session, name="volume", data={"db": -6})
    Answer.objects.create(session=session, question="age", value=41)
    Participation.objects.create(study=study, session=session, platform="prolific", person="5f3a")
    return session


def test_nothing_of_a_deleted_session_stays_but_the_note(study: Study) -> None:
    kept, gone = with_traces_of_two(study)
    code = gone.assessor.code
    note = removal.delete_session(gone, "asked by e-mail")
    assert (note.study_id, note.number, note.ratings, note.reason) == (study.pk, 2, 15, "asked by e-mail")
    for model in apps.get_app_config("listening").get_models():
        if model is Deletion:
            continue
        for row in model._default_manager.all().values():
            assert gone.pk not in row.values()
            assert code not in row.values()
    assert list(study.sessions.all()) == [kept]
    assert Rating.objects.count() == 15
    assert Assessor.objects.count() == 1
    assert Answer.objects.count() == 1


def with_traces_of_two(study: Study) -> tuple[Session, Session]:
    kept = with_traces(study)
    Participation.objects.update(person="5f3b")
    return kept, with_traces(study)


def test_a_number_is_not_given_twice(study: Study) -> None:
    _, gone = with_traces_of_two(study)
    removal.withdraw(gone)
    assert listen(study).number == 3
    assert Deletion.objects.get().reason == "withdrawn by the listener"


def test_the_owner_deletes_a_listeners_data_on_the_studys_page(
    client: Client, study: Study, alice: User, bob: User
) -> None:
    session = with_traces(study)
    code = session.assessor.code
    url = reverse("session_delete", args=[study.pk, session.pk])
    assert client.post(url).headers["Location"].startswith(reverse("signin"))
    client.force_login(bob)
    assert client.post(url).status_code == 404
    client.force_login(alice)
    assert client.get(url).status_code == 302
    assert url in client.get(reverse("study", args=[study.pk])).content.decode()
    page = client.post(url, {"reason": "asked <by> e-mail"}, follow=True).content.decode()
    assert f"All data of {code} has been deleted. Grades: 15." in page
    assert "asked &lt;by&gt; e-mail" in page
    assert not Session.objects.exists()
    assert client.post(url).status_code == 404
