"""Clip -> rendition -> score: uploads, systems' outputs, and measurements of these."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.urls import reverse
from django.utils.translation import gettext_lazy

from codec.base import WORKING_RATE, Note, in_words
from codec.recordings.plans import LOSSES
from evaluation.columns import TypedJSONField
from evaluation.columns.notes import NoteField, StoredNote
from evaluation.columns.renditions import Checks, Parameters


class Clip(models.Model):
    """A source recording that a researcher uploaded.

    The upload is kept unchanged; `audio`, its working copy, is a 16-bit WAV at `rate` with `channels`.
    Systems get what they take of it (`codec.working`).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="clips")
    sha256 = models.CharField(max_length=64, help_text="of the uploaded bytes")
    title = models.CharField(max_length=200)
    original_name = models.CharField(max_length=255)
    upload = models.FileField(upload_to="uploads/", max_length=255)
    audio = models.FileField(upload_to="clips/", max_length=255)
    seconds = models.FloatField()
    rate = models.PositiveIntegerField(default=WORKING_RATE, help_text="Hz, of the working copy")
    channels = models.PositiveSmallIntegerField(default=1, help_text="of the working copy: 1 or 2")
    speech = models.BooleanField(default=True, help_text="speech, not music or other sound")
    source_rate = models.PositiveIntegerField(help_text="Hz, of the upload")
    source_channels = models.PositiveSmallIntegerField()
    source_format = models.CharField(max_length=80)
    notes = TypedJSONField(
        list[StoredNote], default=list, help_text="what ingestion did and found: downmix, resampling, ..."
    )
    credit = models.TextField(blank=True, help_text="source and licence, shown on the page")
    public = models.BooleanField(default=False, help_text="a demo clip that strangers may hear")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created", "id"]
        constraints = [models.UniqueConstraint(fields=["owner", "sha256"], name="clip_once_per_owner")]

    def __str__(self) -> str:
        return self.title

    @property
    def losses(self) -> list[str]:
        """The notes that say that some of the upload is missing."""
        return [note for note in self.notes if isinstance(note, Note) and note.text in LOSSES]

    @property
    def heard(self) -> str:
        """What its working copy has, in words."""
        return in_words(self.rate, self.channels)


class Favourites(models.Model):
    """The systems that a researcher chooses most: a choice beside the upload of recordings."""

    owner = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, related_name="favourites"
    )
    systems = TypedJSONField(list[str], default=list, help_text="slugs in codec.registry")

    class Meta:
        verbose_name_plural = "favourites"

    def __str__(self) -> str:
        return f"Favourites of {self.owner}"


class UploadedSystem(models.Model):
    """A researcher's own system, whose outputs are uploaded."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploaded_systems"
    )
    slug = models.CharField(max_length=64, unique=True, help_text="never one of codec.registry")
    title = models.CharField(max_length=100)
    note = models.TextField(blank=True, help_text="version, settings and command line, for reports")
    kbps = models.FloatField(null=True, blank=True, help_text="bit rate as the researcher states it, kbit/s")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["owner", "created", "id"]
        constraints = [models.UniqueConstraint(fields=["owner", "title"], name="uploaded_system_title_once")]

    def __str__(self) -> str:
        return self.title


class Job(models.Model):
    """Work that a worker does for a row. The row holds the state; queues only carry its id.

    ``queued -> running -> done | failed``; claimed by one atomic update (`evaluation.work.jobs`), held by a
    lease that a heartbeat renews, and re-queued by the sweeper when the lease runs out.

    Each kind of work is a model, registered with `evaluation.work.jobs.register`, which also words what
    pages say about it.
    """

    #: Lookup from a row to the user who follows its work and may retry it; empty: it belongs to no account.
    OWNER: ClassVar[str] = "owner"
    #: Sentences for people: during the work, with numbers if `count_progress` has any; after a failure.
    DOING: ClassVar[Any] = gettext_lazy("A worker is processing it.")
    PROGRESS: ClassVar[Any] = gettext_lazy("{done} of {total} are done.")
    FAILED: ClassVar[Any] = gettext_lazy("This failed: {error}")

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    #: A worker has it or will have it.
    UNFINISHED: ClassVar[tuple[Status, ...]] = (Status.QUEUED, Status.RUNNING)

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    claim = models.UUIDField(null=True, blank=True, editable=False, help_text="token of the lease's holder")
    lease_until = models.DateTimeField(null=True, blank=True)
    queued = models.DateTimeField(
        db_default=Now(), help_text="since when it waits; a worker's death does not change it"
    )
    dispatched = models.DateTimeField(null=True, blank=True, help_text="when a message was last sent for it")
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)
    error = NoteField(blank=True, help_text="for people: what went wrong and what to do")
    log = models.TextField(blank=True)

    class Meta:
        abstract = True

    def get_absolute_url(self) -> str:
        """URL of the page that shows the result of the work."""
        raise NotImplementedError

    @property
    def waiting(self) -> bool:
        """Whether it is queued or running."""
        return self.status in self.UNFINISHED

    def count_progress(self) -> tuple[int, int] | None:
        """Numbers of finished steps and of all steps; None if they are unknown."""
        return None

    def describe_work(self, counted: tuple[int, int] | None) -> str:
        """Describe the work and its progress for people; `counted` comes from `count_progress`."""
        done, total = counted or (0, 0)
        return str(self.PROGRESS if counted else self.DOING).format(done=done, total=total)


class Worker(models.Model):
    """A worker that has been heard from (`evaluation.work.presence`). Times are by the database's clock."""

    name = models.CharField(max_length=255, primary_key=True, help_text="Celery's name of it: worker@host")
    queues = TypedJSONField(list[str], default=list)
    children = models.PositiveSmallIntegerField(default=1)
    version = models.CharField(max_length=40, help_text="of Earshot")
    device = models.CharField(max_length=40, blank=True, help_text="EARSHOT_DEVICE, if it is set")
    started = models.DateTimeField(null=True, blank=True)
    seen = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Rendition(Job):
    """A clip through a system, made once."""

    OWNER = "clip__owner"
    DOING = gettext_lazy("Encoding and decoding.")
    FAILED = "{error}"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    clip = models.ForeignKey(Clip, on_delete=models.CASCADE, related_name="renditions")
    system = models.CharField(max_length=64, help_text="slug in codec.registry or of an UploadedSystem")
    upload = models.FileField(
        upload_to="outputs/", max_length=255, blank=True, help_text="unchanged file of an uploaded system"
    )
    audio = models.FileField(upload_to="renditions/", max_length=255, blank=True)
    bitstream = models.FileField(upload_to="bitstreams/", max_length=255, blank=True)
    payload_bits = models.PositiveBigIntegerField(null=True, blank=True)
    kbps = models.FloatField(null=True, blank=True, help_text="measured, kbit/s")
    percent = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="how much is encoded, of systems that take their time"
    )
    encode_seconds = models.FloatField(null=True, blank=True)
    decode_seconds = models.FloatField(null=True, blank=True)
    parameters = TypedJSONField(Parameters, default=dict, help_text="exact settings and versions")
    unavailable = models.BooleanField(default=False, help_text="failed because the system does not work here")

    class Meta:
        ordering = ["clip", "system"]
        constraints = [
            models.UniqueConstraint(fields=["clip", "system"], name="rendition_once_per_clip_and_system")
        ]
        indexes = [models.Index(fields=["system", "-finished"], name="rendition_last_of_system")]

    def __str__(self) -> str:
        return f"{self.clip} through {self.system}"

    def get_absolute_url(self) -> str:
        return reverse("clip", args=[self.clip_id])


class Score(Job):
    """A rendition's score by a metric. The row is made, queued, when the rendition is done."""

    OWNER = "rendition__clip__owner"
    DOING = gettext_lazy("Measuring.")
    FAILED = "{error}"

    rendition = models.ForeignKey(Rendition, on_delete=models.CASCADE, related_name="scores")
    metric = models.CharField(max_length=32, help_text="slug in evaluation.metrics")
    value = models.FloatField(
        null=True, blank=True, help_text="null if it cannot be computed; `note` says why"
    )
    version = models.CharField(max_length=64, blank=True)
    note = NoteField(blank=True)

    class Meta:
        ordering = ["rendition", "metric"]
        constraints = [models.UniqueConstraint(fields=["rendition", "metric"], name="score_once_per_metric")]

    def __str__(self) -> str:
        return f"{self.metric} of {self.rendition}"

    def get_absolute_url(self) -> str:
        return f"{self.rendition.get_absolute_url()}#other-metrics"


class OutputBatch(Job):
    """Outputs that a researcher has sent for systems of their own, to be checked and then confirmed.

    The job checks every file against its clip (`step` is check), and, after the researcher's confirmation,
    makes renditions of the accepted files (`step` is store).
    """

    PROGRESS = gettext_lazy("Checking: {done} of {total} files.")
    STORING = gettext_lazy("Storing: {done} of {total} files.")
    FAILED = gettext_lazy("The files could not be worked on: {error}")

    class Step(models.TextChoices):
        CHECK = "check"
        STORE = "store"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="output_batches"
    )
    system = models.ForeignKey(
        UploadedSystem,
        on_delete=models.CASCADE,
        related_name="batches",
        help_text="system of the files that name none",
    )
    step = models.CharField(max_length=5, choices=Step.choices, default=Step.CHECK)
    notes = TypedJSONField(
        list[StoredNote], default=list, help_text="files left out, and systems made, on arrival"
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created", "id"]
        verbose_name_plural = "output batches"

    def __str__(self) -> str:
        return f"Outputs for {self.system}"

    def get_absolute_url(self) -> str:
        return reverse("outputs", args=[self.pk])

    def count_progress(self) -> tuple[int, int]:
        if self.step == self.Step.CHECK:
            files = self.files.all()
            return files.exclude(problem="", checks={}).count(), files.count()
        taken = self.files.filter(taken=True)
        return taken.filter(~Q(problem="") | Q(upload="")).count(), taken.count()

    def describe_work(self, counted: tuple[int, int] | None) -> str:
        done, total = counted or (0, 0)
        text = self.PROGRESS if self.step == self.Step.CHECK else self.STORING
        return str(text).format(done=done, total=total)


class OutputFile(models.Model):
    """One file of a batch: its clip and system, how they were found, and the results of its checks."""

    batch = models.ForeignKey(OutputBatch, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=500, help_text="file name as sent, with its folders")
    upload = models.FileField(upload_to="incoming/", max_length=255, blank=True)
    clip = models.ForeignKey(Clip, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    system = models.ForeignKey(
        UploadedSystem, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    reason = NoteField(blank=True, help_text="how clip and system were found")
    checks = TypedJSONField(
        Checks, default=dict, help_text="`evaluation.outputs.comparison.Comparison`, as a dictionary"
    )
    problem = NoteField(blank=True, help_text="why the file cannot be used; empty if it can")
    taken = models.BooleanField(default=False, help_text="whether the researcher confirmed it")
    shift = models.BooleanField(default=False, help_text="whether the delay is to be removed")

    class Meta:
        ordering = ["batch", "name", "id"]

    def __str__(self) -> str:
        return self.name
