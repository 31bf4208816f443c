"""A section of the study page: a part of the study's row as a form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeVar

from django import forms

from evaluation.columns import BadColumn, parse
from evaluation.contexts import Context
from evaluation.refusals import Refusal
from evaluation.web.refusals import add_to_form
from listening.models import Study
from listening.study.studies import has_real_sessions

T = TypeVar("T")
Step = Literal["what", "who", "check"]


def whole_field(
    label: str, help_text: str = "", *, least: int = 1, most: int | None = None
) -> forms.IntegerField:
    """A whole number that may be left empty."""
    return forms.IntegerField(
        required=False, min_value=least, max_value=most, label=label, help_text=help_text
    )


def text_field(label: str, help_text: str = "", *, most: int, rows: int = 1) -> forms.CharField:
    """A text that may be left empty, of several lines if `rows` is more than 1."""
    widget = forms.Textarea(attrs={"rows": rows}) if rows > 1 else forms.TextInput()
    return forms.CharField(required=False, max_length=most, widget=widget, label=label, help_text=help_text)


class Section(forms.Form):
    """One section. It shows itself with its template, and writes what was sent to the study's attributes.

    The study page makes it as ``Section(study)`` or, of what was sent, ``Section(study, request.POST)``.
    Its fields have the slug as prefix (``{{ section.field.html_name }}``). The template gets ``section`` and
    ``study``; the page around it brings the title, `help`, the form element, the CSRF token and the button.

    Attributes:
        slug: of the section, unique on the page.
        title: for people.
        step: of the page that the section belongs to.
        help: a sentence beside the title.
        scripts: static paths of ES modules that the section needs.
        drawing: those of `scripts` that draw what is there, also for who may not change it.
        styles: static paths of style sheets that the section needs.
        locked: whether nothing of it may change any more once a real session exists. Then it is shown
            disabled, and what is sent of it is ignored.
        wide: whether its fields need the whole width of the page, below title and help.
        frozen: whether there is a real session (of the object, not the class).
        user: who fills it in, the owner unless said: what is offered is theirs (of the object).
    """

    slug: ClassVar[str]
    title: ClassVar[str]
    step: ClassVar[Step]
    help: ClassVar[str] = ""
    scripts: ClassVar[tuple[str, ...]] = ()
    drawing: ClassVar[tuple[str, ...]] = ()
    styles: ClassVar[tuple[str, ...]] = ()
    locked: ClassVar[bool] = False
    wide: ClassVar[bool] = False

    def __init__(self, study: Study, data: Mapping[str, Any] | None = None, user: Any = None) -> None:
        self.study = study
        self.user = study.owner if user is None else user
        self.frozen = not study._state.adding and has_real_sessions(study)
        super().__init__(data, prefix=self.slug, initial=self.initial_of(study), label_suffix="")
        for field in self.fields.values():
            if isinstance(field.widget, forms.TextInput | forms.Textarea):
                field.widget.attrs.setdefault("dir", "auto")

    @property
    def templates(self) -> list[str]:
        """Of its fields: one of its own, or that which shows every field below the other."""
        return [f"listening/setup/_{self.slug}.html", "listening/setup/_fields.html"]

    def full_clean(self) -> None:
        try:
            super().full_clean()
        except Refusal as refusal:
            add_to_form(self, refusal)

    @classmethod
    def initial_of(cls, study: Study) -> Context:
        """What the form starts with."""
        raise NotImplementedError

    def read(self, schema: type[T], value: object) -> T | None:
        """What was sent, as `schema` describes it; None, with errors in the form, if it does not fit."""
        try:
            return parse(schema, value, self.slug)
        except BadColumn as error:
            at = [str(problem.where[0]) if problem.where else "" for problem in error.problems]
            told = zip(at, error.problems, strict=True)
            fields = {name: each.message if name in self.fields else str(each) for name, each in told}
            add_to_form(self, Refusal(str(error), fields=fields))
            return None

    def was_sent(self) -> bool:
        """Whether anything of the section is in what was sent."""
        return any(name.startswith(f"{self.prefix}-") for name in self.data)

    def apply(self, study: Study) -> list[str]:
        """Set the study's attributes from `cleaned_data`, without saving; returns the names of those set."""
        raise NotImplementedError
