"""E-mails to researchers: queued with what they are about, and sent by a worker, never twice."""

from __future__ import annotations

from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage, get_connection
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from codec.base import Note, gettext_noop
from evaluation.work import jobs
from listening.models import Mail

#: A mail that no server took is tried again for so long.
PATIENCE = timedelta(days=1)
#: Addresses and subjects are kept for so long, for who looks why a mail did not come.
KEPT = timedelta(days=3)
TOO_LATE = gettext_noop("It was not sent in time: what it says is no longer of use.")
NO_SERVER = gettext_noop("The mail server cannot be reached (%(error)s). It is tried again for a day.")
REFUSED = gettext_noop("The mail server did not take it (%(error)s).")


def is_ready() -> bool:
    """Whether the operator has set up a mail server."""
    return bool(settings.EMAIL_HOST)


def post(
    to: str,
    subject: str,
    body: str,
    *,
    key: str | None = None,
    unsubscribe: str = "",
    lifetime: timedelta | None = None,
) -> bool:
    """Queue a mail, which is not sent when its `lifetime` is over, such as that of a link in it.

    Returns:
        False, with nothing queued, if there is one with this `key` already.
    """
    subject = " ".join(subject.split())[:200]
    expires = None if lifetime is None else timezone.now() + lifetime
    mail = Mail(to=to, subject=subject, body=body, key=key, unsubscribe=unsubscribe, expires=expires)
    try:
        with transaction.atomic():
            mail.save(force_insert=True)
    except IntegrityError:
        if key is None:
            raise
        return False
    transaction.on_commit(lambda: jobs.dispatch([mail]))
    return True


def send(mail_id: int | str) -> None:
    """Send a mail: what a worker does for its row.

    What a server may have taken is never sent again: the row says that it is sent before the server gets it.
    """
    row = jobs.claim(Mail, mail_id)
    if row is None:
        return
    with jobs.work_on(row):
        if row.sent is not None:  # by a worker that died before it could say so
            jobs.finish(row, body="")
            return
        if row.expires is not None and row.expires <= timezone.now():
            jobs.fail(row, Note(TOO_LATE), body="")
            return
        headers = {}
        if row.unsubscribe:  # RFC 8058
            headers["List-Unsubscribe"] = f"<{row.unsubscribe}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        connection = get_connection()
        try:
            connection.open()
        except (OSError, SMTPException) as error:
            jobs.fail(row, Note(NO_SERVER, error=type(error).__name__))
            return
        try:
            if not jobs.advance(row) or not Mail.objects.filter(pk=row.pk, sent=None).update(
                sent=timezone.now()
            ):
                return
            message = EmailMessage(row.subject, row.body, to=[row.to], headers=headers, connection=connection)
            message.send()
        except (OSError, SMTPException) as error:
            jobs.fail(row, Note(REFUSED, error=type(error).__name__), body="")
            return
        finally:
            connection.close()
        jobs.finish(row, body="")


def try_again() -> None:
    """Queue those again that no server could be reached for, while they are of use."""
    now = timezone.now()
    of_use = Q(expires=None) | Q(expires__gt=now)
    failed = Mail.objects.filter(of_use, status=Mail.Status.FAILED, sent=None, created__gt=now - PATIENCE)
    for row in failed[:100]:
        jobs.retry(row)


def forget_old() -> None:
    """Empty what is not sent any more, and keep no address and no subject longer than `KEPT`.

    Of what is said once, the key stays: nothing is told twice. It names a thing and a person by number.
    """
    now = timezone.now()
    over = Mail.objects.filter(status__in=(Mail.Status.DONE, Mail.Status.FAILED))
    late = Q(created__lte=now - PATIENCE) | Q(expires__lte=now)
    over.filter(late).exclude(body="").update(body="")
    old = over.filter(created__lte=now - KEPT)
    old.filter(key=None).delete()
    old.exclude(to="").update(to="", subject="", unsubscribe="", error="", log="")


def forget_person(user: User) -> None:
    """Delete all mails to a person, whose account ends; those that wait are not sent."""
    to_them = Q(key__endswith=f":{user.pk}")
    if user.email:
        to_them |= Q(key=None, to__iexact=user.email)
    Mail.objects.filter(to_them).delete()
