"""Publishing a demo page: its sounds are cut and matched in loudness, its facts are frozen."""

from __future__ import annotations

import io
import uuid

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from codec.base import Audio, channels_of, fit_length
from codec.working import conform
from evaluation.analysis.figures import NoFonts
from evaluation.clips.removal import delete_files, delete_files_later
from evaluation.clips.stored import load_audio
from evaluation.models import Clip, Job, Rendition
from evaluation.refusals import Refusal
from evaluation.work import jobs
from listening.columns.demos import Recording, ShownRecording
from listening.demos.cover import draw_cover
from listening.demos.facts import DemoProblem, clips_of, find_problems, gather_facts
from listening.models import Demo, DemoSound, DemoVersion
from listening.study.stimuli import headroom_of, render_stimulus

#: Of a published sound; FLAC is exact, and half as large as WAV.
SOUND_TYPE = "audio/flac"


def publish(demo: Demo) -> DemoVersion:
    """Make the next version of the page from its draft; a worker prepares it.

    Where neither the draft nor what it shows has changed since the last version, it is that one, tried again
    if it failed.

    Raises:
        DemoProblem: something is missing; its fields say what.
    """
    with transaction.atomic():
        demo = Demo.objects.select_for_update().select_related("owner").get(pk=demo.pk)
        problems = find_problems(demo.draft, demo.owner)
        if problems:
            raise DemoProblem(_("The page can't be published yet: see the remarks."), fields=problems)
        last = demo.versions.first()
        if last is not None and last.content == demo.draft and _shows_what_is(last, demo):
            jobs.retry(last)
            return last
        if last is not None and last.waiting:
            raise DemoProblem(_("The last version is still being published. Try again in a moment."))
        if last is not None and last.status == Job.Status.FAILED:
            _delete(last)
        number = 1 if last is None else last.number + (last.status == Job.Status.DONE)
        version = DemoVersion.objects.create(demo=demo, number=number, content=demo.draft)
        transaction.on_commit(lambda: jobs.dispatch([version]))
    return version


def make_version(version_id: int | str) -> None:
    """Prepare a version: what a worker does for its row."""
    row = jobs.claim(DemoVersion, version_id)
    if row is None:
        return
    with jobs.work_on(row, Refusal):
        _make(row)


def _make(row: DemoVersion) -> None:
    owner = row.demo.owner
    content = row.content
    facts = gather_facts(content, owner)
    clips = clips_of(content, owner)
    if len(facts.recordings) != len(content.recordings):
        raise DemoProblem(_("A recording has been deleted. Take it off the page."))
    old = [*row.sounds.values_list("audio", flat=True), row.picture.name]
    written: list[str] = []
    kept = False
    try:
        sounds: list[DemoSound] = []
        shown: list[ShownRecording] = []
        outlines = []
        for position, (recording, facts_of) in enumerate(
            zip(content.recordings, facts.recordings, strict=True)
        ):
            clip = clips[uuid.UUID(recording.clip)]
            signals = render_recording(clip, recording, [sound.system for sound in facts_of.sounds])
            if not signals:
                raise DemoProblem(_("None of the chosen systems has processed it."))
            outlines.append(signals.get("original", next(iter(signals.values())))[0])
            gains = {}
            for system, (audio, gain) in signals.items():
                gains[system] = round(gain, 2)
                name = default_storage.save(
                    f"demos/{uuid.uuid4()}.flac", ContentFile(flac_of(audio, clip.rate))
                )
                written.append(name)
                sounds.append(DemoSound(version=row, position=position, system=system, audio=name))
            shown.append(_with_gains(facts_of, gains))
            jobs.note(row, f"recording {position + 1}: {len(signals)} sounds")
        frozen = facts.model_copy(update={"recordings": shown})
        picture = ""
        try:
            drawn = ContentFile(draw_cover(content, frozen, outlines))
        except NoFonts as error:
            jobs.note(row, f"no picture for link previews: {error}")
        else:
            picture = default_storage.save(f"demos/{uuid.uuid4()}.png", drawn)
            written.append(picture)
        with transaction.atomic():
            kept = jobs.finish(row, facts=frozen, picture=picture)
            if kept:
                row.sounds.all().delete()
                DemoSound.objects.bulk_create(sounds)
                Demo.objects.filter(pk=row.demo_id).update(updated=timezone.now())
    finally:
        delete_files(old if kept else written)


def _shows_what_is(version: DemoVersion, demo: Demo) -> bool:
    """Whether a version's facts are those of today: measures and grades may have come since."""
    if version.status != Job.Status.DONE:
        return True  # it gathers them when it is made
    today = gather_facts(demo.draft, demo.owner)
    frozen = version.facts
    plain = [_with_gains(each, {sound.system: 0.0 for sound in each.sounds}) for each in frozen.recordings]
    return frozen.model_copy(update={"recordings": plain}) == today


def _with_gains(recording: ShownRecording, gains: dict[str, float]) -> ShownRecording:
    sounds = [sound.model_copy(update={"gain_db": gains[sound.system]}) for sound in recording.sounds]
    return recording.model_copy(update={"sounds": sounds})


def render_recording(clip: Clip, recording: Recording, systems: list[str]) -> dict[str, tuple[Audio, float]]:
    """The part of a clip through `systems`, each as loud as the original, and its gain in dB.

    All have the clip's rate and channels and the same length. One gain for all keeps them from clipping.
    """
    reference, rate = load_audio(clip.audio)
    end = clip.seconds if recording.end is None else recording.end
    made = {row.system: row for row in clip.renditions.filter(status=Rendition.Status.DONE)}
    found: dict[str, tuple[Audio, float]] = {}
    for system in systems:
        audio = reference
        if system != "original":
            audio = conform(*load_audio(made[system].audio), rate, channels_of(reference))
        found[system] = render_stimulus(reference, audio, recording.start, end, rate)
    gain = np.float32(headroom_of(audio for audio, _gain in found.values()))
    return {system: (audio * gain, decibels) for system, (audio, decibels) in found.items()}


def cut_sound(clip: Clip, recording: Recording, system: str) -> Audio:
    """The part of a clip through one system, as loud as it is: what a web process can make at once."""
    file = clip.audio
    if system != "original":
        file = clip.renditions.get(system=system, status=Rendition.Status.DONE).audio
    audio = fit_length(conform(*load_audio(file), clip.rate, clip.channels), round(clip.seconds * clip.rate))
    end = clip.seconds if recording.end is None else recording.end
    return audio[round(recording.start * clip.rate) : round(end * clip.rate)]


def flac_of(audio: Audio, rate: int) -> bytes:
    """`audio` as 16-bit FLAC at `rate` Hz."""
    import soundfile

    from codec.audio import to_pcm16

    content = io.BytesIO()
    soundfile.write(content, to_pcm16(audio), rate, format="FLAC", subtype="PCM_16")
    return content.getvalue()


def delete_demo(demo: Demo) -> None:
    """Delete the page with all its versions and their files."""
    with transaction.atomic():
        for version in demo.versions.all():
            _delete(version)
        demo.delete()


def _delete(version: DemoVersion) -> None:
    names = [*version.sounds.values_list("audio", flat=True), version.picture.name]
    version.delete()
    delete_files_later(names)
