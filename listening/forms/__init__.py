"""What a researcher decides of a study, a section of its page each."""

from listening.forms.base import Section
from listening.forms.design import Design
from listening.forms.headphones import Headphones
from listening.forms.limits import Limits
from listening.forms.method import MethodOptions
from listening.forms.questionnaire import Questionnaire
from listening.forms.recruitment import Recruitment
from listening.forms.texts import Texts
from listening.forms.what import Basics, Items, Systems

#: Of the study page, in order of appearance within their steps.
SECTIONS: tuple[type[Section], ...] = (
    Basics,
    Items,
    Systems,
    Limits,
    Texts,
    Questionnaire,
    Headphones,
    Recruitment,
    MethodOptions,
    Design,
)

__all__ = ["SECTIONS", "Headphones", "Recruitment", "Section"]
