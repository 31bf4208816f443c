"""What a researcher decides of a study, a section of its page each."""

from listening.forms.base import Section

#: Of the study page, in order of appearance within their steps.
SECTIONS: tuple[type[Section], ...] = ()

__all__ = ["SECTIONS", "Section"]
