"""A sealed study: its researcher stays blind until a chosen moment, sees progress and no grades."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from listening.models import Study
from listening.study.errors import StudyError


class StudySealed(StudyError):
    """Grades that nobody may see yet."""

    def __init__(self) -> None:
        super().__init__(_("The study is sealed: nobody can see its grades yet, in any form."))


def is_sealed(study: Study, now: datetime | None = None) -> bool:
    """Whether nobody may see the study's grades yet: neither pages nor exports nor the API show them."""
    if study.sealed_until is None or study.unsealed is not None:
        return False
    return (now or timezone.now()) < study.sealed_until


def check_unsealed(study: Study) -> None:
    """Raise `StudySealed` while nobody may see the study's grades. Whatever shows grades calls this first."""
    if is_sealed(study):
        raise StudySealed


def unseal(study: Study) -> None:
    """Break the seal before its time. That is kept and stands in the report; there is no way back."""
    if not is_sealed(study):
        return
    study.unsealed = timezone.now()
    Study.objects.filter(pk=study.pk, unsealed=None).update(unsealed=study.unsealed)
