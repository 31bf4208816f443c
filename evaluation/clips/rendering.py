"""Clip -> rendition -> score: the work that a worker does for rendition and score rows."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from functools import partial

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, transaction

from codec import container
from codec.base import CodecError, CodecUnavailable, Progress
from evaluation.clips.removal import delete_files, list_files
from evaluation.clips.stored import load_audio, save_audio
from evaluation.metrics import OPTIONAL, defaults_for
from evaluation.models import Job, Rendition, Score
from evaluation.refusals import note_of
from evaluation.work import jobs
from evaluation.work.pipeline import MetricUnavailable, heard_by, measure, process, recording_of

#: How often the progress of an encoder is stored.
REPORT_SECONDS = 2.0


def make_rendition(rendition_id: str) -> None:
    """Put a clip through a system and queue the measurements of its output."""
    row = jobs.claim(Rendition, rendition_id)
    if row is None:
        return
    with jobs.work_on(row):
        try:
            _render(row)
        except CodecError as error:
            unavailable = isinstance(error, CodecUnavailable)
            jobs.note(row, f"{'not available' if unavailable else 'refused'}: {error}")
            jobs.fail(row, note_of(error), unavailable=unavailable)


def make_score(score_id: int | str) -> None:
    """Measure a rendition with a metric."""
    row = jobs.claim(Score, score_id)
    if row is None:
        return
    with jobs.work_on(row, MetricUnavailable):
        rendition = Rendition.objects.select_related("clip").get(pk=row.rendition_id)
        reference, rate = load_audio(rendition.clip.audio)
        heard = heard_by(row.metric, reference, rate, *load_audio(rendition.audio))
        measured = measure(*heard, row.metric, recording_of(reference, rate, rendition.clip.speech))
        jobs.note(row, f"{row.metric} by {measured.version}: {measured.value} {measured.note}".rstrip())
        jobs.finish(row, value=measured.value, version=measured.version, note=measured.note)


def _reporting(row: Rendition) -> Progress:
    """A `Progress` that a clip's page shows, stored every few seconds."""
    stored = time.monotonic()
    held = Rendition.objects.filter(pk=row.pk, status=Job.Status.RUNNING, claim=row.claim)
    if row.percent is not None:  # of a worker that died
        held.update(percent=None)

    def report(done: int, total: int) -> None:
        nonlocal stored
        if total and time.monotonic() - stored >= REPORT_SECONDS:
            stored = time.monotonic()
            with suppress(DatabaseError):  # the work itself goes on
                held.update(percent=min(100, 100 * done // total))

    return report


def _render(row: Rendition) -> None:
    clip = row.clip
    audio, rate = load_audio(clip.audio)
    done = process(audio, row.system, rate, _reporting(row))
    seconds = done.encoded.seconds
    jobs.note(row, f"loaded {row.system} in {done.load_seconds:.3f} s")
    jobs.note(
        row,
        f"encoded {seconds:.3f} s of audio in {done.encode_seconds:.3f} s: "
        f"{done.encoded.payload_bits} bits that a receiver needs, {done.encoded.kbps:.3f} kbit/s",
    )
    jobs.note(row, f"decoded in {done.decode_seconds:.3f} s")
    parameters = dict(done.encoded.parameters)
    jobs.note(row, f"parameters: {json.dumps(parameters, sort_keys=True, default=str)}")

    # Every attempt uses new names, so a worker that lost its claim never touches the new holder's files.
    folder = f"renditions/{row.pk}"
    audio_name = save_audio(f"{folder}/{row.claim}.wav", done.audio, done.encoded.sample_rate)
    bitstream = ContentFile(container.dumps(done.encoded))
    bitstream_name = default_storage.save(f"{folder}/{row.claim}.ear", bitstream)
    with transaction.atomic():
        stored = jobs.finish(
            row,
            audio=audio_name,
            bitstream=bitstream_name,
            payload_bits=done.encoded.payload_bits,
            kbps=done.encoded.kbps,
            encode_seconds=done.encode_seconds,
            decode_seconds=done.decode_seconds,
            percent=None,
            parameters=parameters,
            unavailable=False,
        )
        if stored:
            earlier = Score.objects.filter(rendition=row)  # of an earlier rendition's audio
            asked = [metric for metric in earlier.values_list("metric", flat=True) if metric in OPTIONAL]
            earlier.delete()
            default = defaults_for(speech=clip.speech)
            wanted = dict.fromkeys((*default, *asked))
            scores = Score.objects.bulk_create([Score(rendition=row, metric=metric) for metric in wanted])
            transaction.on_commit(partial(jobs.dispatch, scores))
    keep = {audio_name, bitstream_name}
    delete_files(set(list_files(folder)) - keep if stored else keep)
