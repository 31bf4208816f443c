"""Files of clips and renditions, for whoever may hear the clip."""

from __future__ import annotations

import csv
import io
import re
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import PurePath
from typing import IO
from uuid import UUID

from django.contrib import messages
from django.db.models.fields.files import FieldFile
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from evaluation.access import find_for, viewer, visible_clips, visible_renditions
from evaluation.clips.stored import outline
from evaluation.models import Clip, Job, Rendition
from evaluation.systems import title_of
from evaluation.web.guards import action
from evaluation.web.presentation import prefetch_results, rendition_rows
from evaluation.work import jobs
from evaluation.work.benchmark import COLUMNS, round_row

_CHUNK = 64 * 1024
#: Parts of a waveform's outline.
OUTLINE_COLUMNS = 600


@require_safe
def rendition(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Its page is the clip's."""
    return redirect("clip", get_object_or_404(visible_renditions(viewer(request)), pk=pk).clip_id)


@require_safe
def rendition_audio(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """The decoded audio, 16-bit WAV at the rate at which the system processes the clip."""
    rendition = _finished_rendition(request, pk)
    return send_file(
        request, rendition.audio, "audio/wav", f"{safe_stem(rendition.clip)}_{rendition.system}.wav"
    )


@require_safe
def rendition_bitstream(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """The transmitted bitstream, as an .ear file that ``python -m codec decode`` reads."""
    rendition = _finished_rendition(request, pk)
    name = f"{safe_stem(rendition.clip)}_{rendition.system}.ear"
    return send_file(request, rendition.bitstream, "application/octet-stream", name, attachment=True)


@require_safe
def clip_audio(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """The working copy: 16-bit WAV with the clip's rate and channels."""
    clip = get_object_or_404(visible_clips(viewer(request)), pk=pk)
    return send_file(request, clip.audio, "audio/wav", f"{safe_stem(clip)}.wav")


@require_safe
def clip_outline(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The outline of a clip's waveform: lowest and highest samples of `OUTLINE_COLUMNS` parts of it."""
    clip = get_object_or_404(visible_clips(viewer(request)), pk=pk)
    try:
        low, high = outline(clip.audio, OUTLINE_COLUMNS)
    except FileNotFoundError as error:
        raise Http404("The file is no longer there.") from error
    response = JsonResponse({"low": low, "high": high})
    response["Cache-Control"] = "private, max-age=86400"  # a clip's audio never changes
    return response


@require_safe
def clip_zip(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """The upload, every system's output and the scores, in one archive."""
    clip = get_object_or_404(prefetch_results(visible_clips(viewer(request))), pk=pk)
    archive = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    try:
        _write_zip(archive, clip)
    except FileNotFoundError as error:
        raise Http404("A file is no longer there.") from error
    archive.seek(0)
    return FileResponse(archive, as_attachment=True, filename=f"{safe_stem(clip)}.zip")


@action
def rendition_retry(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Queue failed work again: the rendition or, if that is done, its failed scores."""
    rendition = get_object_or_404(Rendition, pk=pk)
    find_for(request, Clip.objects.all(), pk=rendition.clip_id)
    rows: list[Job] = [rendition, *rendition.scores.all()]
    queued = sum(jobs.retry(row) for row in rows)
    title = title_of(rendition.system)
    if not queued:
        messages.info(
            request,
            _("%(system)s has not failed; there is nothing to retry.") % {"system": title},
        )
        return redirect("clip", rendition.clip_id)
    return redirect(reverse("clip", args=[rendition.clip_id], fragment="systems"))


def safe_stem(clip: Clip) -> str:
    """A file name, without extension, from the clip's title: letters, digits, '-', '_' and '.' only."""
    plain = unicodedata.normalize("NFKD", clip.title).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-_")[:80] or "clip"


def _finished_rendition(request: HttpRequest, pk: UUID) -> Rendition:
    return get_object_or_404(visible_renditions(viewer(request)), pk=pk, status=Job.Status.DONE)


def _write_zip(target: IO[bytes], clip: Clip) -> None:
    # Audio and bitstreams hardly compress, and stored members can be streamed.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        suffix = PurePath(str(clip.upload.name)).suffix
        _add(archive, f"original/{safe_stem(clip)}{suffix}", clip.upload)
        _add(archive, f"original/{safe_stem(clip)}_{clip.rate / 1000:g}k.wav", clip.audio)
        for rendition in clip.renditions.all():
            if rendition.status == Job.Status.DONE:
                _add(archive, f"decoded/{rendition.system}.wav", rendition.audio)
                _add(archive, f"bitstreams/{rendition.system}.ear", rendition.bitstream)
        archive.writestr("scores.csv", scores_csv(clip))


def scores_csv(clip: Clip) -> str:
    """The scores of a clip as CSV, one row per system, with the columns of the benchmark's table."""
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    table.writeheader()
    for row in rendition_rows(clip):
        table.writerow(round_row({**row, "clip": safe_stem(clip), "seconds": clip.seconds}))
    return text.getvalue()


def _add(archive: zipfile.ZipFile, name: str, file: FieldFile) -> None:
    with file.open("rb") as source, archive.open(name, "w") as target:
        while chunk := source.read(_CHUNK):
            target.write(chunk)


def send_file(
    request: HttpRequest, file: FieldFile, content_type: str, filename: str, *, attachment: bool = False
) -> HttpResponseBase:
    """Send a stored file, or the range that the Range header requests, which players need for seeking."""
    try:
        size, content = file.size, file.open("rb")
    except FileNotFoundError as error:
        raise Http404("The file is no longer there.") from error
    wanted = _range(request.headers.get("Range", ""), size)
    response: HttpResponseBase
    if wanted is None:
        response = FileResponse(
            content, as_attachment=attachment, filename=filename, content_type=content_type
        )
    elif wanted.start >= size:
        content.close()
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"})
    else:
        response = StreamingHttpResponse(_part(content, wanted), status=206, content_type=content_type)
        response["Content-Range"] = f"bytes {wanted.start}-{wanted.stop - 1}/{size}"
        response["Content-Length"] = str(len(wanted))
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private"
    return response


def _range(header: str, size: int) -> range | None:
    """The bytes that a Range header requests; None (all) if it is not a single range (RFC 9110)."""
    match = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", header.strip())
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size) if int(last) else range(size, size)
    stop = min(int(last) + 1, size) if last else size
    if last and int(last) < int(first):
        return None
    return range(int(first), stop)


def _part(content: IO[bytes], wanted: range) -> Iterator[bytes]:
    with content:
        content.seek(wanted.start)
        left = len(wanted)
        while left and (chunk := content.read(min(_CHUNK, left))):
            left -= len(chunk)
            yield chunk
