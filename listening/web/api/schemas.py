"""Schemas of requests and responses of the API on studies."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Union
from uuid import UUID

from ninja import Schema
from pydantic import Field

from evaluation.columns import Shown
from evaluation.web.api import ROLE
from evaluation.web.requests import Body
from listening.columns.questions import Questionnaire
from listening.columns.studies import AnalysisSettings, Design, Headphones, PostScreening, Recruitment
from listening.columns.texts import Texts
from listening.methods import DEFAULT, METHODS

# Values that `listening.study.settings` checks and the study's columns store.
TextsColumn = Annotated[Any, Shown(Texts)]
_ALL_OPTIONS = tuple(dict.fromkeys(method.Options for method in METHODS.values()))
OptionsColumn = Annotated[Any, Shown(Union[_ALL_OPTIONS])]  # noqa: UP007 -- of a tuple
DesignColumn = Annotated[Any, Shown(Design)]
QuestionnaireColumn = Annotated[Any, Shown(Questionnaire)]
HeadphonesColumn = Annotated[Any, Shown(Headphones)]
RecruitmentColumn = Annotated[Any, Shown(Recruitment)]
PostScreeningColumn = Annotated[Any, Shown(PostScreening)]
AnalysisColumn = Annotated[Any, Shown(AnalysisSettings)]


class ItemIn(Body):
    clip: UUID
    start: float = Field(0.0, ge=0, description="seconds")
    end: float | None = Field(None, description="seconds; default: the clip's end")
    training: bool = Field(False, description="training item: graded first, its grades are not used (M14)")
    name: str = Field("", max_length=200, description="replaces the clip's title")


class Settings(Body):
    """Settings that can be given when a study is created, and changed until somebody has taken part."""

    texts: TextsColumn | None = Field(None, description="your own texts: consent, instructions, thanks")
    language: str | None = Field(
        None, description="language of the listeners' pages: en, de, fr, ne, ja or ar"
    )
    other_languages: list[str] | None = Field(
        None, description="languages that listeners may switch to; [] for none"
    )
    method_options: OptionsColumn | None = Field(
        None, description="options of the method, for example pairs and trials"
    )
    sample_rate: int | None = Field(
        None, description="sample rate of every stimulus, Hz; default: the highest of the clips"
    )
    channels: int | None = Field(
        None, description="channels of every stimulus: 1 or 2; default: 2 if a clip is stereo"
    )
    design: DesignColumn | None = Field(
        None,
        description="items_per_session, systems_per_trial, drop_out_hours; default: every listener hears all",
    )
    questionnaire: QuestionnaireColumn | None = Field(
        None, description="questions before or after the trials"
    )
    headphones: HeadphonesColumn | None = Field(None, description="headphone screening; {} for none")
    recruitment: RecruitmentColumn | None = Field(None, description="Prolific or MTurk; {} for a plain link")
    post_screening: PostScreeningColumn | None = Field(None, description="custom thresholds")
    analysis: AnalysisColumn | None = Field(
        None, description="population, margin and include_reference of the tests between systems"
    )
    break_after: int | None = Field(
        None, ge=1, le=1000, description="number of trials after which a break is offered"
    )
    training_repeats: int | None = Field(
        None, description="how often a listener may repeat the training, 0 to 5"
    )
    max_sessions: int | None = Field(None, ge=1, le=1_000_000, description="maximum number of listeners")
    opens: datetime | None = None
    closes: datetime | None = None
    sealed_until: datetime | None = Field(
        None, description="nobody, you included, sees grades before this time"
    )
    pilot: bool | None = Field(
        None, description="whether new sessions are pilot sessions, which are kept apart"
    )
    listed: bool | None = Field(None, description="listed on the public front page")


class NewStudy(Settings):
    name: str = Field(max_length=200)
    method: str = Field(
        DEFAULT.slug, description="{} or {}".format(", ".join([*METHODS][:-1]), [*METHODS][-1])
    )
    clips: list[UUID] = Field(
        default_factory=list,
        description="ids of processed clips, each of them one item, in the order of the study",
    )
    items: list[ItemIn] = Field(default_factory=list, description="excerpts, instead of clips")
    systems: list[str] = Field(
        min_length=1,
        description="slugs of the systems under test; MUSHRA adds original, anchor35 and anchor70",
    )
    training_clip: UUID | None = Field(
        None, description="with clips: the training item; default: the first clip"
    )
    seed: int | None = Field(None, ge=0, lt=2**53, description="determines all orders; default: random")
    open_when_ready: bool = Field(True, description="open the study as soon as its stimuli are rendered")


class StudyChange(Settings):
    name: str | None = Field(None, max_length=200)
    items: list[ItemIn] | None = None
    systems: list[str] | None = None
    discard_trial_runs: bool = Field(False, description="delete pilot sessions if the change requires it")


class Copy(Body):
    name: str = Field("", max_length=200, description="default: the study's name, marked as a copy")


class StudyOut(Schema):
    id: UUID
    name: str
    method: str
    status: str = Field(description="preparing, ready, open or closed")
    error: str
    systems: list[str]
    listener_url: str
    sessions_started: int = Field(description="real sessions whose listeners have begun grading")
    sessions_waiting: int = Field(
        description="real sessions whose listeners take part and have not begun grading yet"
    )
    sessions_finished: int
    role: str = Field(description=ROLE)
    owner: str = Field(description="user name")
    archived: datetime | None = Field(description="when it was put away")
    created: datetime


class ItemOut(Schema):
    position: int
    title: str
    clip: UUID | None
    start: float
    end: float
    training: bool


class StudyDetail(StudyOut):
    items: list[ItemOut]
    seed: int
    language: str
    other_languages: list[str]
    texts: TextsColumn
    method_options: OptionsColumn
    sample_rate: int
    channels: int
    design: DesignColumn
    questionnaire: QuestionnaireColumn
    headphones: HeadphonesColumn
    recruitment: RecruitmentColumn
    post_screening: PostScreeningColumn
    analysis: AnalysisColumn
    break_after: int | None
    training_repeats: int
    max_sessions: int | None
    opens: datetime | None
    closes: datetime | None
    sealed_until: datetime | None
    pilot: bool
    listed: bool


class SessionOut(Schema):
    id: UUID
    number: int
    kind: str
    assessor: str
    started: datetime | None = Field(description="when the listener confirmed the instructions")
    finished: datetime | None
    trials: int
    trials_finished: int
    completion_code: str


class DeletionOut(Schema):
    number: int
    ratings: int
    reason: str
    deleted: datetime


class ImportedOut(Schema):
    study: StudyOut
    notes: list[str] = Field(description="deviations from the archive")


class ScreenedOut(Schema):
    assessor: str
    reason: str


class SystemResultOut(Schema):
    """A row of the results table. Missing values are null."""

    slug: str
    title: str
    n: int = Field(description="number of grades")
    listeners: int
    mean: float | None = Field(description="mean of the listeners' means")
    ci95: float | None = Field(description="half-width of its 95 % t interval")
    low: float | None
    high: float | None
    median: float | None
    q1: float | None = Field(description="Tukey's lower hinge")
    q3: float | None
    iqr: float | None
    kbps: float | None = Field(description="measured bit rate, kbit/s")
    objective: dict[str, float | None] = Field(
        description="by metric: mean score over those graded items that have one; of a system without "
        "grades, over all that have one"
    )
    objective_items: dict[str, int] = Field(
        description="by metric: number of items of this mean; means over unlike items are not comparable"
    )


class ResultsOut(Schema):
    answer: str
    kind: str
    profile: str = Field(description="screening profile")
    listeners: int
    items: int
    excluded: list[ScreenedOut]
    systems: list[SystemResultOut]
    warnings: list[str]
