"""Stimulus -> rating: people, the tests they take and the grades they give."""

from __future__ import annotations

import secrets
import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy

from evaluation.columns import TypedJSONField
from evaluation.models import Clip, Job, Rendition
from listening.columns.drafts import DraftChoices, DraftProgress
from listening.columns.questions import ANSWER, Questionnaire
from listening.columns.sessions import EventDetail, Findings, References, Signal, StageData
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


def random_token(num_bytes: int) -> str:
    """Random bytes as text for addresses and command lines, where only an option begins with a dash."""
    while (token := secrets.token_urlsafe(num_bytes)).startswith("-"):
        continue
    return token


def opaque_token() -> str:
    """128 random bits for a link that is itself the key."""
    return random_token(16)


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
        READY = "ready"  # they are; nobody has been let in
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
        help_text="of the method, as `listening.methods.clean_options` describes them",
    )
    systems = TypedJSONField(
        list[str], help_text="slugs under test; the method adds those that are always there"
    )
    language = models.CharField(max_length=10, default="en", help_text="of the listeners' pages")
    texts = TypedJSONField(
        Texts, default=dict, help_text="the researcher's own: consent, instructions, thanks"
    )
    sample_rate = models.PositiveIntegerField(default=16000, help_text="Hz, of every stimulus")
    design = TypedJSONField(
        Design,
        default=dict,
        help_text="how items and systems are shared out over sessions; empty: all to everybody",
    )
    questionnaire = TypedJSONField(
        Questionnaire, default=list, help_text="questions before or after the trials"
    )
    headphones = TypedJSONField(
        Headphones, default=dict, help_text="screening test of headphones and its pass mark; empty: none"
    )
    recruitment = TypedJSONField(
        Recruitment,
        default=dict,
        help_text="where listeners come from (Prolific, MTurk) and the codes they go back with",
    )
    post_screening = TypedJSONField(PostScreening, default=dict, help_text="the researcher's own thresholds")
    analysis = TypedJSONField(
        AnalysisSettings, default=dict, help_text="population and margin of the tests between systems"
    )
    break_after = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="trials until a break is offered"
    )
    training_repeats = models.PositiveSmallIntegerField(
        default=0, help_text="how often a listener may take the training again; 0: no page asks"
    )
    max_sessions = models.PositiveIntegerField(null=True, blank=True, help_text="no more listeners than this")
    opens = models.DateTimeField(null=True, blank=True)
    closes = models.DateTimeField(null=True, blank=True)
    pilot = models.BooleanField(default=False, help_text="sessions started now are trial runs, kept apart")
    simulation = TypedJSONField(
        SimulatedListeners,
        default=dict,
        help_text="what simulated listeners are made of, and how many: listening.simulation.runs",
    )
    sealed_until = models.DateTimeField(
        null=True, blank=True, help_text="until then not even the owner sees grades"
    )
    unsealed = models.DateTimeField(
        null=True, blank=True, help_text="when the owner broke the seal before its time; there is no way back"
    )
    imported = TypedJSONField(
        Imported, default=dict, help_text="where a study made elsewhere came from: format, file, notes"
    )
    version = models.PositiveIntegerField(
        default=1, help_text="of language, texts and questionnaire, as the columns hold them now"
    )
    seed = models.PositiveBigIntegerField(help_text="every order in the study follows from it")
    token = models.CharField(
        max_length=43, unique=True, default=opaque_token, help_text="of the listener link"
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PREPARING)
    open_when_ready = models.BooleanField(
        default=True, help_text="let listeners in as soon as the stimuli are there"
    )
    listed = models.BooleanField(default=False, help_text="shown to strangers on the front page")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created", "id"]
        verbose_name_plural = "studies"

    def __str__(self) -> str:
        return self.name

    @property
    def error(self) -> str:
        """For people: why the stimuli could not be rendered; empty unless that failed."""
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


class Preparation(Job):
    """The rendering of a study's stimuli. Its key is the study's; a study made elsewhere has none."""

    OWNER = "study__owner"
    DOING = gettext_lazy("Rendering the stimuli.")
    PROGRESS = gettext_lazy("Rendering the stimuli: {done} of {total} cut, aligned and matched in loudness.")
    FAILED = gettext_lazy("The stimuli could not be rendered: {error}")

    study = models.OneToOneField(
        Study, on_delete=models.CASCADE, primary_key=True, related_name="preparation"
    )

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"Preparation of {self.study}"

    def get_absolute_url(self) -> str:
        return reverse("study", args=[self.study_id])

    def count_progress(self) -> tuple[int, int]:
        stimuli = Stimulus.objects.filter(item__study=self.study_id)
        return stimuli.exclude(audio="").count(), stimuli.count()


class Simulation(Job):
    """The making of simulated listeners as `Study.simulation` describes them. Its key is the study's."""

    OWNER = "study__owner"
    DOING = gettext_lazy("Simulated listeners take the test.")
    PROGRESS = gettext_lazy("{done} of {total} simulated listeners are through.")
    FAILED = gettext_lazy("The simulation failed: {error}")

    study = models.OneToOneField(
        Study, on_delete=models.CASCADE, primary_key=True, related_name="simulation_job"
    )

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"Simulation of {self.study}"

    def get_absolute_url(self) -> str:
        return reverse("study_setup", args=[self.study_id, "check"]) + "#trying"

    def count_progress(self) -> tuple[int, int]:
        # A listener comes and finishes in one transaction.
        made = Session.objects.filter(study=self.study_id, kind=Session.Kind.SIMULATED).count()
        return made, self.study.simulation.listeners


class Item(models.Model):
    """An excerpt under test: a clip from `start` to `end`, in seconds.

    An item of an imported study may be a mere name, without a clip.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="items")
    clip = models.ForeignKey(Clip, on_delete=models.PROTECT, related_name="items", null=True, blank=True)
    name = models.CharField(max_length=200, blank=True, help_text="instead of the clip's title")
    position = models.PositiveSmallIntegerField()
    start = models.FloatField(default=0.0)
    end = models.FloatField(default=0.0)
    training = models.BooleanField(
        default=False, help_text="heard and graded first; the grades are not used (M14)"
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
    objective = TypedJSONField(
        Objective,
        default=dict,
        help_text="scores by metric that came with an imported study: it has no rendition",
    )
    delay_ms = models.FloatField(
        null=True, blank=True, help_text="measured against the reference, > 0 is late; null: cannot be told"
    )

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

    class Kind(models.TextChoices):
        REAL = "real"
        PILOT = "pilot"  # a trial run of the researcher's
        SIMULATED = "simulated"  # made by a program
        IMPORTED = "imported"  # of a test that was held elsewhere

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="sessions")
    assessor = models.ForeignKey(Assessor, on_delete=models.CASCADE, related_name="sessions")
    number = models.PositiveIntegerField(help_text="counts the study's sessions from 1")
    kind = models.CharField(
        max_length=10, choices=Kind.choices, default=Kind.REAL, help_text="kinds are never analysed together"
    )
    block = models.PositiveIntegerField(
        null=True, blank=True, help_text="of the study's design, for which the session was drawn"
    )
    place = models.PositiveIntegerField(
        null=True, blank=True, help_text="in the design, from 0; a drop-out's is given to somebody else"
    )
    token = models.CharField(max_length=43, unique=True, default=opaque_token)
    version = models.PositiveIntegerField(
        default=1, help_text="of the study's language, texts and questionnaire that the listener meets"
    )
    seed = models.PositiveBigIntegerField(
        help_text="drawn from the study's seed; trial and stimulus orders follow from it"
    )
    instructed = models.DateTimeField(null=True, blank=True, help_text="when the instructions were read")
    completion_code = models.CharField(
        max_length=16, blank=True, help_text="empty: the session was held elsewhere"
    )
    created = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True, blank=True)
    screened_out = models.DateTimeField(
        null=True, blank=True, help_text="when the headphone screening ended the session"
    )
    abandoned = models.DateTimeField(
        null=True, blank=True, help_text="when its place was given to somebody else"
    )
    label = models.CharField(
        max_length=100,
        blank=True,
        help_text="what an imported file calls the listener; may be a name, so it is never exported unasked",
    )

    class Meta:
        ordering = ["study", "number"]
        constraints = [models.UniqueConstraint(fields=["study", "number"], name="session_number_once")]

    def __str__(self) -> str:
        return f"{self.assessor} in {self.study}"


class Stage(models.Model):
    """A step of a session besides its trials that the listener has gone through, and what came of it."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="stages")
    name = models.CharField(
        max_length=20, help_text="slug in listening.session.sessions: volume, headphones, ..."
    )
    data = TypedJSONField(StageData, default=dict)
    finished = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["session", "finished", "id"]
        constraints = [models.UniqueConstraint(fields=["session", "name"], name="stage_once")]

    def __str__(self) -> str:
        return f"{self.name} of {self.session}"


class Answer(models.Model):
    """What a listener answered to one question of the study's questionnaire."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="answers")
    question = models.CharField(max_length=64, help_text="name of the question in the study's questionnaire")
    value = TypedJSONField(ANSWER)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["session", "id"]
        constraints = [models.UniqueConstraint(fields=["session", "question"], name="answer_once")]

    def __str__(self) -> str:
        return f"{self.question} of {self.session}"


class Participation(models.Model):
    """Who a crowd-working platform says that a listener is: one row per session that it sent.

    A person has one session in a study, unless it lets who returns begin again (`Recruitment.returning`).
    Personal data, kept apart from the assessor: never exported unless asked for, and deletable alone.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="participations")
    session = models.OneToOneField(
        Session, on_delete=models.CASCADE, related_name="participation", null=True, blank=True
    )
    platform = models.CharField(max_length=20, help_text="prolific or mturk")
    person = models.CharField(max_length=128, help_text="PROLIFIC_PID or workerId")
    references = TypedJSONField(References, default=dict, help_text="the platform's other ids, as they came")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["study", "created", "id"]
        indexes = [models.Index(fields=["study", "platform", "person"], name="participation_of_person")]

    def __str__(self) -> str:
        return f"{self.platform} participant in {self.study}"


class Deletion(models.Model):
    """A note that an assessor's data was deleted from a study, and nothing of it."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="deletions")
    number = models.PositiveIntegerField(help_text="of the deleted session")
    ratings = models.PositiveIntegerField(help_text="how many grades went with it")
    reason = models.CharField(max_length=200, blank=True)
    deleted = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["study", "deleted", "id"]

    def __str__(self) -> str:
        return f"Deletion of session {self.number} of {self.study}"


class DeletedSession(models.Model):
    """A link that led to a session, so that whoever still has its page open is told what happened.

    Only the SHA-256 of the link's token is kept, and the language to say it in.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    language = models.CharField(max_length=10)
    deleted = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["deleted", "digest"]

    def __str__(self) -> str:
        return f"Session deleted on {self.deleted:%Y-%m-%d}"


class Trial(models.Model):
    """One item as presented in a session.

    `order` is the stored presentation, left to right: ``[{"key": opaque, "stimulus": id}, ...]``, with a
    ``"role"`` where the method gives its signals parts to play (A, B, X); `reference_key` names the open
    reference's file. Keys are random and mean nothing elsewhere.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="trials")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="trials")
    position = models.PositiveSmallIntegerField()
    order = TypedJSONField(list[Signal])
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
    """The grade of one stimulus in one trial, on the scale of the study's method: the latest chosen.

    `sequence` counts the listener's changes, so that a late or repeated request never overwrites
    a newer grade.
    """

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="ratings")
    stimulus = models.ForeignKey(Stimulus, on_delete=models.PROTECT, related_name="ratings")
    score = models.FloatField(help_text="MUSHRA: whole, 0-100")
    sequence = models.PositiveIntegerField()
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["trial", "stimulus"]
        constraints = [
            models.UniqueConstraint(fields=["trial", "stimulus"], name="rating_once"),
            # CCR goes down to -3.
            models.CheckConstraint(condition=models.Q(score__gte=-3, score__lte=100), name="rating_in_range"),
        ]

    def __str__(self) -> str:
        return f"{self.score:g} for {self.stimulus}"


class Choice(models.Model):
    """Which signal of a trial the listener chose: the one that is X, or the preferred one.

    `chosen` is empty where "no preference" was the answer.
    """

    trial = models.OneToOneField(Trial, on_delete=models.CASCADE, related_name="choice")
    chosen = models.ForeignKey(
        Stimulus, on_delete=models.PROTECT, related_name="choices", null=True, blank=True
    )
    sequence = models.PositiveIntegerField()
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["trial"]

    def __str__(self) -> str:
        return f"Choice in {self.trial}"


class Event(models.Model):
    """What happened in the page (play, switch, loop, grade), so that odd grades can be explained (M30)."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="events")
    sequence = models.PositiveIntegerField(
        help_text="counts the page's events; a repeated request adds nothing"
    )
    kind = models.CharField(max_length=20)
    milliseconds = models.PositiveIntegerField(help_text="since the trial's page was opened")
    detail = TypedJSONField(EventDetail, default=dict)

    class Meta:
        ordering = ["trial", "sequence"]
        constraints = [models.UniqueConstraint(fields=["trial", "sequence"], name="event_once")]

    def __str__(self) -> str:
        return f"{self.kind} at {self.milliseconds} ms"


class Analysis(Job):
    """What takes long to compute of a study's grades: tests, models, intervals of agreements.

    One row for each state of the data that somebody looked at; `fingerprint` says which. When a newer
    one is done, the older ones of the same kind and profile go.
    """

    OWNER = "study__owner"
    DOING = gettext_lazy("Computing the tests between systems.")
    FAILED = "{error}"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="analyses")
    kind = models.CharField(max_length=10, choices=Session.Kind.choices, help_text="of sessions")
    profile = models.CharField(max_length=20, help_text="of screening: none, bs1534, mpeg or own")
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the state of grades and settings")
    data = TypedJSONField(Findings, default=dict, help_text="as listening.results.heavy.compute makes it")
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


class ImportDraft(Job):
    """A file that a researcher has sent to be imported, kept until they have seen what is in it.

    Reading a configuration's recordings is work for a worker; results are read in the request.
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
    name = models.CharField(max_length=255, help_text="of the file, as it was sent")
    file = models.FileField(upload_to="imports/", max_length=255)
    extra = models.FileField(
        upload_to="imports/",
        max_length=255,
        blank=True,
        help_text="recordings as a zip, or a table of scores",
    )
    choices = TypedJSONField(
        DraftChoices, default=dict, help_text="what the researcher decided: name, method, mapping"
    )
    progress = TypedJSONField(DraftProgress, default=dict, help_text="{done, total} recordings")
    study = models.ForeignKey(
        Study, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", help_text="that came of it"
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


class Throttle(models.Model):
    """How often something was tried in a window of time; see `listening.web.throttling`."""

    key = models.CharField(max_length=64, primary_key=True, help_text="HMAC of what is counted and for whom")
    count = models.PositiveIntegerField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["expires", "key"]

    def __str__(self) -> str:
        return f"{self.count} until {self.expires:%H:%M:%S}"
