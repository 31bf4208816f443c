"""``{% export_menu study kind %}``: every file that a study can be taken away as, in one place."""

from __future__ import annotations

from django import template

from evaluation.contexts import Context
from listening.interchange.exports import tables_of
from listening.models import Study

register = template.Library()


@register.inclusion_tag("listening/_export_menu.html")
def export_menu(study: Study, kind: str = "real") -> Context:
    return {"study": study, "kind": kind, "tables": list(tables_of(study))}
