"""A sealed study: its researcher stays blind until a chosen moment, sees progress and no grades."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from listening.models import Study


def is_sealed(study: Study, now: datetime | None = None) -> bool:
    """Whether nobody may see the study's grades yet: neither pages nor exports nor the API show them."""
    if study.sealed_until is None or study.unsealed is not None:
        return False
    return (now or timezone.now()) < study.sealed_until


def unseal(study: Study) -> None:
    """Break the seal before its time. That is kept and stands in the report; there is no way back."""
    if not is_sealed(study):
        return
    study.unsealed = timezone.now()
    Study.objects.filter(pk=study.pk, unsealed=None).update(unsealed=study.unsealed)
