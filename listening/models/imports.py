"""Tests from elsewhere while they are brought in."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy

from evaluation.columns import TypedJSONField
from evaluation.models import Job
from listening.columns.drafts import DraftChoices, DraftProgress
from listening.models.study import Study


class ImportDraft(Job):
    """An uploaded file to import, kept until the researcher has reviewed its contents.

    A worker reads a configuration's recordings; results are read in the request.
    """

    DOING = gettext_lazy("Reading recordings.")
    PROGRESS = gettext_lazy("Reading recordings: {done} of {total}.")
    FAILED = "{error}"

    class Kind(models.TextChoices):
        RESULTS = "results"
        CONFIGURATION = "configuration"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="import_drafts"
    )
    kind = models.CharField(max_length=13, choices=Kind.choices)
    name = models.CharField(max_length=255, help_text="name of the uploaded file")
    file = models.FileField(upload_to="imports/", max_length=255)
    extra = models.FileField(
        upload_to="imports/",
        max_length=255,
        blank=True,
        help_text="recordings as a zip, or a table of scores",
    )
    choices = TypedJSONField(
        DraftChoices, default=dict, help_text="the researcher's choices: name, method, mapping"
    )
    progress = TypedJSONField(DraftProgress, default=dict, help_text="{done, total} recordings read")
    study = models.ForeignKey(
        Study,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="the study created from it",
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created", "id"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("import_draft", args=[self.pk])

    def count_progress(self) -> tuple[int, int] | None:
        return (self.progress["done"], self.progress["total"]) if self.progress else None
