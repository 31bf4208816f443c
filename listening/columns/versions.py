"""What listeners of one version of a study met besides its recordings."""

from __future__ import annotations

from evaluation.columns import Column
from listening.columns.questions import Questionnaire
from listening.columns.texts import Texts


class VersionContent(Column):
    """What a study said and asked, as its columns of these names held it."""

    language: str
    texts: Texts
    questionnaire: Questionnaire  # type: ignore[valid-type]  # described beside the questions
