"""Template tags for the language of listeners' pages."""

from __future__ import annotations

from django import template
from django.utils.html import json_script
from django.utils.safestring import SafeString

from listening.study.languages import script_words

register = template.Library()


@register.simple_tag
def words_of_scripts() -> SafeString:
    """Translations of the scripts' messages, for static/js/common/words.js."""
    return json_script(script_words(), "words")
