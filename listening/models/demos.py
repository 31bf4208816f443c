"""Demo pages, their versions and sounds; and visitors' own voices."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from evaluation.columns import TypedJSONField
from evaluation.columns.notes import NoteField
from evaluation.models import Job
from listening.columns.demos import DemoContent, DemoFacts
from listening.models.tokens import opaque_token


class Demo(models.Model):
    """A demo page: recordings through systems, with texts. `draft` is what its author works on.

    Visitors see the latest of its finished `versions`, none of which changes after it was published.
    """

    class Visibility(models.TextChoices):
        PRIVATE = "private"  # for its owner only
        UNLISTED = "unlisted"  # for everybody who has the link
        PUBLIC = "public"  # in the gallery, too

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="demos")
    token = models.CharField(
        max_length=32, unique=True, default=opaque_token, editable=False, help_text="of the page's link"
    )
    visibility = models.CharField(
        max_length=10, choices=Visibility.choices, default=Visibility.PRIVATE, db_index=True
    )
    draft = TypedJSONField(DemoContent, default=dict, help_text="what the next version will say")
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-updated", "id"]

    def __str__(self) -> str:
        return self.draft.title or gettext("Untitled demo page")


class DemoVersion(Job):
    """The job that publishes a demo page, and the page as it was published."""

    OWNER = "demo__owner"
    DOING = gettext_lazy("Publishing: the sounds are matched in loudness.")
    FAILED = gettext_lazy("The page could not be published: {error}")

    demo = models.ForeignKey(Demo, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(help_text="counts up from 1")
    content = TypedJSONField(DemoContent, help_text="the draft when it was published")
    facts = TypedJSONField(DemoFacts, default=dict, help_text="measured and graded at that time")
    picture = models.FileField(
        upload_to="demos/", max_length=255, blank=True, help_text="PNG for link previews"
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["demo", "-number"]
        constraints = [models.UniqueConstraint(fields=["demo", "number"], name="demo_version_once")]

    def __str__(self) -> str:
        return f"{self.content.title}, version {self.number}"

    def get_absolute_url(self) -> str:
        return reverse("demo_edit", args=[self.demo_id])


class DemoSound(models.Model):
    """A sound of a published page: its own file, so that nothing that happens to the clip changes it."""

    version = models.ForeignKey(DemoVersion, on_delete=models.CASCADE, related_name="sounds")
    position = models.PositiveSmallIntegerField(help_text="of the recording, from 0")
    system = models.CharField(max_length=300)
    audio = models.FileField(upload_to="demos/", max_length=255)

    class Meta:
        ordering = ["version", "position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["version", "position", "system"], name="demo_sound_once")
        ]

    def __str__(self) -> str:
        return f"Sound {self.position + 1} of {self.version} through {self.system}"


class VoiceTrial(Job):
    """A visitor's own voice through a few systems, kept until it `expires` for whoever has its link.

    It belongs to no account, and nothing is stored that says whose voice it is.
    """

    OWNER = ""
    DOING = gettext_lazy("The systems are at work.")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token = models.CharField(
        max_length=32, unique=True, default=opaque_token, editable=False, help_text="of the page's link"
    )
    systems = TypedJSONField(list[str], default=list, help_text="slugs in the order of their work")
    seconds = models.FloatField()
    rate = models.PositiveIntegerField(help_text="Hz; it is mono")
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-created", "id"]

    def __str__(self) -> str:
        return f"A voice until {self.expires:%Y-%m-%d %H:%M}"

    def get_absolute_url(self) -> str:
        return reverse("voice", args=[self.token])

    @property
    def channels(self) -> int:
        return 1


class VoiceSound(models.Model):
    """The recording itself (`original`), or what a system made of it; `problem` says why it made nothing."""

    trial = models.ForeignKey(VoiceTrial, on_delete=models.CASCADE, related_name="sounds")
    system = models.CharField(max_length=64)
    audio = models.FileField(upload_to="voices/", max_length=255, blank=True)
    kbps = models.FloatField(null=True, blank=True, help_text="measured, kbit/s")
    problem = NoteField(blank=True)

    class Meta:
        ordering = ["trial", "id"]
        constraints = [models.UniqueConstraint(fields=["trial", "system"], name="voice_sound_once")]

    def __str__(self) -> str:
        return f"{self.trial} through {self.system}"
