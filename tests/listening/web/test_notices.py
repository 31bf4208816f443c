"""Mails about what happened to a study: to whom, when, and never twice."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core import mail as outbox
from django.core.mail.backends.locmem import EmailBackend
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evaluation.models import Clip, Rendition
from evaluation.work import jobs
from listening.models import Mail, Preparation, Profile, Session, Share, Study
from listening.people import letters, mail, notices
from listening.session.sessions import begin, start_session
from listening.tasks import notify
from listening.web import leaving
from tests.listening.conftest import listen


@pytest.fixture(autouse=True)
def mailing(settings: Any) -> None:
    settings.EMAIL_HOST = "mail.example.org"


def tell() -> list[tuple[str, str]]:
    """Recipients and subjects of the mails that are sent now; the second look finds nothing new."""
    before = len(outbox.outbox)
    for _ in range(2):
        notices.tell_all()
        for pk in Mail.objects.filter(status=Mail.Status.QUEUED).values_list("pk", flat=True):
            mail.send(str(pk))
            mail.send(str(pk))  # a message that is delivered twice
    return sorted((message.to[0].partition("@")[0], message.subject) for message in outbox.outbox[before:])


def test_owner_and_editors_hear_of_the_first_listener_and_of_the_last(
    study: Study, bob: User, settings: Any
) -> None:
    carol, dora = (User.objects.create_user(name, f"{name}@example.org") for name in ("carol", "dora"))
    for user, role in ((bob, 2), (carol, 1), (dora, 2)):
        Share.objects.create(study=study, user=user, role=role)
    Profile.objects.create(user=dora, notify=False)
    Profile.objects.create(user=bob, language="fr")
    Study.objects.update(max_sessions=2)
    start_session(study)
    assert tell() == []  # who has only looked has not begun
    Session.objects.all().delete()
    listen(study)
    assert tell() == [
        ("alice", "“Speech at 2 kbit/s”: the first listener has begun"),
        ("bob", "« Speech at 2 kbit/s » : la première personne a commencé"),
    ]
    listen(study)
    said = tell()
    assert [who for who, _ in said] == ["alice", "bob"]
    assert said[0][1] == "“Speech at 2 kbit/s”: the last listener has finished"
    assert "The listeners that you wanted have finished" in outbox.outbox[-2].body
    assert settings.SITE_URL + reverse("study", args=[study.pk]) in outbox.outbox[-1].body
    Study.objects.update(max_sessions=1)
    tell()
    assert "The listener that you wanted has finished" in outbox.outbox[-2].body


def test_what_happened_before_is_not_told(study: Study, settings: Any) -> None:
    settings.EMAIL_HOST = ""
    listen(study)
    assert tell() == []
    Session.objects.update(instructed=timezone.now() - timedelta(days=2))
    settings.EMAIL_HOST = "mail.example.org"
    begin(start_session(study))
    assert tell() == []  # it is not the first


def test_failed_work_is_told_once_a_day_for_each_thing(
    study: Study, alice: User, processed: Callable[..., Clip]
) -> None:
    clip = processed(alice)
    now = timezone.now()
    failed = {"status": "failed", "error": "No space left.", "finished": now}
    Rendition.objects.filter(clip=clip).update(**failed)  # all of them
    Preparation.objects.update(**failed)
    assert tell() == [
        ("alice", f"“{clip.title}”: work has failed"),
        ("alice", "“Speech at 2 kbit/s”: work has failed"),
    ]
    assert "No space left." in outbox.outbox[0].body
    Rendition.objects.filter(clip=clip).update(unavailable=True, finished=now + timedelta(days=1))
    assert tell() == []


def test_what_fails_often_does_not_hide_what_fails_seldom(
    study: Study, alice: User, bob: User, processed: Callable[..., Clip]
) -> None:
    User.objects.filter(pk=bob.pk).update(email="")  # nobody can be told of his
    often, seldom, untold = processed(alice), processed(alice), processed(bob)
    now = timezone.now()
    failed = {"status": "failed", "error": "No space left.", "finished": now}
    for clip in (often, untold):
        Rendition.objects.bulk_create(
            Rendition(clip=clip, system=f"codec-{number}", **failed) for number in range(201)
        )
    Rendition.objects.filter(clip=seldom).update(**failed | {"finished": now + timedelta(seconds=1)})
    titles = sorted([often.title, seldom.title])
    assert tell() == [("alice", f"“{title}”: work has failed") for title in titles]


def test_one_click_ends_them(study: Study, alice: User) -> None:
    listen(study)
    tell()
    message = outbox.outbox[-1]
    address = message.extra_headers["List-Unsubscribe"].strip("<>")
    assert message.extra_headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert address in message.body
    program = Client(enforce_csrf_checks=True)
    path = urlsplit(address).path
    assert "Send no more" in program.get(path).content.decode()
    assert not Profile.objects.filter(notify=False).exists()  # programs follow links
    assert program.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert not Profile.objects.get(user=alice).notify
    Study.objects.update(max_sessions=1)
    assert tell() == []
    assert program.post(reverse("unsubscribe", args=["forged"])).status_code == 404


# -- Sending


class Away(EmailBackend):
    def open(self) -> bool:
        raise ConnectionRefusedError


class Breaks(EmailBackend):
    """A server that takes the message, and then the connection breaks."""

    def send_messages(self, messages: Any) -> int:
        super().send_messages(messages)
        raise smtplib.SMTPServerDisconnected


def test_a_mail_waits_for_a_server_that_is_away(settings: Any, db: None) -> None:
    mail.post("a@example.org", "Subject\nof two lines", "Body")
    row = Mail.objects.get()
    sending = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = f"{__name__}.Away"
    mail.send(row.pk)
    row.refresh_from_db()
    assert (row.status, row.sent, row.body) == ("failed", None, "Body")
    assert "cannot be reached" in row.error
    settings.EMAIL_BACKEND = sending
    notices.tell_all()
    mail.send(row.pk)
    assert [message.subject for message in outbox.outbox] == ["Subject of two lines"]
    row.refresh_from_db()
    assert (row.status, row.body) == ("done", "")


def test_a_mail_that_is_of_no_use_any_more_is_not_sent(settings: Any, alice: User) -> None:
    letters.send_signin_link(alice, "https://earshot.example/signin/secret/", timedelta(minutes=30))
    letters.send_signup_link("new@example.org", "https://earshot.example/signup/secret/")
    lifetimes = [row.expires - row.created for row in Mail.objects.order_by("id") if row.expires]
    assert [round(each.total_seconds()) for each in lifetimes] == [30 * 60, 24 * 3600]
    Mail.objects.update(expires=timezone.now())
    for row in Mail.objects.all():
        mail.send(row.pk)
    notices.tell_all()
    assert not outbox.outbox
    assert set(Mail.objects.values_list("status", "sent", "body")) == {("failed", None, "")}


def test_no_address_and_no_link_is_kept(study: Study, alice: User, bob: User) -> None:
    listen(study)
    assert len(tell()) == 1
    mail.post("a@example.org", "Subject", "a link")
    row = Mail.objects.get(to="a@example.org")
    Mail.objects.filter(pk=row.pk).update(status="failed")
    Mail.objects.update(created=timezone.now() - mail.PATIENCE)
    notify()
    assert Mail.objects.get(pk=row.pk).body == ""  # it is not tried again
    assert Mail.objects.filter(to=alice.email).exists()
    Mail.objects.update(created=timezone.now() - mail.KEPT)
    notify()
    assert list(Mail.objects.values_list("to", "subject", "body", "unsubscribe")) == [("", "", "", "")]
    assert tell() == []  # what was told stays told
    mail.post(alice.email.upper(), "Subject", "a link")
    mail.post(bob.email, "Subject", "a link", key=f"first:x::{bob.pk}")
    leaving.delete_account(alice)
    assert list(Mail.objects.values_list("to", flat=True)) == [bob.email]


def test_what_a_server_may_have_taken_is_never_sent_again(settings: Any, db: None) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Breaks"
    mail.post("a@example.org", "Subject", "Body")
    row = Mail.objects.get()
    mail.send(row.pk)
    row.refresh_from_db()
    assert (row.status, row.body) == ("failed", "")
    assert row.sent
    notices.tell_all()
    jobs.restart(row)  # as a sweeper that thinks the worker dead
    mail.send(row.pk)
    assert len(outbox.outbox) == 1
    row.refresh_from_db()
    assert row.status == "done"


def test_a_real_server_gets_it(settings: Any, db: None, tmp_path: Path) -> None:
    """By SMTP, from a line that speaks it: what the headers say is what arrives."""
    import socket
    import threading

    server = socket.create_server(("127.0.0.1", 0))
    got: list[bytes] = []

    def serve() -> None:
        peer, _ = server.accept()
        with peer, peer.makefile("rwb", buffering=0) as line:
            line.write(b"220 test\r\n")
            while (command := line.readline()) and not command.upper().startswith(b"QUIT"):
                if command.upper().startswith(b"DATA"):
                    line.write(b"354 go on\r\n")
                    while (text := line.readline()) != b".\r\n":
                        got.append(text)
                line.write(b"250 fine\r\n")
            line.write(b"221 bye\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = server.getsockname()
    settings.EMAIL_USE_TLS = False
    mail.post("a@example.org", "Subject", "Body", unsubscribe="https://example.org/u/")
    mail.send(Mail.objects.get().pk)
    thread.join(10)
    server.close()
    whole = b"".join(got).decode()
    assert re.search(r"^To: a@example.org\r$", whole, re.M)
    assert re.search(r"^List-Unsubscribe: <https://example.org/u/>\r$", whole, re.M)
    assert Mail.objects.get().status == "done"
