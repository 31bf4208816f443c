"""Stimulus: a listening test, its items and what listeners hear in them."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy

from evaluation.columns import TypedJSONField
from evaluation.models import Clip, Job, Rendition
from listening.columns.questions import Questionnaire
from listening.columns.studies import (
    AnalysisSettings,
    Design,
    Headphones,
    Imported,
    Objective,
    PostScreening,
    Recruitment,
    SimulatedListeners,
)
from listening.columns.texts import Texts
from listening.columns.versions import VersionContent
from listening.methods import DEFAULT, METHODS, MethodOptions
from listening.models.tokens import opaque_token


class Study(models.Model):
    """A listening test: its items and systems, its method and settings, and its random seed."""

    class Status(models.TextChoices):
        PREPARING = "preparing"  # some stimuli are not rendered yet
        READY = "ready"  # all are rendered; not open to listeners yet
        OPEN = "open"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="studies")
    name = models.CharField(max_length=200)
    method = models.CharField(max_length=20, default=DEFAULT.slug, help_text="slug in listening.methods")
    method_options = TypedJSONField(
        MethodOptions,
        schema_of=lambda study: METHODS[study.method].Options if study.method in METHODS else MethodOptions,
        default=dict,
        help_text="options of the method: its `Options` model",
    )
    systems = TypedJSONField(
        list[str], help_text="slugs of the systems under test; the method adds those that every trial has"
    )
    language = models.CharField(max_length=10, default="en", help_text="language of the listeners' pages")
    other_languages = TypedJSONField(
        list[str], default=list, help_text="languages besides `language` that listeners may switch to"
    )
    texts = TypedJSONField(
        Texts, default=dict, help_text="the researcher's own texts: consent, instructions, thanks"
    )
    sample_rate = models.PositiveIntegerField(default=16000, help_text="sample rate of every stimulus, Hz")
    channels = models.PositiveSmallIntegerField(default=1, help_text="channels of every stimulus: 1 or 2")
    design = TypedJSONField(
        Design,
        default=dict,
        help_text="how items and systems are divided among sessions; empty: not at all",
    )
    questionnaire = TypedJSONField(
        Questionnaire, default=list, help_text="questions before or after the trials"
    )
    headphones = TypedJSONField(
        Headphones, default=dict, help_text="headphone screening tests and their pass marks; empty: none"
    )
    recruitment = TypedJSONField(
        Recruitment,
        default=dict,
        help_text="recruitment platform (Prolific, MTurk) and its completion codes",
    )
    post_screening = TypedJSONField(
        PostScreening, default=dict, help_text="the researcher's custom thresholds"
    )
    analysis = TypedJSONField(
        AnalysisSettings, default=dict, help_text="population and margin of the tests between systems"
    )
    break_after = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="number of trials after which a break is offered"
    )
    training_repeats = models.PositiveSmallIntegerField(
        default=0, help_text="how often a listener may repeat the training; 0: not offered"
    )
    max_sessions = models.PositiveIntegerField(null=True, blank=True, help_text="maximum number of listeners")
    opens = models.DateTimeField(null=True, blank=True)
    closes = models.DateTimeField(null=True, blank=True)
    pilot = models.BooleanField(
        default=False, help_text="whether new sessions are pilot sessions, which are kept apart"
    )
    simulation = TypedJSONField(
        SimulatedListeners,
        default=dict,
        help_text="number and model parameters of simulated listeners (listening.simulation.runs)",
    )
    sealed_until = models.DateTimeField(
        null=True, blank=True, help_text="nobody, the owner included, sees grades before this time"
    )
    unsealed = models.DateTimeField(
        null=True, blank=True, help_text="when the owner broke the seal early; this cannot be undone"
    )
    imported = TypedJSONField(
        Imported, default=dict, help_text="origin of an imported study: format, file, notes"
    )
    version = models.PositiveIntegerField(
        default=1, help_text="number of the current version of language, texts and questionnaire"
    )
    seed = models.PositiveBigIntegerField(help_text="seed from which every order in the study is derived")
    token = models.CharField(
        max_length=43, unique=True, default=opaque_token, help_text="token of the listener link"
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PREPARING)
    open_when_ready = models.BooleanField(
        default=True, help_text="open the study as soon as its stimuli are rendered"
    )
    listed = models.BooleanField(default=False, help_text="listed on the public front page")
    archived = models.DateTimeField(
        null=True, blank=True, help_text="when the owner put the study away; it is in no list then"
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created", "id"]
        verbose_name_plural = "studies"

    def __str__(self) -> str:
        return self.name

    @property
    def error(self) -> str:
        """Why rendering the stimuli failed, for display; empty unless it failed."""
        preparation: Preparation | None = getattr(self, "preparation", None)
        return preparation.error if preparation is not None else ""


class StudyVersion(models.Model):
    """Language, texts and questionnaire that listeners met before the study was given others.

    The version in force has no row: the study's own columns hold it.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(help_text="counts the study's versions from 1")
    content = TypedJSONField(VersionContent)
    ended = models.DateTimeField(auto_now_add=True, help_text="when the next version came into force")

    class Meta:
        ordering = ["study", "number"]
        constraints = [models.UniqueConstraint(fields=["study", "number"], name="version_once")]

    def __str__(self) -> str:
        return f"Version {self.number} of {self.study}"


class StudyJob(Job):
    """A job that shares the key of its study."""

    OWNER = "study__owner"

    #: A subclass names the study's attribute for it.
    study: models.OneToOneField[Study, Study]

    class Meta:
        abstract = True
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{type(self).__name__} of {self.study}"


class Preparation(StudyJob):
    """The job that renders a study's stimuli; an imported study has none."""

    DOING = gettext_lazy("Rendering the stimuli.")
    PROGRESS = gettext_lazy("Rendering the stimuli: {done} of {total} cut, aligned and matched in loudness.")
    FAILED = gettext_lazy("The stimuli could not be rendered: {error}")

    study = models.OneToOneField(Study, models.CASCADE, primary_key=True, related_name="preparation")

    def get_absolute_url(self) -> str:
        return reverse("study", args=[self.study_id])

    def count_progress(self) -> tuple[int, int]:
        stimuli = Stimulus.objects.filter(item__study=self.study_id)
        return stimuli.exclude(audio="").count(), stimuli.count()


class Item(models.Model):
    """An excerpt under test: a clip from `start` to `end`, in seconds.

    An item of an imported study may have a name only and no clip.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="items")
    clip = models.ForeignKey(Clip, on_delete=models.PROTECT, related_name="items", null=True, blank=True)
    name = models.CharField(max_length=200, blank=True, help_text="replaces the clip's title")
    position = models.PositiveSmallIntegerField()
    start = models.FloatField(default=0.0)
    end = models.FloatField(default=0.0)
    training = models.BooleanField(
        default=False, help_text="training item: graded first, its grades are not used (M14)"
    )
    loudness = models.FloatField(
        null=True,
        blank=True,
        help_text="of the reference as stored, LUFS, which the noise floor of all its sounds follows",
    )

    class Meta:
        ordering = ["study", "position"]
        constraints = [models.UniqueConstraint(fields=["study", "position"], name="item_position_once")]

    def __str__(self) -> str:
        return f"{self.title} [{self.start:.2f}-{self.end:.2f} s]"

    @property
    def title(self) -> str:
        return self.name or (self.clip.title if self.clip else f"Item {self.position}")


class Stimulus(models.Model):
    """An item processed by a system, as listeners hear it: aligned, loudness-matched, of equal length.

    `audio` is the server's master (float WAV); every session gets a copy with a noise floor of its own.
    """

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="stimuli")
    system = models.CharField(max_length=64)
    rendition = models.ForeignKey(
        Rendition, on_delete=models.PROTECT, related_name="stimuli", null=True, blank=True
    )
    audio = models.FileField(upload_to="stimuli/", max_length=255, blank=True)
    gain_db = models.FloatField(null=True, blank=True, help_text="gain that matches the reference's loudness")
    objective = TypedJSONField(
        Objective,
        default=dict,
        help_text="scores by metric from an imported study, whose stimuli have no rendition",
    )
    delay_ms = models.FloatField(
        null=True, blank=True, help_text="delay relative to the reference, > 0 is late; null: not measurable"
    )

    class Meta:
        ordering = ["item", "system"]
        verbose_name_plural = "stimuli"
        constraints = [models.UniqueConstraint(fields=["item", "system"], name="stimulus_once")]

    def __str__(self) -> str:
        return f"{self.item} through {self.system}"
