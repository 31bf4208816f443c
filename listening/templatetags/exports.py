"""``{% export_menu study kind %}``: menu of all files that a study can be exported as."""

from __future__ import annotations

from django import template

from evaluation.contexts import Context
from listening.interchange.exports import tables_of
from listening.models import Study

register = template.Library()


@register.inclusion_tag("listening/_export_menu.html")
def export_menu(study: Study, kind: str = "real") -> Context:
    return {"study": study, "kind": kind, "tables": list(tables_of(study))}
