"""What a researcher decides of a study, a section of its page each."""

from listening.forms.base import Section
from listening.forms.headphones import Headphones
from listening.forms.questionnaire import Questionnaire
from listening.forms.recruitment import Recruitment
from listening.forms.texts import Texts

#: Of the study page, in order of appearance within their steps.
SECTIONS: tuple[type[Section], ...] = (Texts, Questionnaire, Headphones, Recruitment)

__all__ = ["SECTIONS", "Section"]
