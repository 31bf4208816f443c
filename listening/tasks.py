"""Celery tasks: each maps a task name to a function. Messages carry only the id of a row."""

from __future__ import annotations

from celery import shared_task


@shared_task
def prepare_study(study_id: str) -> None:
    from listening.study import preparing

    preparing.prepare_study(study_id)


@shared_task
def simulate(study_id: str) -> None:
    from listening.simulation import runs

    runs.run(study_id)


@shared_task
def make_analysis(analysis_id: int | str) -> None:
    from listening.results import analyses

    analyses.run(analysis_id)


@shared_task
def import_configuration(draft_id: str) -> None:
    from listening.interchange.imports import configuring

    configuring.run(draft_id)


@shared_task
def publish_demo(version_id: int | str) -> None:
    from listening.demos import publishing

    publishing.make_version(version_id)


@shared_task
def hear_voice(trial_id: str) -> None:
    from listening.demos import voices

    voices.make_sounds(trial_id)


@shared_task
def remove_voices() -> None:
    """Delete visitors' voices whose day is over; beat sends this task every few minutes."""
    from listening.demos import voices

    voices.remove_expired()


@shared_task
def make_file(file_id: str) -> None:
    from listening.delivery import files

    files.make(file_id)


@shared_task
def remove_made_files() -> None:
    """Delete the files whose day is over; beat sends this task."""
    from listening.delivery import files

    files.remove_expired()


@shared_task
def send_mail(mail_id: int | str) -> None:
    from listening.people import mail

    mail.send(mail_id)


@shared_task
def notify() -> None:
    """Tell researchers what happened to their studies, and forget old mails; beat sends this every minute."""
    from listening.people import mail, notices

    mail.forget_old()
    notices.tell_all()
