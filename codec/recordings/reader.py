"""The one reader of recordings: the file as it is, block by block, and what has to be said about it."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soxr

from codec.base import AudioError, Note, gettext_noop
from codec.recordings import flac, mp4, mpeg, ogg, riff
from codec.recordings.decoders import Block, Decoder, Undecodable, open_part
from codec.recordings.formats import NAMED
from codec.recordings.measuring import Measured
from codec.recordings.plans import BREAKS_OFF, BREAKS_OFF_OF, DAMAGED_PARTS, NO_DELAY, Plan, Source
from codec.recordings.spans import Part
from codec.recordings.strangers import name_stranger

CLAIMS = gettext_noop("the header claims %(claimed).3f s, the file holds %(held).3f s")
INTEGER_SCALE = gettext_noop("its floating-point samples are in the scale of integers: divided by %(scale)d")
OTHER_RATE = gettext_noop("from %(at).2f s on it had %(rate)s Hz and %(channels)s channels: converted")
# What is missing below this is a header's rounding, not a recording that breaks off.
_BREAK_SECONDS = 0.05
_TEXT = gettext_noop("This is a text file, not a recording.")
_LFS = b"version https://git-lfs"
# Blocks of silence between parts.
_SILENT_FRAMES = 1 << 16


class Reading:
    """Reads a file once: iterate over it for its blocks, float32 of shape (samples, channels).

    Files are decoded block by block, so that memory is bounded by `max_seconds` and not by what a header
    declares or a compressed file expands to. `rate` and `channels` are known with the first block, all else
    after the last.

    Args:
        path: a file of any format in `codec.recordings.formats`, whatever its name ends in.
        max_seconds: refuse longer recordings; None takes any length.
        min_seconds: refuse shorter recordings.

    Raises:
        AudioError: while it is iterated over, with the reason, for anything that is not a finite recording of
            allowed length.
    """

    def __init__(
        self, path: str | Path, *, max_seconds: float | None = None, min_seconds: float = 0.0
    ) -> None:
        self._path, self._max_seconds, self._min_seconds = Path(path), max_seconds, min_seconds
        self.rate = self.channels = 0
        self.format = ""
        self.notes: list[Note] = []
        self.measured = Measured()
        self._claims: list[int] = []
        self._foreign = False
        self._broken_at: float | None = None
        self._damaged = False

    @property
    def count(self) -> int:
        """Samples per channel so far."""
        return self.measured.count

    @property
    def seconds(self) -> float:
        return self.count / self.rate if self.rate else 0.0

    def __iter__(self) -> Iterator[Block]:
        try:
            # Unbuffered, as libsndfile reads the same descriptor.
            with self._path.open("rb", buffering=0) as file:
                source = Source(file)
                _refuse_text(source)
                for block in self._read(source):
                    yield self._take(block)
        except OSError as error:
            raise AudioError(
                gettext_noop("The file cannot be read: %(strerror)s."), strerror=error.strerror or error
            ) from error
        self._finish()

    # -- Decoding

    def _read(self, source: Source) -> Iterator[Block]:
        plan = make_plan(source)
        failed: Undecodable | None = None
        try:
            yield from self._read_parts(source, plan)
        except Undecodable as error:
            failed = error
            self._broken_at = self.seconds
        if self._broken_at is not None and (mended := _mend(source)) is not None:
            # What was decoded before the damage comes out once more, and is left out.
            self._broken_at, self._claims, plan, failed = None, [], mended, None
            try:
                yield from self._read_parts(source, mended, skip=self.count)
            except Undecodable as error:
                failed = error
                self._broken_at = self.seconds
        if failed is not None and not self.count:
            self._broken_at = None
            yield from self._read_with_ffmpeg(source, plan, failed)
        self.notes += [note for note in plan.notes if note not in self.notes]
        self._plan = plan

    def _read_with_ffmpeg(self, source: Source, plan: Plan, error: Undecodable) -> Iterator[Block]:
        if any(part.foreign and not part.pieces for part in plan.parts):
            raise _unreadable(source, error) from error
        try:
            yield from self._read_parts(source, Plan((Part(foreign=True),)))
        except Undecodable:
            if plan.cut:  # before its first packet of sound
                self._broken_at = 0.0
                return
            raise _unreadable(source, error) from error  # libsndfile's reason: it knows more formats by name

    def _read_parts(self, source: Source, plan: Plan, skip: int = 0) -> Iterator[Block]:
        self._plan = plan
        position = 0  # of what these parts give, from which `skip` samples are left out
        for part in plan.parts:
            decoder = open_part(source, part, self._max_seconds)
            try:
                if not self.rate:
                    self.rate, self.channels = decoder.rate, decoder.channels
                if part.at is not None:
                    for block in self._silence(round(part.at * self.rate) - position):
                        position += len(block)
                        if (late := block[max(0, skip - position + len(block)) :]).size:
                            yield late
                for block in self._convert(decoder, part):
                    position += len(block)
                    if (late := block[max(0, skip - position + len(block)) :]).size:
                        yield late
                self._note_decoder(decoder, plan, position)
            finally:
                decoder.close()

    def _silence(self, count: int) -> Iterator[Block]:
        while count > 0:
            size = min(count, _SILENT_FRAMES)
            yield np.zeros((size, self.channels), dtype=np.float32)
            count -= size

    def _convert(self, decoder: Decoder, part: Part) -> Iterator[Block]:
        """The decoder's blocks without what the part leaves out, at the recording's rate and channels."""
        other = (decoder.rate, decoder.channels) != (self.rate, self.channels)
        resampler = None
        if other:
            self._say(OTHER_RATE, at=self.seconds, rate=decoder.rate, channels=decoder.channels)
            if decoder.rate != self.rate:
                resampler = soxr.ResampleStream(
                    decoder.rate, self.rate, self.channels, dtype="float32", quality="HQ"
                )
        skip, left = part.skip, part.frames
        if part.seconds is not None:
            left = int(part.seconds * decoder.rate)
        for block in decoder.blocks():
            if skip:
                taken = min(skip, len(block))
                block, skip = block[taken:], skip - taken
            if left is not None:
                block = block[:left]
                left -= len(block)
            if decoder.channels != self.channels:
                mean = block.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
                block = np.repeat(mean, self.channels, axis=1)
            if resampler is not None:
                block = resampler.resample_chunk(block)
            if len(block):
                yield block
        if resampler is not None:
            rest = resampler.resample_chunk(np.zeros((0, self.channels), dtype=np.float32), last=True)
            if len(rest):
                yield rest

    def _note_decoder(self, decoder: Decoder, plan: Plan, position: int) -> None:
        if not self.format:
            self.format = f"{plan.container or decoder.container}, {decoder.encoding}".strip(", ")
            self.measured.encoding = decoder.encoding
        if decoder.broken:
            self._broken_at = (self.count + decoder.tail) / self.rate
        self._damaged = self._damaged or decoder.damaged
        if decoder.delayed:
            self._say(NO_DELAY)
        if decoder.declared is not None and not plan.claims and not any(part.pieces for part in plan.parts):
            self._claims.append(decoder.declared)
        self._foreign = type(decoder).__name__ == "FFmpeg"

    def _take(self, block: Block) -> Block:
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            raise AudioError(
                gettext_noop("The sample at %(second).3f s is not a finite number (NaN or infinity)."),
                second=(self.count + int(np.argmin(finite))) / self.rate,
            )
        self.measured.add(block, self.rate)
        if self._max_seconds is not None and self.count > int(self._max_seconds * self.rate):
            raise self._too_long(self._max_seconds)
        return block

    def _too_long(self, limit: float) -> AudioError:
        claimed = max([*self._plan.claims, *self._claims], default=0) / self.rate
        if claimed <= limit:
            return AudioError(
                gettext_noop("The recording is longer than the %(limit)g s this site takes."), limit=limit
            )
        return AudioError(
            gettext_noop("%(seconds).1f s is longer than the %(limit)g s this site takes."),
            seconds=claimed,
            limit=limit,
        )

    # -- What has to be said

    def _say(self, text: str, **values: object) -> None:
        note = Note(text, **values)
        if note not in self.notes:
            self.notes.append(note)

    def _finish(self) -> None:
        if not self.count and self._broken_at is None and not self._plan.cut:
            raise AudioError(gettext_noop("The file holds no audio."))
        self._compare_lengths()
        if not self.count or self.seconds < self._min_seconds:
            if self._broken_at is not None:
                raise AudioError(
                    gettext_noop("The recording breaks off at %(at).2f s: the file is truncated or damaged."),
                    at=self._broken_at,
                )
            raise AudioError(
                gettext_noop("%(seconds).2f s is shorter than the %(min_seconds)g s that can be measured."),
                seconds=self.seconds,
                min_seconds=self._min_seconds,
            )
        if self._damaged and self._broken_at is None:
            self._say(DAMAGED_PARTS)
        if self.measured.scale != 1:
            self._say(INTEGER_SCALE, scale=self.measured.scale)

    def _compare_lengths(self) -> None:
        plan = self._plan
        # What ffmpeg says is rounded, and counts pauses before the sound in.
        coarse = round(0.1 * self.rate) if self._foreign else 0
        claims = {
            **dict.fromkeys(self._claims, max(coarse, plan.tolerance)),
            **dict.fromkeys(plan.claims, plan.tolerance),
        }
        least = round(_BREAK_SECONDS * self.rate)
        short = [claim for claim, tolerance in claims.items() if claim - self.count > max(tolerance, least)]
        if self._broken_at is None and (short or plan.cut):
            self._broken_at = self.seconds
        if self._broken_at is not None:
            if short:
                self._say(BREAKS_OFF_OF, at=self._broken_at, claimed=max(short) / self.rate)
            else:
                self._say(BREAKS_OFF, at=self._broken_at)
        for claim, tolerance in sorted(claims.items()):
            if claim not in short and abs(claim - self.count) > tolerance:
                self._say(CLAIMS, claimed=claim / self.rate, held=self.seconds)


def make_plan(source: Source) -> Plan:
    """Look at a file's structure, by its content alone."""
    head = source.read(0, 1024)
    found: Plan | None = None
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        found = riff.plan_wav(source)
    elif head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        found = riff.plan_aiff(source)
    elif head[:4] == b".snd":
        found = riff.plan_au(source)
    elif head[:4] == b"caff":
        found = riff.plan_caf(source)
    elif head[:16].startswith(b"riff\x2e\x91\xcf\x11"):
        found = riff.plan_w64(source)
    elif head.startswith(b"NIST_1A"):
        found = riff.plan_nist(source)
    elif head[:4] == b"OggS":
        found = ogg.plan(source)
    elif head[:4] == b"fLaC" or _after_id3(source, head)[:4] == b"fLaC":
        found = flac.plan(source)
    elif head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        found = mp4.plan(source)
    elif head[:3] == b"ID3" or mpeg.begins(head):
        found = mpeg.plan(source, range(source.size))
    return found or Plan()


def _after_id3(source: Source, head: bytes) -> bytes:
    if head[:3] != b"ID3" or len(head) < 10:
        return b""
    return source.read(10 + (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]), 4)


def _mend(source: Source) -> Plan | None:
    return flac.mend(source) if source.read(0, 4) == b"fLaC" else None


def _refuse_text(source: Source) -> None:
    """Refuse what decoders would refuse with a mere error code."""
    head = source.read(0, 1024)
    if not head:
        raise AudioError(gettext_noop("The file is empty."))
    if head.startswith(_LFS):
        raise AudioError(
            gettext_noop("This is a pointer of Git LFS, not the recording itself: `git lfs pull` fetches it.")
        )
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and not mpeg.begins(head):
        raise AudioError(_TEXT)
    if b"\0" not in head and not head.startswith((b"NIST_1A", b"#!AMR")):
        try:
            head.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.start < len(head) - 4:  # else only a character that the end of the block cuts
                return
        raise AudioError(_TEXT)


def _unreadable(source: Source, error: Exception) -> AudioError:
    return name_stranger(source) or AudioError(
        gettext_noop(
            "This is not a recording that can be read here, or it is damaged. These can be read: "
            "%(formats)s. The reader says: %(reason)s."
        ),
        formats=NAMED,
        reason=str(error),
    )
