"""Stimulus -> rating: people, the tests they take and the grades they give."""

from __future__ import annotations

import secrets
import uuid

from django.conf import settings
from django.db import models

from evaluation.models import Clip, Rendition


def opaque_token() -> str:
    """128 random bits for a link that is itself the key."""
    return secrets.token_urlsafe(16)


def assessor_code() -> str:
    """A short random code that stands for a person in tables; carries no meaning."""
    return secrets.token_hex(4)


class ApiToken(models.Model):
    """A bearer token of a researcher; only its SHA-256 is kept."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_token")
    digest = models.CharField(max_length=64, unique=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created"]

    def __str__(self) -> str:
        return f"API token of {self.user}"


class SigninLink(models.Model):
    """A link that signs a researcher in once, before it expires; only its SHA-256 is kept."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="signin_links")
    digest = models.CharField(max_length=64, unique=True)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-expires"]

    def __str__(self) -> str:
        return f"Sign-in link of {self.user}"


class Study(models.Model):
    """A listening test: which items through which systems, how it is put to people, and its seed."""

    class Status(models.TextChoices):
        PREPARING = "preparing"  # stimuli are not all there yet
        OPEN = "open"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="studies")
    name = models.CharField(max_length=200)
    method = models.CharField(max_length=20, default="mushra")
    systems = models.JSONField(help_text="slugs under test; original, anchor35 and anchor70 are always added")
    texts = models.JSONField(default=dict, help_text="consent, instructions, thanks")
    seed = models.PositiveBigIntegerField(help_text="every order in the study follows from it")
    token = models.CharField(
        max_length=43, unique=True, default=opaque_token, help_text="of the listener link"
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PREPARING)
    listed = models.BooleanField(default=False, help_text="shown to strangers on the front page")
    # Preparing is work in the background, kept as `evaluation.models.Job` keeps it.
    attempts = models.PositiveSmallIntegerField(default=0, help_text="to render the stimuli")
    lease_until = models.DateTimeField(
        null=True, blank=True, help_text="a worker renders the stimuli until then"
    )
    error = models.TextField(blank=True, help_text="for people: why the stimuli could not be rendered")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created", "id"]
        verbose_name_plural = "studies"

    def __str__(self) -> str:
        return self.name


class Item(models.Model):
    """An excerpt under test: a clip from `start` to `end`, in seconds."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="items")
    clip = models.ForeignKey(Clip, on_delete=models.PROTECT, related_name="items")
    position = models.PositiveSmallIntegerField()
    start = models.FloatField(default=0.0)
    end = models.FloatField()
    training = models.BooleanField(
        default=False, help_text="heard and graded first; the grades are not used (M14)"
    )

    class Meta:
        ordering = ["study", "position"]
        constraints = [models.UniqueConstraint(fields=["study", "position"], name="item_position_once")]

    def __str__(self) -> str:
        return f"{self.clip} [{self.start:.2f}-{self.end:.2f} s]"


class Stimulus(models.Model):
    """An item through a system as listeners hear it: aligned, loudness-matched, equal length.

    `audio` is the server's master (float WAV); each session hears it with its own dither.
    """

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="stimuli")
    system = models.CharField(max_length=64)
    rendition = models.ForeignKey(
        Rendition, on_delete=models.PROTECT, related_name="stimuli", null=True, blank=True
    )
    audio = models.FileField(upload_to="stimuli/", max_length=255, blank=True)
    gain_db = models.FloatField(null=True, blank=True, help_text="applied to match the reference's loudness")

    class Meta:
        ordering = ["item", "system"]
        verbose_name_plural = "stimuli"
        constraints = [models.UniqueConstraint(fields=["item", "system"], name="stimulus_once")]

    def __str__(self) -> str:
        return f"{self.item} through {self.system}"


class Assessor(models.Model):
    """A person who takes part: a random code, no name, no e-mail."""

    code = models.CharField(max_length=16, unique=True, default=assessor_code)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created", "id"]

    def __str__(self) -> str:
        return self.code


class Session(models.Model):
    """One assessor in one study. The token in its link is the key: it resumes anywhere."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="sessions")
    assessor = models.ForeignKey(Assessor, on_delete=models.CASCADE, related_name="sessions")
    number = models.PositiveIntegerField(help_text="counts the study's sessions from 1")
    token = models.CharField(max_length=43, unique=True, default=opaque_token)
    seed = models.PositiveBigIntegerField(
        help_text="drawn from the study's seed; trial and stimulus orders follow from it"
    )
    instructed = models.DateTimeField(null=True, blank=True, help_text="when the instructions were read")
    completion_code = models.CharField(max_length=16)
    created = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["study", "number"]
        constraints = [models.UniqueConstraint(fields=["study", "number"], name="session_number_once")]

    def __str__(self) -> str:
        return f"{self.assessor} in {self.study}"


class Trial(models.Model):
    """One item as presented in a session.

    `order` is the stored presentation, left to right: ``[{"key": opaque, "stimulus": id}, ...]``;
    `reference_key` names the open reference's file. Keys are random and mean nothing elsewhere.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="trials")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="trials")
    position = models.PositiveSmallIntegerField()
    order = models.JSONField()
    reference_key = models.CharField(max_length=43, default=opaque_token)
    comment = models.TextField(blank=True)
    started = models.DateTimeField(null=True, blank=True)
    finished = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["session", "position"]
        constraints = [models.UniqueConstraint(fields=["session", "position"], name="trial_position_once")]

    def __str__(self) -> str:
        return f"Trial {self.position} of {self.session}"


class Rating(models.Model):
    """The grade 0-100 of one stimulus in one trial: the latest that the listener chose.

    `sequence` counts the listener's changes, so that a late or repeated request never overwrites
    a newer grade.
    """

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="ratings")
    stimulus = models.ForeignKey(Stimulus, on_delete=models.PROTECT, related_name="ratings")
    score = models.PositiveSmallIntegerField()
    sequence = models.PositiveIntegerField()
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["trial", "stimulus"]
        constraints = [
            models.UniqueConstraint(fields=["trial", "stimulus"], name="rating_once"),
            models.CheckConstraint(condition=models.Q(score__gte=0, score__lte=100), name="rating_0_to_100"),
        ]

    def __str__(self) -> str:
        return f"{self.score} for {self.stimulus}"


class Event(models.Model):
    """What happened in the page (play, switch, loop, grade), so that odd grades can be explained (M30)."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="events")
    sequence = models.PositiveIntegerField(
        help_text="counts the page's events; a repeated request adds nothing"
    )
    kind = models.CharField(max_length=20)
    milliseconds = models.PositiveIntegerField(help_text="since the trial's page was opened")
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["trial", "sequence"]
        constraints = [models.UniqueConstraint(fields=["trial", "sequence"], name="event_once")]

    def __str__(self) -> str:
        return f"{self.kind} at {self.milliseconds} ms"
