"""What a recording was, in words for people: the filters of `evaluation.analysis.recordings`."""

from __future__ import annotations

from django import template

from evaluation.analysis import recordings
from evaluation.models import Clip

register = template.Library()
register.filter("encoding_words", recordings.encoding_words)
register.filter("kilohertz", recordings.kilohertz)


@register.filter
def source_words(clip: Clip) -> str:
    """What was uploaded as the clip."""
    return recordings.describe_source(clip.source_format, clip.source_rate, clip.source_channels)
