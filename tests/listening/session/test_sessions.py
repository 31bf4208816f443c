"""A listener's way: link, consent, instructions, trials, thanks; interrupted, resumed, refused."""

from __future__ import annotations

from django.test import Client
from django.urls import URLPattern, reverse

from listening.models import Assessor, Session, Study
from listening.session.ratings import save_events, save_rating
from listening.session.sessions import TRAINED, start_session, take_step
from listening.study.studies import close_study, reopen_study
from listening.web import urls
from tests.listening.conftest import grade, listen
from tests.listening.web.test_blindness import page_of


def test_the_link_asks_and_agreeing_starts_a_session(client: Client, study: Study) -> None:
    url = reverse("join", args=[study.token])
    page = client.get(url)
    assert page.status_code == 200
    assert study.name in page.content.decode()
    assert not Session.objects.exists()  # looking is not taking part
    assert client.post(url).status_code == 200  # nor is sending the form without agreeing
    assert not Session.objects.exists()
    answer = client.post(url, {"consent": "yes"})
    session = Session.objects.get()
    assert answer.headers["Location"] == reverse("session", args=[session.token])
    assert session.assessor == Assessor.objects.get()
    assert b"sessionid" not in answer.serialize_headers()  # no account, no tracking


def test_instructions_come_first_and_once(client: Client, study: Study) -> None:
    session = start_session(study)
    url = reverse("session", args=[session.token])
    begin = reverse("session_begin", args=[session.token])
    take_step(session, "volume", {})
    assert begin in client.get(url).content.decode()
    assert client.get(begin).headers["Location"] == url
    for _ in range(2):  # a double click
        assert client.post(begin).headers["Location"] == url
    page = page_of(client.get(url).content.decode())
    assert len(page["stimuli"]) == 5


def test_every_address_of_a_session_leads_to_where_the_listener_is(session: Session, study: Study) -> None:
    """After a form with a problem such an address is in the browser, and bookmarks keep what they kept."""
    home = reverse("session", args=[session.token])
    words = {"token": session.token, "position": 1, "rest": "a/b"}
    patterns = [each for each in [*urls.listener, *urls.trial] if isinstance(each, URLPattern)]
    led = 0
    for pattern in patterns:
        needed = {"token", *pattern.pattern.converters} | ({"position"} if pattern in urls.trial else set())
        if pattern.name in ("join", "session", "session_withdraw", "stored_work") or not needed <= set(words):
            continue  # pages of their own, what a script reads, and sounds
        url = reverse(str(pattern.name), kwargs={key: words[key] for key in needed})
        if url.endswith(".wav"):
            continue
        led += 1
        for ask in (Client().get, Client().head):
            assert ask(url).headers["Location"] == home, url
    assert led == 15
    for path in ("volume", "trials/1/", "trials/7/ratings/", "trials/", "anything/else"):
        assert Client().get(f"{home}{path}").headers["Location"] == home
        assert Client().get(f"/s/unknown/{path}", follow=True).status_code == 404
    assert Client().post(f"{home}anything/else").status_code == 405  # not taken and forgotten
    close_study(study)
    assert Client().get(f"{home}volume/").headers["Location"] == home


def test_training_is_counted_apart(client: Client, session: Session) -> None:
    url = reverse("session", args=[session.token])
    counts = []
    for trial in session.trials.all():
        take_step(session, TRAINED, {})
        context = client.get(url).context
        counts.append((context["training"], context["number"], context["total"]))
        assert context["minutes_left"] >= 1
        grade(trial)
    assert counts == [(True, 1, 1), (False, 1, 2), (False, 2, 2)]


def test_reloading_elsewhere_resumes_with_all_grades(session: Session) -> None:
    trial = session.trials.get(position=1)
    save_rating(trial, trial.order[2]["key"], 72, 5)
    save_events(trial, [{"sequence": 8, "kind": "play", "milliseconds": 1, "detail": {}}])
    page = page_of(Client().get(reverse("session", args=[session.token])).content.decode())
    assert [(entry["score"], entry["sequence"]) for entry in page["stimuli"]] == [
        (None, 0), (None, 0), (72, 5), (None, 0), (None, 0),
    ]  # fmt: skip
    assert page["eventSequence"] == 8
    trial.refresh_from_db()
    assert trial.started


def test_the_end_shows_thanks_and_the_code_again_and_again(client: Client, study: Study) -> None:
    session = listen(study)
    close_study(study)
    for _ in range(2):
        page = client.get(reverse("session", args=[session.token]))
        assert page.status_code == 200
        assert session.completion_code in page.content.decode()
        assert page.headers["Cache-Control"].startswith("max-age=0, no-cache, no-store")


def test_the_code_is_not_shown_before_the_end(client: Client, session: Session) -> None:
    url = reverse("session", args=[session.token])
    for trial in session.trials.all():
        assert session.completion_code not in client.get(url).content.decode()
        grade(trial)
    assert session.completion_code in client.get(url).content.decode()


def test_a_closed_study_says_so_kindly(client: Client, study: Study, session: Session) -> None:
    close_study(study)
    for url in (reverse("join", args=[study.token]), reverse("session", args=[session.token])):
        page = client.get(url)
        assert page.status_code == 200
        assert "closed" in page.content.decode()
    assert client.post(reverse("join", args=[study.token]), {"consent": "yes"}).status_code == 200
    assert Session.objects.count() == 1
    Session.objects.update(instructed=None)
    take_step(session, "volume", {})
    client.post(reverse("session_begin", args=[session.token]))
    assert not Session.objects.get().instructed
    reopen_study(study)
    client.post(reverse("session_begin", args=[session.token]))
    assert page_of(client.get(reverse("session", args=[session.token])).content.decode())


def test_a_study_that_is_being_prepared_says_so(client: Client, study: Study) -> None:
    Study.objects.update(status=Study.Status.PREPARING)
    page = client.get(reverse("join", args=[study.token]))
    assert "prepared" in page.content.decode()


def test_one_minute_is_one_minute(client: Client, study: Study) -> None:
    url = reverse("join", args=[study.token])
    assert "It takes about 2 minutes." in client.get(url).content.decode()
    study.items.exclude(pk=study.items.filter(training=False)[0].pk).delete()
    assert "It takes about 1 minute." in client.get(url).content.decode()


def test_a_study_without_texts_has_the_usual_ones(client: Client, study: Study) -> None:
    consent = client.get(reverse("join", args=[study.token])).content.decode()
    assert "Taking part is voluntary" in consent
    session = listen(study)
    assert "Thank you for listening" in client.get(reverse("session", args=[session.token])).content.decode()
    Study.objects.update(texts={"consent": "Ask the ethics board.", "thanks": "Merci."})
    consent = client.get(reverse("join", args=[study.token])).content.decode()
    assert "Ask the ethics board." in consent
    assert "Taking part is voluntary" not in consent
    assert "Merci." in client.get(reverse("session", args=[session.token])).content.decode()


def test_own_texts_are_shown_and_escaped(client: Client, study: Study) -> None:
    Study.objects.update(texts={"consent": "<script>alert(1)</script> Our terms."}, name="A <b>bold</b> test")
    html = client.get(reverse("join", args=[study.token])).content.decode()
    assert "Our terms." in html
    assert "<script>alert" not in html
    assert "<b>bold" not in html


def test_links_of_nothing_are_not_found(client: Client, db: None) -> None:
    for name in ("join", "session"):
        page = client.get(reverse(name, args=["no-such-token"]))
        assert page.status_code == 404
        assert "There is nothing here" in page.content.decode()
