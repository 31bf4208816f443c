"""Text that people wrote: it takes its own direction and does not turn that of what stands around it.

Built into all templates (`TEMPLATES` in the settings), so that none has to load it.
"""

from __future__ import annotations

from collections.abc import Iterable

from django import template
from django.utils.html import format_html, format_html_join, linebreaks
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.filter
def isolate(text: object) -> SafeString | str:
    """The text in an element of its own direction; not for titles of pages and attributes."""
    return "" if text is None or text == "" else format_html('<bdi dir="auto">{}</bdi>', text)


@register.filter
def isolate_each(texts: Iterable[object], between: str = ", ") -> SafeString:
    """The same for several, with what stands between them."""
    return format_html_join(between, '<bdi dir="auto">{}</bdi>', ((text,) for text in texts))


@register.filter
def paragraphs(text: str) -> SafeString:
    """A text of several lines as paragraphs, each in its own direction."""
    return mark_safe(linebreaks(text, autoescape=True).replace("<p>", '<p dir="auto">'))  # noqa: S308 -- escaped
