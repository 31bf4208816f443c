"""The study that an address names, for whoever asks for it by a page or by the API."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest

from evaluation.access import Role, needed_for, viewer
from listening.models import Study
from listening.study import selectors
from listening.web.audit import note_study


def reader_of_grades(*, personal: bool) -> Role:
    """The least role that may read grades; who the listeners are is for those who work with them only."""
    return Role.EDITOR if personal else Role.VIEWER


def study_for(
    request: HttpRequest, study_id: UUID, least: Role | None = None, *, counted: bool = False
) -> Study:
    """The study, as `selectors.study_of` finds it, if the person has the role that the request needs.

    Reading needs a viewer and everything else an editor, unless `least` names another role.

    Raises:
        Http404: there is no such study, or it is not shared with them.
        Forbidden: their role does not suffice.
    """
    study = selectors.study_of(viewer(request), study_id, least or needed_for(request), counted=counted)
    note_study(request, study)
    return study
