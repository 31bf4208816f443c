"""Schema of the researcher's own texts."""

from __future__ import annotations

from typing import Annotated

from django.utils.translation import gettext as _
from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from evaluation.columns import Column, refuse
from evaluation.texts import clean_text

#: Maximum length of each text, characters.
MAX_TEXT = 5000


def _check_length(text: str, info: ValidationInfo) -> str:
    if len(text) > MAX_TEXT:
        named = {"name": info.field_name, "limit": MAX_TEXT}
        refuse(_("The %(name)s text is longer than %(limit)s characters.") % named)
    return text


OwnText = Annotated[str, AfterValidator(clean_text), AfterValidator(_check_length)]


class Texts(Column):
    """The researcher's own texts, cleaned; empty texts are dropped."""

    consent: OwnText = Field(default="", description="shown above the standard statement on data")
    instructions: OwnText = Field(default="", description="shown above the method's standard instructions")
    thanks: OwnText = ""

    @model_validator(mode="after")
    def _drop_empty(self) -> Texts:
        for name in list(self.model_fields_set):
            if not getattr(self, name):
                self.model_fields_set.discard(name)
        return self
