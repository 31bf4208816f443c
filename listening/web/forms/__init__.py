"""What a researcher decides of a study, a section of its page each."""

from listening.web.forms.base import Section
from listening.web.forms.design import Design
from listening.web.forms.headphones import Headphones
from listening.web.forms.limits import Limits
from listening.web.forms.method import MethodOptions
from listening.web.forms.questionnaire import Questionnaire
from listening.web.forms.recruitment import Recruitment
from listening.web.forms.texts import Texts
from listening.web.forms.what import Basics, Items, Systems

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
