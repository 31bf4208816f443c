"""What a clip is: speech, or music and other sound. It decides which metrics judge it."""

from __future__ import annotations

from django.db import transaction

from evaluation.metrics import defaults_for
from evaluation.models import Clip, Score
from evaluation.work.scores import request_scores


def set_speech(clip: Clip, speech: bool) -> None:
    """Treat `clip` as speech, or as music or other sound, and measure its renditions accordingly.

    Scores that are not for it any more are deleted; they can be measured again.
    """
    if clip.speech == speech:
        return
    with transaction.atomic():
        clip.speech = speech
        clip.save(update_fields=["speech"])
        wanted = defaults_for(speech=speech)
        gone = [metric for metric in defaults_for(speech=not speech) if metric not in wanted]
        Score.objects.filter(rendition__clip=clip, metric__in=gone).delete()
        request_scores(clip.renditions.all(), wanted)
