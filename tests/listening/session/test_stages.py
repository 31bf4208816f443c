"""Every step of a session besides its trials: in order, once, resumed anywhere, and never forged."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from listening.methods import METHODS
from listening.models import Answer, Assessor, Deletion, Event, Rating, Session, Stage, Study
from listening.session.sessions import begin, current_step, start_session
from listening.study import headphones
from listening.study.errors import StudyClosed
from listening.study.studies import close_study, reopen_study
from tests.listening.conftest import grade, listen
from tests.listening.web.test_blindness import page_of

SOUND = {"transducer": "headphones", "channels": "right", "volume": "-9", "device": "HD 650"}
QUESTIONS = [
    {"name": "age", "label": "Age", "type": "number", "when": "before", "required": True, "minimum": 18},
    {"name": "note", "label": "Remarks", "type": "long_text", "when": "after", "required": True},
]


def html_of(session: Session, client: Client | None = None) -> str:
    """The session's page in a browser that has never been here."""
    return (client or Client()).get(reverse("session", args=[session.token])).content.decode()


def send(session: Session, name: str, **data: object) -> int:
    return Client().post(reverse(f"session_{name}", args=[session.token]), data).status_code


def step(session: Session) -> str:
    return current_step(Session.objects.get(pk=session.pk)).kind


def test_the_whole_way_in_order_each_step_resumed_elsewhere(study: Study) -> None:
    Study.objects.update(
        questionnaire=QUESTIONS,
        headphones={"tests": [{"test": "antiphase", "pass": 1, "attempts": 1}], "on_fail": "go_on"},
        break_after=1,
        training_repeats=1,
    )
    study.refresh_from_db()
    session = start_session(study)
    seen = []
    while (now := step(session)) != "thanks":
        assert html_of(session)  # a new browser at every step
        assert html_of(session) == html_of(session)  # and reloading
        assert session.completion_code not in html_of(session)
        seen.append(now)
        current = current_step(session)
        if now == "questions":
            name, value = ("age", 30) if current.stage == "before" else ("note", "fine")
            send(session, "questions", stage=current.stage, **{f"q-{name}": value})
        elif now == "volume":
            send(session, "volume", **SOUND)
        elif now == "headphones":
            round_ = headphones.current_round(session)
            assert round_
            send(session, "headphones", test=round_.stage, number=round_.number, answer=1)
        elif now == "instructions":
            send(session, "begin")
        elif now == "trained":
            send(session, "training")
        elif now == "break":
            send(session, "break", stage=current.stage)
        else:
            assert current.trial
            grade(current.trial)
        session.refresh_from_db()
        assert len(seen) < 20
    assert seen == [
        "questions", "volume", *["headphones"] * 6, "instructions", "trial", "trained", "trial", "break",
        "trial", "questions",
    ]  # fmt: skip
    assert session.finished
    assert session.completion_code in html_of(session)
    assert dict(session.answers.values_list("question", "value")) == {"age": 30, "note": "fine"}


def test_grades_never_begin_to_count_unsaid(study: Study) -> None:
    """After the training a page says so, whether or not the training can be repeated."""
    session = start_session(study)
    begin(session)
    assert study.training_repeats == 0
    grade(session.trials.get(position=1))
    page = html_of(session)
    assert "From here on your grades count." in page
    assert "Repeat the training" not in page
    assert send(session, "training", again="yes") == 302  # nor can it be, by a forged request
    assert step(session) == "trained"
    send(session, "training")
    assert step(session) == "trial"


def test_without_extras_the_way_is_short(study: Study) -> None:
    session = start_session(study)
    assert step(session) == "volume"
    send(session, "volume", **SOUND)
    assert step(session) == "instructions"
    send(session, "begin")
    assert page_of(html_of(session))["stimuli"]


def test_the_finish_waits_for_the_last_answers(study: Study) -> None:
    Study.objects.update(questionnaire=QUESTIONS[1:])
    study.refresh_from_db()
    session = listen(study)
    assert session.finished is None
    assert "A few last questions" in html_of(session)
    assert session.completion_code not in html_of(session)
    send(session, "questions", stage="after", **{"q-note": "good"})
    session.refresh_from_db()
    assert session.finished
    finished = session.finished
    send(session, "questions", stage="after", **{"q-note": "changed my mind"})
    session.refresh_from_db()
    assert session.finished == finished
    assert Answer.objects.get().value == "good"


# -- Sound


def test_the_sound_is_declared_and_stored(study: Study) -> None:
    session = start_session(study)
    html = html_of(session)
    trial = session.trials.get(position=1)
    speech = reverse("stimulus_audio", args=[session.token, 1, trial.reference_key])
    assert f'data-speech="{speech}"' in html
    send(session, "volume", **SOUND)
    send(session, "volume", **SOUND | {"transducer": "loudspeakers"})  # too late to say otherwise
    assert Stage.objects.get().data == {
        "transducer": "headphones", "channels": "right", "device": "HD 650", "volume_db": -9.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transducer": ""}, "Please say what you listen with"),
        ({"transducer": "horn"}, "Please say what you listen with"),
        ({"channels": ""}, "Please play both sides"),
        ({"channels": "one_side"}, "Both sides have to sound"),
        ({"channels": "nothing"}, "Both sides have to sound"),
    ],
)
def test_a_sound_that_will_not_do_is_explained(
    client: Client, study: Study, changes: dict[str, str], message: str
) -> None:
    session = start_session(study)
    answer = client.post(reverse("session_volume", args=[session.token]), SOUND | changes)
    assert answer.status_code == 422
    html = answer.content.decode()
    assert message in html
    assert "HD 650" in html  # what was typed is not lost
    assert step(session) == "volume"


def test_swapped_sides_and_odd_levels_are_no_obstacle(study: Study) -> None:
    for volume in ("", "nan", "1e9", "x"):
        session = start_session(study)
        send(session, "volume", **SOUND | {"channels": "swapped", "volume": volume})
        data = Stage.objects.get(session=session).data
        assert (data["channels"], data["volume_db"]) == ("swapped", None)


def test_loudspeakers_are_turned_away_only_where_headphones_are_needed(client: Client, study: Study) -> None:
    speakers = SOUND | {"transducer": "loudspeakers"}
    session = start_session(study)
    send(session, "volume", **speakers)
    assert step(session) == "instructions"
    Study.objects.update(headphones={"required": True})
    session = start_session(study)
    answer = client.post(reverse("session_volume", args=[session.token]), speakers)
    assert "This test needs headphones" in answer.content.decode()
    assert step(session) == "volume"


@pytest.mark.parametrize("method", METHODS)
def test_the_sound_check_gives_no_hidden_reference_away(study: Study, method: str) -> None:
    """Speech is the reference only where the trials show it, too; instructions are the method's own."""
    Study.objects.update(method=method)
    study.refresh_from_db()
    session = start_session(study)
    trial = session.trials.get(position=1)
    shown = trial.reference_key in html_of(session)
    assert shown == (method in ("mushra", "bs1116", "dcr"))
    assert shown or trial.order[0]["key"] in html_of(session)
    send(session, "volume", **SOUND)
    html = html_of(session)
    assert "Your task" in html
    if method != "mushra":
        assert str(METHODS[method].question) in html
        for _score, word in METHODS[method].words:
            assert str(word) in html
    else:
        assert "must be graded 100" in html
        assert "need not be" in html


# -- Training and breaks


def test_the_training_may_be_repeated_and_nothing_of_it_is_lost(study: Study) -> None:
    Study.objects.update(training_repeats=2)
    study.refresh_from_db()
    session = start_session(study)
    begin(session)
    session.refresh_from_db()
    grade(session.trials.get(position=1))
    orders = []
    for repeat in (1, 2):
        assert "Repeat the training" in html_of(session)
        send(session, "training", again="yes")
        send(session, "training", again="yes")  # a double click
        trial = current_step(session).trial
        assert trial
        assert (trial.item.training, trial.position) == (True, repeat + 1)
        assert session.trials.filter(item__training=True).count() == repeat + 1
        assert {entry["stimulus"] for entry in trial.order} == {
            entry["stimulus"] for entry in session.trials.get(position=1).order
        }
        orders.append([entry["stimulus"] for entry in trial.order])
        grade(trial)
    html = html_of(session)
    assert "grades count" in html
    assert "Repeat the training" not in html  # twice is what the study allows
    send(session, "training", again="yes")
    assert session.trials.count() == 5
    assert Rating.objects.filter(trial__item__training=True).count() == 15
    send(session, "training")
    positions = [trial.position for trial in session.trials.filter(item__training=False)]
    assert positions == [4, 5]
    for position in positions:
        trial = current_step(session).trial
        assert trial
        assert trial.position == position
        grade(trial)
    assert step(session) == "thanks"


def test_without_leave_the_training_is_not_repeated(study: Study) -> None:
    session = start_session(study)
    begin(session)
    grade(session.trials.get(position=1))
    send(session, "training", again="yes")
    assert session.trials.count() == 3


def test_a_break_is_offered_once_and_its_length_kept(study: Study) -> None:
    Study.objects.update(break_after=1)
    study.refresh_from_db()
    session = start_session(study)
    begin(session)
    grade(session.trials.get(position=1))
    assert step(session) == "trained"  # training does not tire
    send(session, "break", stage="break-1")
    assert not Stage.objects.exists()  # nor can a break be taken ahead
    send(session, "training")
    grade(session.trials.get(position=2))
    long_ago = timezone.now() - timedelta(seconds=90)
    session.trials.exclude(finished=None).update(finished=long_ago)
    assert "Time for a break" in html_of(session)
    send(session, "break", stage="break-7")
    assert step(session) == "break"
    for _ in range(2):
        send(session, "break", stage="break-1")
    stage = Stage.objects.get(name="break-1")
    assert stage.data["seconds"] == pytest.approx(90, abs=5)
    grade(session.trials.get(position=3))
    assert step(session) == "thanks"  # none after the last


# -- Limits


def join(study: Study, query: str = "") -> str:
    url = reverse("join", args=[study.token]) + query
    page = Client().get(url).content.decode()
    Client().post(url, {"consent": "yes"})
    return page


def test_a_full_study_says_so_until_a_place_is_free(study: Study) -> None:
    Study.objects.update(max_sessions=1)
    study.refresh_from_db()
    assert "agree to take part" in join(study)
    session = Session.objects.get()
    assert "has all the listeners" in join(study)
    assert Session.objects.count() == 1
    assert "Set up your sound" in html_of(session)  # who is in stays in
    Session.objects.update(screened_out=timezone.now())
    assert "agree to take part" in join(study)
    assert Session.objects.count() == 2


def test_pilot_and_simulated_sessions_take_no_places(study: Study) -> None:
    Study.objects.update(max_sessions=1, pilot=True)
    study.refresh_from_db()
    for _ in range(2):
        assert "trial run" in join(study)
    start_session(study, kind=Session.Kind.SIMULATED)
    Study.objects.update(pilot=False)
    study.refresh_from_db()
    join(study)
    kinds = list(Session.objects.order_by("number").values_list("kind", flat=True))
    assert kinds == ["pilot", "pilot", "simulated", "real"]


def test_before_and_after_its_dates_a_study_takes_nobody_new(study: Study) -> None:
    session = start_session(study)
    now = timezone.now()
    Study.objects.update(opens=now + timedelta(hours=2))
    page = join(study)
    assert "not open yet" in page
    assert (now + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M") in page
    Study.objects.update(opens=now - timedelta(days=2), closes=now - timedelta(days=1))
    assert "ended on" in join(study)
    assert Session.objects.count() == 1
    begin(session)  # who began may finish
    for trial in session.trials.all():
        grade(trial)
    assert "The test is complete" in html_of(session)
    Study.objects.update(closes=now + timedelta(days=1))
    assert "agree to take part" in join(study)


def test_simulations_run_before_a_study_is_open(study: Study) -> None:
    Study.objects.update(status=Study.Status.READY, max_sessions=0)
    assert start_session(study, kind=Session.Kind.SIMULATED).kind == "simulated"
    with pytest.raises(StudyClosed):
        start_session(study)


# -- Taking the consent back


def test_withdrawing_asks_and_then_deletes_everything(client: Client, study: Study) -> None:
    Study.objects.update(questionnaire=QUESTIONS[1:])
    study.refresh_from_db()
    session, other = listen(study), listen(study)
    send(session, "questions", stage="after", **{"q-note": "good"})
    trial = session.trials.get(position=1)
    Event.objects.create(trial=trial, sequence=1, kind="play", milliseconds=5)
    close_study(study)  # which takes no grades, but still gives data back
    url = reverse("session_withdraw", args=[session.token])
    assert url in html_of(session)
    assert "cannot be undone" in client.get(url).content.decode()
    client.post(url)
    assert Session.objects.filter(pk=session.pk).exists()
    answer = client.post(url, {"withdraw": "yes"})
    assert "Your data is deleted" in answer.content.decode()
    assert list(Session.objects.all()) == [other]
    assert Assessor.objects.count() == 1
    assert Rating.objects.count() == 15
    assert not Answer.objects.exists()
    assert not Event.objects.exists()
    note = Deletion.objects.get()
    assert (note.number, note.ratings, note.reason) == (1, 15, "withdrawn by the listener")
    assert client.post(url, {"withdraw": "yes"}).status_code == 410
    reopen_study(study)
    assert start_session(study).number == 3  # the number is not given again


def test_every_page_leads_to_withdrawing(study: Study) -> None:
    session = start_session(study)
    url = reverse("session_withdraw", args=[session.token])
    assert url in html_of(session)
    send(session, "volume", **SOUND)
    assert url in html_of(session)


# -- Forgery


@pytest.mark.parametrize("name", ["begin", "questions", "volume", "headphones", "training", "break"])
def test_steps_are_posted_by_whom_the_link_belongs_to(client: Client, session: Session, name: str) -> None:
    assert client.put(reverse(f"session_{name}", args=[session.token])).status_code == 405
    assert client.post(reverse(f"session_{name}", args=["no-such-token"])).status_code == 404
    answer = client.post(reverse(f"session_{name}", args=[session.token]), {"stage": "break-1"})
    assert answer.headers["Location"] == reverse("session", args=[session.token])
    assert not Stage.objects.exists()
    assert not answer.cookies


def test_steps_cannot_be_skipped(study: Study) -> None:
    Study.objects.update(questionnaire=QUESTIONS)
    study.refresh_from_db()
    session = start_session(study)
    for name, data in (("begin", {}), ("volume", SOUND), ("questions", {"stage": "after", "q-note": "x"})):
        send(session, name, **data)
        assert step(session) == "questions"
    assert not Stage.objects.exists()
    assert not Answer.objects.exists()


def test_a_page_asks_the_database_little(study: Study) -> None:
    session = start_session(study)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        html_of(session)
    assert len(queries) < 15
