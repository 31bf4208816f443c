"""``{% export_menu study kind %}``: every file that a study can be taken away as, in one place."""

from __future__ import annotations

from typing import Any

from django import template

from listening.interchange.exports import tables_of
from listening.models import Study

register = template.Library()


@register.inclusion_tag("listening/_export_menu.html")
def export_menu(study: Study, kind: str = "real") -> dict[str, Any]:
    return {"study": study, "kind": kind, "tables": list(tables_of(study))}
