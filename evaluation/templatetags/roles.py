"""What the user may do with a thing whose role was found (`evaluation.access.with_roles`)."""

from __future__ import annotations

from django import template
from django.db.models import Model

from evaluation.access import Role, found_role

register = template.Library()


@register.filter
def may_edit(thing: Model) -> bool:
    return found_role(thing) >= Role.EDITOR


@register.filter
def owns(thing: Model) -> bool:
    return found_role(thing) >= Role.OWNER


@register.filter
def role_name(thing: Model) -> str:
    """“viewer”, “editor” or “owner”."""
    role = found_role(thing)
    return str(Role(role).label) if role in Role.values else ""
