"""Stimulus -> rating: listening tests, the people who take them and the grades they give."""

from __future__ import annotations

import hashlib
import secrets
import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from evaluation.access import Role
from evaluation.columns import TypedJSONField
from evaluation.columns.notes import NoteField
from evaluation.models import Clip, Job, Rendition
from listening.columns.demos import DemoContent, DemoFacts
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
    """Random bytes as text for URLs and command lines; never begins with a dash, as an option would."""
    while (token := secrets.token_urlsafe(num_bytes)).startswith("-"):
        continue
    return token


def opaque_token() -> str:
    """128 random bits for a link that gives access by itself."""
    return random_token(16)


def token_digest(token: str) -> str:
    """What is stored of a secret link or token: its SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def assessor_code() -> str:
    """A short random code that identifies a person in tables and carries no other information."""
    return secrets.token_hex(4)


class ApiToken(models.Model):
    """A researcher's bearer token; only its SHA-256 is stored."""

    class Scope(models.TextChoices):
        READ = "read"  # GET and HEAD only
        WRITE = "write"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    digest = models.CharField(max_length=64, unique=True)
    name = models.CharField(
        max_length=100, default="API token", help_text="what it is for, as its owner says"
    )
    scope = models.CharField(max_length=5, choices=Scope.choices, default=Scope.WRITE)
    created = models.DateTimeField(auto_now_add=True)
    used = models.DateTimeField(null=True, blank=True, help_text="last use, to the minute")
    expires = models.DateTimeField(null=True, blank=True, help_text="null: never")

    class Meta:
        ordering = ["user", "created", "id"]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


class Profile(models.Model):
    """What a researcher chose for their account; there is no row before they chose anything."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="profile"
    )
    language = models.CharField(
        max_length=10, choices=settings.LANGUAGES, default=settings.LANGUAGE_CODE, help_text="of e-mails"
    )
    notify = models.BooleanField(default=True, help_text="whether they get e-mails about their studies")

    class Meta:
        ordering = ["user"]

    def __str__(self) -> str:
        return f"Profile of {self.user}"


class Identity(models.Model):
    """A person as a provider of OpenID Connect knows them, who signs in as `user`."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=200)
    subject = models.CharField(max_length=255, help_text="`sub`, which the provider never gives to another")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["user", "id"]
        verbose_name_plural = "identities"
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="identity_once")]

    def __str__(self) -> str:
        return f"{self.user} at {self.issuer}"


class Mail(Job):
    """An e-mail that a worker sends, once: `sent` is set before the server is given the message."""

    OWNER = ""

    to = models.EmailField(max_length=254, help_text="emptied after a few days, as the subject is")
    subject = models.CharField(max_length=200)
    body = models.TextField(help_text="emptied when it is sent: it may hold a link that signs in")
    key = models.CharField(
        max_length=200, unique=True, null=True, blank=True, help_text="of what is said once; null: a reply"
    )
    unsubscribe = models.URLField(max_length=500, blank=True, help_text="where one click ends such mails")
    sent = models.DateTimeField(null=True, blank=True)
    expires = models.DateTimeField(null=True, blank=True, help_text="from then on it is useless: not sent")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created", "id"]

    def __str__(self) -> str:
        return self.subject

    def get_absolute_url(self) -> str:
        return reverse("account")


class SigninLink(models.Model):
    """A link that signs a researcher in once, before it expires; only its SHA-256 is stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="signin_links")
    digest = models.CharField(max_length=64, unique=True)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-expires"]

    def __str__(self) -> str:
        return f"Sign-in link of {self.user}"


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


#: The roles that a study can be shared with; its owner has no row.
SHARED_ROLES = [(role.value, role.label) for role in (Role.VIEWER, Role.EDITOR)]


class Share(models.Model):
    """A person who may see a study and its clips, or edit them, without owning it."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="shares")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="shares")
    role = models.PositiveSmallIntegerField(choices=SHARED_ROLES, default=Role.VIEWER)
    offered = models.DateTimeField(
        null=True,
        blank=True,
        help_text="when the owner offered this person the study; until they answer",
    )
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["study", "created", "id"]
        constraints = [models.UniqueConstraint(fields=["study", "user"], name="share_once")]

    def __str__(self) -> str:
        return f"{self.user}, {self.get_role_display()} of {self.study}"


class Invitation(models.Model):
    """A link that lets who opens it share in a study; only its SHA-256 is stored."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="invitations")
    digest = models.CharField(max_length=64, unique=True)
    role = models.PositiveSmallIntegerField(choices=SHARED_ROLES, default=Role.VIEWER)
    many = models.BooleanField(default=False, help_text="for any number of people; else for one")
    uses = models.PositiveIntegerField(default=0)
    expires = models.DateTimeField()
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["study", "-created", "-id"]

    def __str__(self) -> str:
        return f"Invitation to {self.study}"


class Act(models.Model):
    """Something that a person did to a study, by a page or by a program with their token."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="acts")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        help_text="the colleague whom it is about",
    )
    what = models.CharField(max_length=60, help_text="name of the page's address or of the API's operation")
    words = models.CharField(max_length=200, blank=True, help_text="not written any more")
    token = models.CharField(max_length=100, blank=True, help_text="name of the API token; empty: by page")
    detail = models.CharField(max_length=200, blank=True, help_text="what more is known, as name=value")
    done = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["study", "-done", "-id"]

    def __str__(self) -> str:
        return f"{self.what} of {self.study} by {self.user}"


class AccountAct(models.Model):
    """Something that an administrator did to an account, on a page or by a command on the server."""

    class What(models.TextChoices):
        MADE = "made"
        PROMOTED = "promoted"
        DEMOTED = "demoted"
        ACTIVATED = "activated"
        DEACTIVATED = "deactivated"
        ADDRESSED = "addressed"
        LINKED = "linked"
        RESET = "reset"
        DELETED = "deleted"

    what = models.CharField(max_length=20, choices=What.choices)
    account = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    by_command = models.BooleanField(default=False)
    done = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-done", "-id"]

    def __str__(self) -> str:
        return f"{self.what} {self.account} by {self.by}"


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


class Assessor(models.Model):
    """A participant: a random code, without name or e-mail address."""

    code = models.CharField(max_length=16, unique=True, default=assessor_code)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created", "id"]

    def __str__(self) -> str:
        return self.code


class Session(models.Model):
    """One assessor's session in one study. Its link gives access, so any browser can resume it."""

    class Kind(models.TextChoices):
        REAL = "real"
        PILOT = "pilot"  # a trial run by the researcher
        SIMULATED = "simulated"  # generated by a program
        IMPORTED = "imported"  # from a test that was run elsewhere
        PREVIEW = "preview"  # the researcher's own look at the test; one a study, and never exported

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="sessions")
    assessor = models.ForeignKey(Assessor, on_delete=models.CASCADE, related_name="sessions")
    number = models.PositiveIntegerField(
        help_text="number of the session in its study, from 1; 0: the preview"
    )
    kind = models.CharField(
        max_length=10,
        choices=Kind.choices,
        default=Kind.REAL,
        help_text="sessions of different kinds are never analysed together",
    )
    block = models.PositiveIntegerField(
        null=True, blank=True, help_text="block of the study's design that the session hears"
    )
    place = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="place in the design, from 0; the place of a drop-out is given to another listener",
    )
    token = models.CharField(max_length=43, unique=True, default=opaque_token)
    version = models.PositiveIntegerField(
        default=1, help_text="version of the study's language, texts and questionnaire that the listener sees"
    )
    language = models.CharField(
        max_length=10, blank=True, default="", help_text="the listener's choice; empty: the study's language"
    )
    seed = models.PositiveBigIntegerField(
        help_text="derived from the study's seed; determines trial and stimulus orders"
    )
    instructed = models.DateTimeField(
        null=True, blank=True, help_text="when the listener confirmed the instructions"
    )
    completion_code = models.CharField(max_length=16, blank=True, help_text="empty for imported sessions")
    created = models.DateTimeField(auto_now_add=True)
    finished = models.DateTimeField(null=True, blank=True)
    screened_out = models.DateTimeField(
        null=True, blank=True, help_text="when the headphone screening ended the session"
    )
    abandoned = models.DateTimeField(
        null=True, blank=True, help_text="when its place was given to another listener"
    )
    label = models.CharField(
        max_length=100,
        blank=True,
        help_text="the listener's label in an imported file; may be a name: exported only on request",
    )

    class Meta:
        ordering = ["study", "number"]
        constraints = [models.UniqueConstraint(fields=["study", "number"], name="session_number_once")]

    def __str__(self) -> str:
        return f"{self.assessor} in {self.study}"


class Stage(models.Model):
    """A completed step of a session other than a trial, with its outcome."""

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
    """A listener's answer to one question of the study's questionnaire."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="answers")
    question = models.CharField(max_length=200, help_text="name of the question in the study's questionnaire")
    value = TypedJSONField(ANSWER)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["session", "id"]
        constraints = [models.UniqueConstraint(fields=["session", "question"], name="answer_once")]

    def __str__(self) -> str:
        return f"{self.question} of {self.session}"


class Participation(models.Model):
    """A listener's identity on a crowd-working platform: one row per session that the platform sent.

    A person has one session in a study, unless the study lets returning listeners begin again
    (`Recruitment.returning`). Personal data, stored apart from the assessor: exported only on request, and
    can be deleted separately.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="participations")
    session = models.OneToOneField(
        Session, on_delete=models.CASCADE, related_name="participation", null=True, blank=True
    )
    platform = models.CharField(max_length=20, help_text="prolific or mturk")
    person = models.CharField(max_length=128, help_text="PROLIFIC_PID or workerId")
    references = TypedJSONField(References, default=dict, help_text="the platform's other ids, unchanged")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["study", "created", "id"]
        indexes = [models.Index(fields=["study", "platform", "person"], name="participation_of_person")]

    def __str__(self) -> str:
        return f"{self.platform} participant in {self.study}"


class Deletion(models.Model):
    """A record that an assessor's data was deleted from a study; contains none of that data."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="deletions")
    number = models.PositiveIntegerField(help_text="number of the deleted session")
    ratings = models.PositiveIntegerField(help_text="how many grades were deleted with it")
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
    ``"role"`` where the method assigns roles to its signals (A, B, X); `reference_key` names the open
    reference's file. Keys are random and valid in this trial only.
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
    """The latest grade of one stimulus in one trial, on the scale of the study's method.

    `sequence` counts the listener's changes, so that a late or repeated request never overwrites
    a newer grade.
    """

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="ratings")
    stimulus = models.ForeignKey(Stimulus, on_delete=models.PROTECT, related_name="ratings")
    score = models.FloatField(help_text="MUSHRA: whole, 0-100")
    sequence = models.PositiveIntegerField()
    writer = models.CharField(
        max_length=32, blank=True, editable=False, help_text="token of the browser that sent it; not exported"
    )
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
    """The signal of a trial that the listener chose: as equal to X, or as preferred.

    `chosen` is null if the answer was "no preference".
    """

    trial = models.OneToOneField(Trial, on_delete=models.CASCADE, related_name="choice")
    chosen = models.ForeignKey(
        Stimulus, on_delete=models.PROTECT, related_name="choices", null=True, blank=True
    )
    sequence = models.PositiveIntegerField()
    writer = models.CharField(
        max_length=32, blank=True, editable=False, help_text="token of the browser that sent it; not exported"
    )
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["trial"]

    def __str__(self) -> str:
        return f"Choice in {self.trial}"


class Event(models.Model):
    """An event in the listener's page (play, switch, loop, grade), kept to explain odd grades (M30)."""

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="events")
    sequence = models.PositiveIntegerField(
        help_text="number of the event in its page; a repeated request is ignored"
    )
    kind = models.CharField(max_length=20)
    milliseconds = models.PositiveIntegerField(help_text="time since the trial's page was opened")
    detail = TypedJSONField(EventDetail, default=dict)

    class Meta:
        ordering = ["trial", "sequence"]
        constraints = [models.UniqueConstraint(fields=["trial", "sequence"], name="event_once")]

    def __str__(self) -> str:
        return f"{self.kind} at {self.milliseconds} ms"


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


class Throttle(models.Model):
    """The number of attempts within a time window; see `listening.web.throttling`."""

    key = models.CharField(
        max_length=64, primary_key=True, help_text="HMAC of the limit's scope and the identity counted"
    )
    count = models.PositiveIntegerField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["expires", "key"]

    def __str__(self) -> str:
        return f"{self.count} until {self.expires:%H:%M:%S}"
