"""Stores results as a study that can be analysed like any other."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from evaluation.analysis.words import count
from evaluation.systems import order
from evaluation.texts import clean_line, clean_text
from listening.columns.questions import MAX_NAME, MAX_QUESTIONS, Question
from listening.columns.sessions import Signal
from listening.interchange.imports.reading import Grade, ImportProblem, Reading, Verdict, list_names
from listening.interchange.imports.roles import check_mapping, consequences
from listening.interchange.imports.scores import Scores
from listening.methods import DEFAULT, METHODS
from listening.models import (
    Answer,
    Assessor,
    Choice,
    Item,
    Rating,
    Session,
    Stimulus,
    Study,
    Trial,
    opaque_token,
)
from listening.session.ratings import MAX_COMMENT
from listening.study.errors import StudyError
from listening.study.questionnaire import check_questionnaire
from listening.study.studies import clean_name

ALWAYS = ("original", "anchor35", "anchor70")
_BATCH = 1000
#: Questions whose answers identify a person.
_PERSONAL = re.compile(r"e-?mail|name|phone|address|birth|contact|prolific|worker", re.IGNORECASE)


@dataclass(frozen=True)
class Decisions:
    """The researcher's decisions in the preview.

    Attributes:
        name: name of the study.
        method: slug, one of the reading's methods.
        mapping: slugs by the file's system names; other names stay unchanged.
        keep_personal: whether to store answers that may identify listeners.
    """

    name: str
    method: str
    mapping: Mapping[str, str] = field(default_factory=dict)
    keep_personal: bool = False


def personal_questions(reading: Reading) -> list[str]:
    """Questions of the file whose answers may identify listeners, judged by their names."""
    names = dict.fromkeys(name for given in reading.answers.values() for name in given)
    return [name for name in names if _PERSONAL.search(name)]


def methods_of(reading: Reading) -> list[str]:
    """The methods that the reading can be stored as: those whose scale contains every grade.

    The file's own method comes first, even if no scale fits; then a note says so.
    """
    known = [slug for slug in reading.methods if slug in METHODS] or [DEFAULT.slug]
    return [known[0], *(slug for slug in known[1:] if not count_outside(reading, slug))]


def count_outside(reading: Reading, method: str) -> int:
    """Count the grades outside the method's scale."""
    of = METHODS[method]
    if of.lowest is None or of.highest is None:
        return 0
    return sum(not of.lowest <= grade.score <= of.highest for grade in reading.grades)


def scale_note(reading: Reading, method: str) -> str:
    """A note if the grades use another scale than the method's; otherwise empty."""
    scale, of = reading.scale, METHODS[method]
    if scale is None or of.lowest is None or of.highest is None:
        return ""
    if outside := count_outside(reading, method):
        one = outside == 1
        return (
            f"{count(outside, 'grade')} {'lies' if one else 'lie'} outside {of.title}'s scale of "
            f"{of.lowest:g} to {of.highest:g}; "
            f"{'it is kept as it is' if one else 'they are kept as they are'}."
        )
    if of.highest == 100 and scale[1] <= 10:
        return (
            f"The grades go from {scale[0]:g} to {scale[1]:g} on a method with a scale of 0 to 100. They are "
            "kept as they are: figures are on the file's scale, and rules like “below 90” mean nothing."
        )
    return ""


def check_name(name: str) -> str:
    """Return the name of a study as one clean line. Raises `ImportProblem` if it is empty or too long."""
    try:
        return clean_name(name)
    except StudyError as error:
        raise ImportProblem.of_field("name", error.message) from None


@transaction.atomic
def store(
    owner: Any, reading: Reading, decisions: Decisions, file: str, scores: Scores | None = None
) -> Study:
    """Make a closed study from a reading: items without clips, sessions of kind IMPORTED.

    Raises:
        ImportProblem: the name is empty, the method does not fit, or two systems are mapped to one.
    """
    name = check_name(decisions.name)
    if decisions.method not in methods_of(reading):
        raise ImportProblem.of_field(
            "method",
            _("%(reading)s cannot be kept as %(method)s. Methods that it can be kept as: %(known)s."),
            reading=reading.title,
            method=decisions.method,
            known=", ".join(methods_of(reading)),
        )
    mapping = check_mapping(reading, decisions.mapping)
    personal = [] if decisions.keep_personal else personal_questions(reading)
    notes = [*reading.notes, *(scores.notes if scores else [])]
    if note := scale_note(reading, decisions.method):
        notes.append(note)
    if personal:
        notes.append(f"Left out because they may identify listeners: {', '.join(personal)}.")
    notes += _cut_notes(reading, set(personal))
    slugs = sorted(set(mapping.values()), key=order)
    study = Study.objects.create(
        owner=owner,
        name=name,
        method=decisions.method,
        systems=[slug for slug in slugs if slug not in ALWAYS],
        seed=secrets.randbits(53),
        status=Study.Status.CLOSED,
        open_when_ready=False,
        imported={
            "what": "results",
            "format": reading.format,
            "title": reading.title,
            "reason": reading.reason,
            "file": file,
            "when": timezone.now().isoformat(timespec="seconds"),
            "scale": list(reading.scale or ()),
            "systems": mapping,
            "consequences": consequences(mapping, decisions.method),
            "notes": notes,
        },
    )
    study.questionnaire = _questions(reading, set(personal))
    study.save(update_fields=["questionnaire"])
    stimuli = _stimuli(study, reading, mapping, scores)
    _sessions(study, reading, mapping, stimuli, set(personal))
    return study


def _questions(reading: Reading, personal: set[str]) -> list[Question]:
    """The file's questions in the form of `Study.questionnaire`, as far as they fit."""
    names: dict[str, str] = {}
    for given in reading.answers.values():
        for name in given:
            short = _shorten(name)
            if name not in personal and short:
                names.setdefault(short.casefold(), short)
    return check_questionnaire(
        [{"name": name, "label": name, "type": "text"} for name in list(names.values())[:MAX_QUESTIONS]]
    )


def _cut_notes(reading: Reading, personal: set[str]) -> list[str]:
    """What of the answers and comments does not fit and is cut, in sentences."""
    notes = []
    questions = [
        name for name in dict.fromkeys(name for given in reading.answers.values() for name in given)
        if name not in personal
    ]  # fmt: skip
    short: dict[str, str] = {}
    for question in questions:
        kept = short.setdefault(_shorten(question).casefold(), question)
        if kept != question:
            notes.append(f"The answers to “{question}” are left out: it begins like “{kept}”.")
        elif _shorten(question) != question:
            notes.append(f"The question “{question}” is cut to “{_shorten(question)}”.")
    if len(short) > MAX_QUESTIONS:
        more = list(short.values())[MAX_QUESTIONS:]
        notes.append(
            f"Only {MAX_QUESTIONS} questions have a place in the questionnaire; answers to the others are "
            f"kept, without their questions: {list_names(more, 20)}."
        )
    long = [str(row.line) for row in reading if len(clean_text(row.comment)) > MAX_COMMENT]
    if long:
        notes.append(f"Comments are cut after {MAX_COMMENT} characters: line {list_names(long, 20)}.")
    silent = [who for who in reading.answers if who not in set(reading.assessors) and reading.answers[who]]
    if silent:
        notes.append(f"Left out with their answers, since they graded nothing: {list_names(silent, 20)}.")
    return notes


def _comment_of(rows: Sequence[Grade | Verdict]) -> str:
    """The comment of a trial: what its rows say, by system where they say different things."""
    said: dict[str, list[str]] = {}
    for row in rows:
        if text := clean_text(row.comment):
            said.setdefault(text, []).append(row.systems[-1])
    if len(said) == 1:
        return next(iter(said))[:MAX_COMMENT]
    return "\n".join(f"{', '.join(names)}: {text}" for text, names in said.items())[:MAX_COMMENT]


def _shorten(question: str) -> str:
    return clean_line(question)[:MAX_NAME]


def _stimuli(
    study: Study, reading: Reading, mapping: Mapping[str, str], scores: Scores | None
) -> dict[tuple[str, str], Stimulus]:
    items = {
        name: Item(study=study, name=name, position=position)
        for position, name in enumerate(reading.items, 1)
    }
    Item.objects.bulk_create(items.values(), batch_size=_BATCH)
    cells: dict[tuple[str, str], None] = {}
    for row in reading:
        cells |= {(row.item, system): None for system in row.systems}
    values = scores.values if scores else {}
    stimuli = {
        (item, system): Stimulus(
            item=items[item], system=mapping[system], objective=values.get((item, system), {})
        )
        for item, system in cells
    }
    Stimulus.objects.bulk_create(stimuli.values(), batch_size=_BATCH)
    return stimuli


def _sessions(
    study: Study,
    reading: Reading,
    mapping: Mapping[str, str],
    stimuli: Mapping[tuple[str, str], Stimulus],
    personal: set[str],
) -> None:
    now = timezone.now()
    labels = reading.assessors
    assessors = Assessor.objects.bulk_create([Assessor() for _ in labels], batch_size=_BATCH)
    sessions = {
        label: Session(
            study=study,
            assessor=assessor,
            number=number,
            kind=Session.Kind.SIMULATED if reading.simulated else Session.Kind.IMPORTED,
            label=label,
            seed=0,
            completion_code="",
            instructed=now,
            finished=now,
        )
        for number, (label, assessor) in enumerate(zip(labels, assessors, strict=True), 1)
    }
    Session.objects.bulk_create(sessions.values(), batch_size=_BATCH)
    Answer.objects.bulk_create(
        [
            Answer(
                session=sessions[label],
                question=_shorten(question),
                value=clean_text(value),
            )
            for label, given in reading.answers.items()
            if label in sessions
            for question, value in given.items()
            if question not in personal
        ],
        batch_size=_BATCH,
        ignore_conflicts=True,  # two questions that differ only after `MAX_NAME` characters, see `_cut_notes`
    )
    trials: dict[tuple[str, str, str], list[Grade | Verdict]] = {}
    for row in reading:
        trials.setdefault((row.assessor, row.item, _trial_of(study.method, row)), []).append(row)
    made = []
    counts: dict[str, int] = {}
    for (label, item, _trial), rows in trials.items():
        counts[label] = counts.get(label, 0) + 1
        spent = max((row.milliseconds or 0.0 for row in rows), default=0.0)
        made.append(
            Trial(
                session=sessions[label],
                item_id=stimuli[item, rows[0].systems[0]].item_id,
                position=counts[label],
                order=_order(study.method, rows, stimuli, mapping),
                comment=_comment_of(rows),
                started=now - timedelta(milliseconds=min(spent, 86_400_000.0)) if spent else None,
                finished=now,
            )
        )
    Trial.objects.bulk_create(made, batch_size=_BATCH)
    ratings, choices = [], []
    for trial, rows in zip(made, trials.values(), strict=True):
        for row in rows:
            if isinstance(row, Grade):
                stimulus = stimuli[row.item, row.system]
                ratings.append(Rating(trial=trial, stimulus=stimulus, score=row.score, sequence=1))
            else:
                chosen = stimuli[row.item, row.chosen] if row.chosen else None
                choices.append(Choice(trial=trial, chosen=chosen, sequence=1))
    Rating.objects.bulk_create(ratings, batch_size=_BATCH)
    Choice.objects.bulk_create(choices, batch_size=_BATCH)


def _trial_of(method: str, row: Grade | Verdict) -> str:
    """Identifies one of a listener's trials of an item."""
    if isinstance(row, Verdict):
        return str(row.line)  # a pair may occur several times
    if METHODS[method].hides_reference:
        return row.trial
    return "" if METHODS[method].side_by_side else row.system


def _order(
    method: str,
    rows: Sequence[Grade | Verdict],
    stimuli: Mapping[tuple[str, str], Stimulus],
    mapping: Mapping[str, str],
) -> list[Signal]:
    """The value of `Trial.order`: files do not contain the sides, so it is the table order."""
    first = rows[0]
    names = [name for row in (rows if isinstance(first, Grade) else rows[:1]) for name in row.systems]
    roles = METHODS[method].roles
    names = [*names, names[0]] if "X" in roles else sorted(names, key=lambda name: order(mapping[name]))
    entries: list[Signal] = [
        {"key": opaque_token(), "stimulus": stimuli[first.item, name].pk} for name in names
    ]
    if len(roles) == len(entries):  # a comparison grade has one system and no order
        for entry, role in zip(entries, roles, strict=True):
            entry["role"] = role
    return entries
