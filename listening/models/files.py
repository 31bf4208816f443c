"""Files that a worker makes."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy

from evaluation.columns import TypedJSONField
from evaluation.models import Job
from listening.models.demos import Demo
from listening.models.study import Study


class MadeFile(Job):
    """A file that a worker makes for whoever asked for it (`listening.delivery`), kept for a day."""

    DOING = gettext_lazy("The file is being made.")
    FAILED = gettext_lazy("The file could not be made: {error}")

    class Kind(models.TextChoices):
        ARCHIVE = "archive", gettext_lazy("archive of the study")
        REPORT = "report", gettext_lazy("report as PDF")
        DEMO = "demo", gettext_lazy("demo page as files")
        EXPORT = "export", gettext_lazy("file of the study")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="made_files")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    study = models.ForeignKey(Study, models.CASCADE, null=True, blank=True, related_name="made_files")
    demo = models.ForeignKey(Demo, models.CASCADE, null=True, blank=True, related_name="made_files")
    options = TypedJSONField(dict[str, str], default=dict, help_text="what of it was asked for")
    file = models.FileField(upload_to="made/", max_length=255, blank=True)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created", "id"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.study or self.demo}"

    def get_absolute_url(self) -> str:
        return reverse("made_file", args=[self.pk])
