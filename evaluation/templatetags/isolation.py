"""Text that people wrote: it takes its own direction and does not turn that of what stands around it.

Built into all templates (`TEMPLATES` in the settings), so that none has to load it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django import template
from django.utils import translation
from django.utils.html import escape, format_html, format_html_join, linebreaks
from django.utils.safestring import SafeString, mark_safe

from codec.base import Note
from evaluation.refusals import translate_note

register = template.Library()

#: A letter of a script that runs from right to left, or one that runs from left to right.
_RIGHT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff"
_LEFT = "A-Za-z\u00c0-\u024f\u0370-\u058f\u0900-\u1fff\u2c00-\ud7ff"
#: Names from right to left: what stands in quotation marks and begins with such a letter, or else a run up to
#: its last letter or digit, which no punctuation of a sentence ends.
_FOREIGN = re.compile(
    f"(?<=“)[^”{_LEFT}]*[{_RIGHT}][^”]*(?=”)"
    f"|[{_RIGHT}](?:[^{_LEFT},;:.()“”–…\n]|[.:](?=[{_RIGHT}\\d]))*(?<=[{_RIGHT}\\d])"
)


@register.filter
def isolate(text: object) -> SafeString | str:
    """A text of a person in an element of its own direction; not for titles of pages and attributes.

    A sentence of ours with such texts in it: `sentence`.

    A remark that was stored by its message is translated.
    """
    if isinstance(text, Note):
        text = translate_note(text)
    return "" if text is None or text == "" else format_html('<bdi dir="auto">{}</bdi>', text)


@register.filter
def sentence(text: object) -> SafeString | str:
    """A sentence of ours, in the language of the page, whose names from right to left stand apart.

    The sentence keeps the page's direction, whatever it begins with; a name in it takes its own.
    On a page from right to left a sentence may be untranslated, so that the whole takes its own direction.
    """
    if isinstance(text, Note):
        text = translate_note(text)
    if translation.get_language_bidi():
        return isolate(text)
    words = "" if text is None else str(text)
    parts, end = [], 0
    for found in _FOREIGN.finditer(words):
        parts += [escape(words[end : found.start()]), isolate(found[0])]
        end = found.end()
    return mark_safe("".join([*parts, escape(words[end:])]))  # noqa: S308 -- each part is escaped


@register.filter
def isolate_each(texts: Iterable[object], between: str = ", ") -> SafeString:
    """The same for several, with what stands between them."""
    return format_html_join(between, '<bdi dir="auto">{}</bdi>', ((text,) for text in texts))


@register.filter
def paragraphs(text: str) -> SafeString:
    """A text of several lines as paragraphs, each in its own direction."""
    return mark_safe(linebreaks(text, autoescape=True).replace("<p>", '<p dir="auto">'))  # noqa: S308 -- escaped
