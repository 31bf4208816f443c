"""The job that makes simulated listeners."""

from __future__ import annotations

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy

from listening.models.session import Session
from listening.models.study import Study, StudyJob


class Simulation(StudyJob):
    """The job that creates the listeners of `Study.simulation`."""

    DOING = gettext_lazy("Simulated listeners take the test.")
    PROGRESS = gettext_lazy("{done} of {total} simulated listeners have finished.")
    FAILED = gettext_lazy("The simulation failed: {error}")

    study = models.OneToOneField(Study, models.CASCADE, primary_key=True, related_name="simulation_job")

    def count_progress(self) -> tuple[int, int]:
        return self.count_made(self.study), self.study.simulation.listeners

    @staticmethod
    def count_made(study: Study) -> int:
        """Count the simulated listeners that have finished."""
        return study.sessions.filter(kind=Session.Kind.SIMULATED, finished__isnull=False).count()

    def get_absolute_url(self) -> str:
        return reverse("study_setup", args=[self.study_id, "check"]) + "#trying"
