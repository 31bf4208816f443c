"""Numbers in tables: the filters of `evaluation.analysis.words`."""

from __future__ import annotations

from django import template

from evaluation.analysis import words

register = template.Library()
register.filter("p_words", words.p_words)
register.filter("figure", words.figure)
register.filter("plain", words.plain)
register.filter("p", words.p_figure)
register.filter("percent", words.percent)
register.filter("every", words.every)
