"""A demo page as its template shows it: on the site, in a frame, in the preview and in the export."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from django.db.models import Prefetch, QuerySet
from django.http import Http404
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from evaluation.access import Role, find, role_of, rows_for
from evaluation.analysis import figures
from evaluation.analysis.words import figure, percent
from evaluation.contexts import Context
from evaluation.models import Job
from listening.columns.demos import (
    DemoContent,
    DemoFacts,
    ShownGrade,
    ShownGrades,
    ShownMeasure,
    ShownRecording,
    ShownSound,
)
from listening.demos.facts import RATE
from listening.demos.markdown import render_markdown
from listening.models import Demo, DemoVersion
from listening.results.choosing import key_of_answers, key_of_votes

#: The address of a sound by the recording's position and the system.
AddressOf = Callable[[int, str], str]

_LINKS = (("paper", "Paper"), ("code", "Code"), ("bitstreams", "Bitstreams"))


def level_note() -> str:
    """What a published page says about its levels."""
    return gettext(
        "Every sound has been matched in loudness (ITU-R BS.1770) to the original of its recording."
    )


def page_context(content: DemoContent, facts: DemoFacts, address_of: AddressOf) -> Context:
    """The context of ``listening/demos/_page.html``."""
    affiliations = list(dict.fromkeys(a.affiliation for a in content.authors if a.affiliation))
    sections = [
        {"heading": section.heading, "html": render_markdown(section.text), "above": section.above}
        for section in content.sections
        if section.heading or section.text
    ]
    rows = [_row(number, recording, facts, address_of) for number, recording in enumerate(facts.recordings)]
    return {
        "content": content,
        "authors": [
            {
                "name": author.name,
                "place": affiliations.index(author.affiliation) + 1 if author.affiliation else None,
            }
            for author in content.authors
        ],
        "affiliations": affiliations,
        "abstract": render_markdown(content.abstract),
        "links": [(label, getattr(content, name)) for name, label in _LINKS if getattr(content, name)],
        "above": [section for section in sections if section["above"]],
        "below": [section for section in sections if not section["above"]],
        "systems": facts.systems,
        "rows": rows,
        "measures": _shown(facts),
        "names_rates": _names_rates(facts),
        "grades": facts.grades,
        "grades_svg": _grades_svg(facts.grades) if facts.grades else "",
        "grade_rows": _grade_rows(facts.grades) if facts.grades else [],
        "dates": _dates(facts.grades) if facts.grades else "",
        "data": {
            "blind": content.blind,
            "recordings": [_script_data(row, facts) for row in rows],
        },
    }


def _row(number: int, recording: ShownRecording, facts: DemoFacts, address_of: AddressOf) -> Context:
    sounds = {sound.system: sound for sound in recording.sounds}
    return {
        "number": number,
        "recording": recording,
        "cells": [
            {
                "system": system,
                "sound": sounds.get(system.slug),
                "address": address_of(number, system.slug) if system.slug in sounds else "",
                "figures": _figures(sounds.get(system.slug), facts),
            }
            for system in facts.systems
        ],
    }


def _figures(sound: ShownSound | None, facts: DemoFacts) -> list[tuple[str, str]]:
    """The figures of a cell: name and value with its unit."""
    if sound is None:
        return []
    found = []
    for measure in facts.measures:
        value = _value(sound, measure)
        if value is None:
            continue
        text = f"{value:.{measure.decimals}f}"
        found.append(("", f"{text} kbit/s") if measure.slug == RATE else (measure.title, text))
    return found


def _value(sound: ShownSound, measure: ShownMeasure) -> float | None:
    """What a measure says of a sound; what it says of the original itself is not shown."""
    if measure.slug == RATE:
        return sound.kbps
    return None if sound.system == "original" else sound.scores.get(measure.slug)


def _shown(facts: DemoFacts) -> list[ShownMeasure]:
    """The measures of which the page has a figure: others are not explained."""
    sounds = [sound for recording in facts.recordings for sound in recording.sounds]
    return [
        measure for measure in facts.measures if any(_value(sound, measure) is not None for sound in sounds)
    ]


def _names_rates(facts: DemoFacts) -> bool:
    """Whether a measured rate differs visibly from the nominal rate of its system."""
    nominal = {system.slug: system.nominal for system in facts.systems}
    return any(
        sound.kbps is not None and (named := nominal.get(sound.system)) and abs(sound.kbps - named) > 0.05
        for recording in facts.recordings
        for sound in recording.sounds
    )


def _script_data(row: Context, facts: DemoFacts) -> Context:
    recording: Any = row["recording"]
    cells: Any = row["cells"]
    return {
        "title": recording.title,
        "rate": recording.rate,
        "channels": recording.channels,
        "seconds": recording.seconds,
        "systems": [
            {
                "slug": cell["system"].slug,
                "title": cell["system"].title,
                "colour": cell["system"].colour,
                "audio_url": cell["address"],
            }
            for cell in cells
            if cell["address"]
        ],
    }


def _scale(grades: ShownGrades) -> figures.Scale:
    mushra = figures.MUSHRA
    words = tuple((each.at, each.word) for each in grades.words)
    if grades.ticks:
        return figures.Scale(grades.measure, grades.low, grades.high, tuple(grades.ticks), words)
    # Pages that were published before scales were stored.
    if (grades.low, grades.high) == (mushra.low, mushra.high):
        return mushra
    span = grades.high - grades.low
    ticks = tuple(grades.low + span * part / 4 for part in range(5))
    return figures.Scale(grades.measure, grades.low, grades.high, ticks)


def _grades_svg(grades: ShownGrades) -> SafeString:
    if grades.kind == "grades":
        rows = [
            figures.MeanRow(row.title, (row.colour, row.marker), row.mean, row.half_width)
            for row in grades.rows
        ]
        known = any(row.half_width is not None for row in grades.rows)
        title = f"{grades.study}: mean grade per system{' with 95 % interval' if known else ''}"
        svg = figures.means(rows, title, _scale(grades))
    else:
        shares = [
            figures.ShareRow(row.left, row.right, row.share, row.low, row.high, (), row.counts)
            for row in grades.shares
        ]
        if grades.kind == "votes":
            key = key_of_votes(bars=any(row.low is not None for row in grades.shares))
        else:
            key = key_of_answers(grades.listeners)
        svg = figures.shares(shares, f"{grades.study}: {grades.measure}", grades.measure, key)
    return mark_safe(svg)  # noqa: S308 -- the figure escapes every text


def _grade_rows(grades: ShownGrades) -> list[Context]:
    """The table of the grades: numbers as texts, intervals within the scale."""
    if grades.kind != "grades":
        return [
            {
                "title": f"{row.right} against {row.left}" if row.right else row.left,
                "value": percent(row.share),
                "interval": f"{percent(row.low)} to {percent(row.high)}" if row.low is not None else "–",
                "n": row.counts,
            }
            for row in grades.shares
        ]
    scale = _scale(grades)

    def ends(row: ShownGrade) -> str:
        if row.half_width is None:
            return "–"
        low, high = (scale.clip(row.mean + sign * row.half_width) for sign in (-1, 1))
        return f"{figure(low, grades.decimals)} to {figure(high, grades.decimals)}"

    return [
        {
            "title": row.title,
            "value": figure(row.mean, grades.decimals),
            "interval": ends(row),
            "n": row.n,
            "listeners": row.listeners,
        }
        for row in grades.rows
    ]


def _dates(grades: ShownGrades) -> str:
    """When people listened, in words: “3 Nov 2026” or “3 Nov to 9 Nov 2026”."""
    if not grades.first:
        return ""
    first, last = date.fromisoformat(grades.first), date.fromisoformat(grades.last)
    until = f"{last.day} {last:%b %Y}"
    if first == last:
        return until
    start = f"{first.day} {first:%b}" if first.year == last.year else f"{first.day} {first:%b %Y}"
    return f"{start} to {until}"


# -- Who sees which page


def demos_of(user: Any) -> QuerySet[Demo]:
    """The user's pages, the last changed first, with their versions."""
    return rows_for(user, Demo).prefetch_related("versions")


def demo_of(user: Any, demo_id: Any) -> Demo:
    """The user's page with this id. Raises `Http404` for any other."""
    return find(user, Demo.objects.prefetch_related("versions"), Role.OWNER, pk=demo_id)


def published_version(demo: Demo) -> DemoVersion | None:
    """The version that visitors see."""
    done = [version for version in demo.versions.all() if version.status == Job.Status.DONE]
    return max(done, key=lambda version: version.number, default=None)


def version_for(user: Any, token: str, number: int | None = None) -> DemoVersion:
    """A published version, the latest by default. Raises `Http404`, also for what is private to another."""
    versions = DemoVersion.objects.filter(demo__token=token, status=Job.Status.DONE).select_related("demo")
    if number is not None:
        versions = versions.filter(number=number)
    version = versions.order_by("-number").first()
    if version is None:
        raise Http404("There is no such demo page.")
    demo = version.demo
    if demo.visibility == Demo.Visibility.PRIVATE and not role_of(user, demo):
        raise Http404("There is no such demo page.")
    return version


def gallery() -> list[Demo]:
    """Public pages that are published, the latest first, each with its `version`."""
    done = DemoVersion.objects.filter(status=Job.Status.DONE).order_by("-number")
    demos = Demo.objects.filter(visibility=Demo.Visibility.PUBLIC, versions__status=Job.Status.DONE)
    found = demos.distinct().prefetch_related(Prefetch("versions", done, to_attr="finished"))
    shown = list(found)
    for demo in shown:
        demo.version = demo.finished[0]  # type: ignore[attr-defined]
    return sorted(shown, key=lambda demo: demo.version.finished, reverse=True)  # type: ignore[attr-defined]
