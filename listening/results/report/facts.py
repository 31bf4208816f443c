"""How a study was conducted: listeners, material, signal processing, codecs and software."""

from __future__ import annotations

import json
import platform
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.db.models import Count, Max, Min, Q
from django.utils.html import strip_tags

import codec
from codec.registry import SYSTEMS
from evaluation import systems as evaluation_systems
from evaluation.analysis.recordings import describe_source
from evaluation.analysis.words import count, plain
from evaluation.contexts import Context
from evaluation.models import Rendition, Score
from evaluation.refusals import translate_note
from listening.kinds import kinds_of
from listening.methods import METHODS, REFERENCE, AnyMethod
from listening.models import Choice, Rating, Session, Stage, Stimulus, Study
from listening.results.names import sort_systems, titles_of
from listening.study import languages
from listening.study.tasks import render_task

TRANSDUCERS = {
    "headphones": "headphones on or over the ears",
    "earphones": "earphones in the ears",
    "loudspeakers": "loudspeakers",
}
#: Packages whose version may affect a figure.
PACKAGES = (
    "numpy", "scipy", "pandas", "pesq", "pystoi", "pyloudnorm", "soundfile", "soxr", "torch",
    "django",
)  # fmt: skip


def listeners(study: Study, kind: str) -> Context:
    """Numbers of sessions begun, not begun, finished, left, rejected and deleted; dates; and equipment."""
    sessions = study.sessions.filter(kind__in=kinds_of(kind))
    began = sessions.filter(Session.GRADING)
    totals = sessions.aggregate(
        began=Count("pk", filter=Session.GRADING),
        not_begun=Count("pk", filter=~Session.GRADING & Q(screened_out=None)),
        finished=Count("pk", filter=Q(finished__isnull=False)),
        screened_out=Count("pk", filter=Q(screened_out__isnull=False)),
        abandoned=Count("pk", filter=Session.GRADING & Q(abandoned__isnull=False)),
        first=Min("instructed"),
    )
    answers: tuple[type[Rating | Choice], ...] = (Rating, Choice)
    times = [
        rows.objects.filter(trial__session__in=sessions).aggregate(last=Max("updated"))["last"]
        for rows in answers
    ]
    last = max((time for time in times if time), default=totals["first"])
    heard: Counter[str] = Counter()
    devices: Counter[str] = Counter()
    for stage in Stage.objects.filter(session__in=began, name="volume"):
        heard[TRANSDUCERS.get(stage.data.get("transducer", ""), "not said")] += 1
        if device := stage.data.get("device"):
            devices[device] += 1
    told = sum(heard.values())
    if told < totals["began"]:
        heard["not asked"] += totals["began"] - told
    deletions = list(study.deletions.all())
    return {
        **totals,
        "asked": told > 0,
        "first": None if study.imported else totals["first"],  # when a file was read says nothing
        "last": None if study.imported else last,
        "unfinished": totals["began"] - totals["finished"],
        "transducers": heard.most_common(),
        "devices": devices.most_common(20),
        "deletions": deletions,
    }


def instructions(study: Study) -> dict[str, str]:
    """The instructions that listeners read, without markup: the researcher's own and the method's."""
    with languages.use_study_language(study):
        task = render_task(study)
    apart = re.sub(r"</(?:p|li|h\d|dt|dd|div|tr|section|ul|ol)>", r"\g<0>\n", task)
    lines = [" ".join(line.split()) for line in strip_tags(apart).splitlines()]
    return {
        "own": study.texts.instructions,
        "task": "\n".join(line for line in lines if line),
        "consent": study.texts.consent,
    }


def items(study: Study) -> list[Context]:
    """All items with length, source and author."""
    rows = []
    for item in study.items.select_related("clip").order_by("position"):
        clip = item.clip
        rows.append(
            {
                "position": item.position,
                "title": item.title,
                "training": item.training,
                "start": item.start if item.end > item.start else None,
                "end": item.end if item.end > item.start else None,
                "seconds": item.end - item.start if item.end > item.start else None,
                "long": item.end - item.start > 12,
                "credit": clip.credit if clip else "",
                "file": clip.original_name if clip else "",
                "sha256": clip.sha256[:16] if clip else "",
                "source": describe_source(clip.source_format, clip.source_rate, clip.source_channels)
                if clip
                else "",
                "notes": list(map(translate_note, clip.notes)) if clip else [],
            }
        )
    return rows


def repeats_training_item(study: Study) -> bool:
    """Whether a training recording is also graded in the test."""
    clips = study.items.filter(training=True).exclude(clip=None).values("clip")
    return study.items.filter(training=False, clip__in=clips).exists()


def stimuli(study: Study) -> Context:
    """Gains of the loudness matching and remaining delays, per system, over the graded and training items."""
    gains: dict[str, list[float]] = {}
    delays: dict[str, list[float]] = {}
    rows = Stimulus.objects.filter(item__study=study).values_list("system", "gain_db", "delay_ms")
    for system, gain, delay in rows:
        if gain is not None:
            gains.setdefault(system, []).append(gain)
        if delay is not None:
            delays.setdefault(system, []).append(delay)
    slugs = sort_systems({*gains, *delays})
    titles = _titles(study, slugs)
    return {
        "rate": study.sample_rate,
        "channels": study.channels,
        "rows": [
            {
                "title": titles[slug],
                "n": len(gains.get(slug, [])),
                "least": min(gains.get(slug, []), default=None),
                "most": max(gains.get(slug, []), default=None),
                "late": max((abs(delay) for delay in delays.get(slug, [])), default=None),
            }
            for slug in slugs
        ],
    }


def codecs(study: Study, slugs: Iterable[str]) -> list[Context]:
    """How each system's renditions were made: exact commands, settings and versions, as stored with them."""
    wanted = list(slugs)
    renditions = Rendition.objects.filter(stimuli__item__study=study, system__in=wanted).distinct()
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in renditions.order_by("system", "pk").only("system", "parameters"):
        found.setdefault(row.system, []).append(row.parameters.to_json())
    titles, described = _titles(study, wanted), evaluation_systems.describe_all(wanted)
    method = METHODS.get(study.method)
    original = "hidden reference" if _hides_original(method) else "reference"
    rows: list[Context] = []
    for slug in wanted:
        always = slug in (method.always if method else ())
        rows.append(
            {
                "slug": slug,
                "title": titles[slug],
                "role": original if slug == REFERENCE else "anchor" if always else "under test",
                "note": described[slug].note,
                "kind": described[slug].kind,
                "target": SYSTEMS[slug].target if slug in SYSTEMS and not study.imported else "",
                "n": len(found.get(slug, [])),
                "parameters": _merge_parameters(found.get(slug, [])),
            }
        )
    if study.imported:
        unknown = {"kind": "", "note": "As the file calls it; how it was made is not known here."}
        return [{**each, **unknown} for each in rows]
    return rows


def _hides_original(method: AnyMethod | None) -> bool:
    """Whether listeners grade the original without being told which signal it is."""
    if method is None or method.side_by_side or method.hides_reference:
        return True
    return method.takes_grades and not method.compares and not method.open_reference


def _titles(study: Study, slugs: list[str]) -> dict[str, str]:
    """Titles of systems; the original is the hidden reference only where the method hides it."""
    if _hides_original(METHODS.get(study.method)):
        return titles_of(slugs)
    return evaluation_systems.titles_of(slugs)


def _with_minus(value: Any) -> Any:
    """A parameter whose level has a minus: anchors of before were stored with a hyphen."""
    return re.sub(r"(?<!\S)-(?=\d+ dB)", "−", value) if isinstance(value, str) else value


def _merge_parameters(rows: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Merge the parameters of a system's renditions; differing values become a range or a list."""
    rows = [{name: _with_minus(value) for name, value in row.items()} for row in rows]
    merged = []
    for name in sorted({name for row in rows for name in row}):
        values = [row[name] for row in rows if name in row]
        distinct = sorted({json.dumps(value, sort_keys=True, default=str) for value in values})
        if len(distinct) == 1:
            text = values[0] if isinstance(values[0], str) else distinct[0]
        elif all(isinstance(value, int | float) for value in values):
            text = f"{plain(min(values))} to {plain(max(values))}, by item"
        else:
            text = "differs by item: " + "; ".join(distinct[:4]) + (" …" if len(distinct) > 4 else "")
        merged.append((name, text))
    return merged


def software(study: Study) -> list[tuple[str, str]]:
    """Names and versions of all software that was used."""
    found = [("Earshot", codec.__version__), ("Python", platform.python_version())]
    for name in PACKAGES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    renditions = Stimulus.objects.filter(item__study=study).values("rendition")
    metrics = (
        Score.objects.filter(rendition__in=renditions)
        .exclude(version="")
        .values_list("metric", "version")
        .order_by("metric", "version")
        .distinct()
    )
    return [*found, *((f"metric {metric}", text) for metric, text in metrics)]


def design(study: Study) -> list[str]:
    """How items and systems were divided and ordered, in sentences."""
    from listening.study.design import plan_of, systems_per_trial

    if study.imported:
        return ["The test was held with another tool; how it was designed is not known here."]
    plan = plan_of(study)
    graded = study.items.filter(training=False).count()
    method = METHODS.get(study.method)
    said = [
        f"Every order follows from the study's seed {study.seed}: {_orders(method, plan.blocks)} Orders are "
        "stored with the sessions. Neither listener nor page knows which signal is which.",
    ]
    if plan.blocks == 1:
        chooses = method is not None and not method.takes_grades
        every = "every pair of systems in every item" if chooses else "every item through every system"
        said.append(f"Each listener is given {every}.")
    else:
        share = len(plan.items[0])
        heard = f"{systems_per_trial(study)} of {len(study.systems)} systems under test"
        where = (
            f"{heard} in each trial, hidden reference and anchors in all"
            if method and method.side_by_side
            else f"{heard} with each item"
        )
        said.append(
            f"Items and systems are shared out over {plan.blocks} balanced blocks: {share} of {graded} "
            f"items for each listener, {where}. Listeners go to the least-filled block, "
            "and the place of a drop-out is given away."
        )
    if study.max_sessions:
        said.append(f"The study takes {count(study.max_sessions, 'listener')} at most.")
    if study.break_after:
        every = "trial" if study.break_after == 1 else f"{study.break_after} trials"
        said.append(f"A break is offered after every {every}.")
    return said


def _orders(method: AnyMethod | None, blocks: int) -> str:
    """How the trials of a session and the signals of a trial are ordered, as `session.orders` does it."""
    sessions = "sessions" if blocks == 1 else "sessions of a block"
    latin = (
        f"come in the orders of Williams' Latin squares, so that over consecutive {sessions} each comes at "
        "each place, and next after each other one, equally often."
    )
    if method is None or method.side_by_side:
        return f"the items of a session and the signals of a trial {latin}"
    places = f" {method.places}" if method.places else ""
    if method.stays_with_item:
        return f"the items of a session {latin}{places}"
    return f"the trials of a session are mixed, so that an item seldom follows itself.{places}"


def recruitment(study: Study) -> str:
    from listening.study.recruitment import PLATFORMS

    name = PLATFORMS.get(study.recruitment.platform, "")
    return f"through {name}" if name else "by a link; how it was given out is the researcher's to say"


def languages_chosen(study: Study, kind: str) -> str:
    """How many finished sessions chose each language, where the study offered a choice; otherwise empty."""
    if not study.other_languages:
        return ""
    rows = study.sessions.filter(kind=kind, finished__isnull=False).values_list("language", flat=True)
    counts = Counter(code or study.language for code in rows.order_by())
    return ", ".join(f"{each.english} {counts[each.code]}" for each in languages.languages_offered(study))
