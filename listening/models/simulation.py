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
        # A simulated listener starts and finishes in one transaction.
        made = Session.objects.filter(study=self.study_id, kind=Session.Kind.SIMULATED).count()
        return made, self.study.simulation.listeners

    def get_absolute_url(self) -> str:
        return reverse("study_setup", args=[self.study_id, "check"]) + "#trying"
