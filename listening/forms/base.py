"""A section of the study page: a part of the study's row as a form."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from django import forms

from listening.models import Study


class Section(forms.Form):
    """One section. It shows itself with `template`, and writes what was sent to the study's attributes."""

    slug: ClassVar[str]
    title: ClassVar[str]
    step: ClassVar[Literal["what", "who", "check"]]
    template: ClassVar[str]

    @classmethod
    def initial_of(cls, study: Study) -> dict[str, Any]:
        """What the form starts with."""
        raise NotImplementedError

    def apply(self, study: Study) -> list[str]:
        """Set the study's attributes from `cleaned_data`, without saving; returns the names of those set."""
        raise NotImplementedError
