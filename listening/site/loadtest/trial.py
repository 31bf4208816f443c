"""The study that simulated browsers take, and the check that confirmed grades are in the database."""

from __future__ import annotations

import io
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import soundfile
from django.contrib.auth.models import User
from django.core.files.base import ContentFile

from codec.base import WORKING_RATE, Audio
from evaluation.clips.removal import delete_files
from evaluation.models import Clip, Rendition
from listening.models import Assessor, Item, Rating, Stimulus, Study, Trial

SYSTEMS = ("original", "anchor35", "anchor70", "opus-6k", "opus-9k", "opus-12k", "celp-8k", "amrwb-6.6k")


def make_study(
    render: Callable[[Item], object],
    items: int = 2,
    seconds: float = 10.0,
    systems: Sequence[str] = SYSTEMS,
) -> Study:
    """Make an open MUSHRA study with noise for speech: `items` items and a training trial, `seconds` each.

    Args:
        render: function that makes the stimuli of an item.
    """
    name = f"loadtest-{uuid.uuid4().hex[:12]}"
    owner = User.objects.create_user(name)
    study = Study.objects.create(
        owner=owner, name="Load test", systems=list(systems[3:]), seed=secrets.randbits(53)
    )
    for position in range(items + 1):
        rng = np.random.default_rng(position)
        audio = _modulated_noise(rng, seconds)
        clip = Clip(
            owner=owner, sha256=f"{position:064}", title=f"Noise {position}", original_name="noise.wav",
            seconds=seconds, source_rate=WORKING_RATE, source_channels=1, source_format="WAV, FLOAT",
        )  # fmt: skip
        clip.audio.save("noise.wav", _wav(audio))
        item = Item.objects.create(
            study=study, clip=clip, position=position, end=seconds, training=position == 0
        )
        for system in systems:
            rendition = Rendition(clip=clip, system=system, status=Rendition.Status.DONE)
            rendition.audio.save("noise.wav", _wav(audio + 0.01 * _modulated_noise(rng, seconds)))
            Stimulus.objects.create(item=item, system=system, rendition=rendition)
        render(item)
    Study.objects.filter(pk=study.pk).update(status=Study.Status.OPEN)
    study.refresh_from_db()
    return study


def remove_study(study: Study) -> None:
    """Delete a study from `make_study` with its sessions."""
    owner = study.owner
    clips = list(Clip.objects.filter(owner=owner))
    fields = [stimulus.audio for stimulus in Stimulus.objects.filter(item__study=study)]
    fields += [rendition.audio for rendition in Rendition.objects.filter(clip__in=clips)]
    fields += [clip.audio for clip in clips]
    assessors = list(Assessor.objects.filter(sessions__study=study).values_list("pk", flat=True))
    study.sessions.all().delete()
    Assessor.objects.filter(pk__in=assessors, sessions=None).delete()
    study.delete()
    owner.delete()
    delete_files(field.name for field in fields)


def find_lost(study: Study, confirmed: Mapping[tuple[str, int, str], tuple[int, float]]) -> list[str]:
    """Find confirmed grades that are missing in the database or older there; empty if none are lost.

    Args:
        study: the study that they took.
        confirmed: sequence number and score by session token, position of the trial, and key.
    """
    stimuli: dict[tuple[str, int, str], tuple[int, int]] = {}
    for trial in Trial.objects.filter(session__study=study).select_related("session"):
        for entry in trial.order:
            stimuli[trial.session.token, trial.position, entry["key"]] = (trial.pk, entry["stimulus"])
    stored = {
        (trial, stimulus): (sequence, score)
        for trial, stimulus, sequence, score in Rating.objects.filter(
            trial__session__study=study
        ).values_list("trial_id", "stimulus_id", "sequence", "score")
    }
    missing = []
    for which, (sequence, score) in confirmed.items():
        found = stored.get(stimuli.get(which, (0, 0)))
        if found is None or found[0] < sequence or (found[0] == sequence and found[1] != score):
            missing.append(f"{which}: confirmed {(sequence, score)}, stored {found}")
    return missing


def _modulated_noise(rng: np.random.Generator, seconds: float) -> Audio:
    size = round(seconds * WORKING_RATE)
    contour = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * np.arange(size) / WORKING_RATE)
    return np.asarray(0.1 * contour * rng.standard_normal(size), dtype=np.float32)


def _wav(audio: Audio) -> ContentFile[bytes]:
    file = io.BytesIO()
    soundfile.write(file, np.asarray(audio, np.float32), WORKING_RATE, format="WAV", subtype="FLOAT")
    return ContentFile(file.getvalue())
