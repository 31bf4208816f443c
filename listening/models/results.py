"""What is computed from grades."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy

from evaluation.columns import TypedJSONField
from evaluation.models import Job
from listening.columns.sessions import Findings
from listening.models.session import Session
from listening.models.study import Study


class Analysis(Job):
    """Slow computations on a study's grades: tests, models, confidence intervals of agreement.

    One row for each state of the data that was viewed, identified by `fingerprint`. When a newer row is
    done, older rows of the same kind and profile are deleted.
    """

    OWNER = "study__owner"
    DOING = gettext_lazy("Computing the tests between systems.")
    FAILED = "{error}"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="analyses")
    kind = models.CharField(
        max_length=10, choices=Session.Kind.choices, help_text="kind of the sessions analysed"
    )
    profile = models.CharField(max_length=20, help_text="screening profile: none, bs1534, mpeg or own")
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the grades and settings analysed")
    data = TypedJSONField(Findings, default=dict, help_text="result of listening.results.heavy.compute")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created", "-id"]
        verbose_name_plural = "analyses"
        constraints = [
            models.UniqueConstraint(
                fields=["study", "kind", "profile", "fingerprint"], name="analysis_once_per_state"
            )
        ]

    def __str__(self) -> str:
        return f"Analysis of {self.study} ({self.kind}, {self.profile})"

    def get_absolute_url(self) -> str:
        address = reverse("results", args=[self.study_id])
        return f"{address}?kind={self.kind}&screening={self.profile}#section-pairs"
