"""The context of the report's template."""

from __future__ import annotations

import re
from datetime import date
from typing import cast

from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

from evaluation.analysis import figures
from evaluation.analysis.words import count
from evaluation.contexts import Context
from listening.kinds import kinds_of
from listening.methods import METHODS
from listening.models import Analysis, Session, Study
from listening.results import drawing, latex, methods, profiles
from listening.results.frames import LOUD
from listening.results.outcome import Results
from listening.results.page import context_of as page_context
from listening.results.report import facts
from listening.results.summary import compute
from listening.study import compliance, languages

_SAME_FIGURES = ("grades", "listener_lines", "residuals", "differences", "power")


def context_of(
    study: Study, kind: str, profile: str, analysis: Analysis | None, *, made: date, files: bool = False
) -> Context:
    """The report's context.

    Args:
        made: date of the report.
        files: whether figures are standalone, with their colours written out, for the PDF.
    """
    results = compute(study, kind=kind, profile=profile)
    context = page_context(results, analysis)
    slugs = [row.slug for row in results.systems]
    method = METHODS.get(study.method)
    rules = compliance.checklist(study)
    material, made_by = facts.items(study), facts.codecs(study, slugs)
    people = facts.listeners(study, kind)

    def picture(svg: str | None) -> SafeString:
        if svg is None:
            return SafeString("")
        return mark_safe(figures.standalone_svg(svg).split("?>", 1)[1] if files else svg)  # noqa: S308 -- escaped there

    context |= {
        "study": study,
        "report": True,
        "tested": any(not row["problem"] for row in cast("list[Context]", context["pairs"])),
        "rated": any(row.objective.kbps is not None for row in results.systems),
        "loud": LOUD.get(kind, ""),
        "kind": kind,
        "made": made,
        "files": files,
        "method": method,
        "method_title": compliance.method_title(study),
        "given": "answer" if method and not method.takes_grades else "grade",
        "profile": results.screening.profile,
        "rules": profiles.rules_of(results.screening.profile),
        "items_figure": picture(str(context["items"]) or None),
        # As the page of results has them; those below are without links to sounds.
        **{name: picture(str(context[name]) or None) for name in _SAME_FIGURES},
        "rates": picture(drawing.rates(results)) if results.listeners else "",
        "scatters": [
            {
                **scatter,
                "systems": picture(drawing.systems(results, row.metric.slug)),
                "stimuli": picture(drawing.stimuli(results, row.metric.slug)),
            }
            for row, scatter in zip(
                results.agreements, cast("list[Context]", context["scatters"]), strict=False
            )
        ],
        "people": people,
        "nobody": not (people["began"] or study.imported or kind == Session.Kind.SIMULATED),
        "instructions": facts.instructions(study),
        "material": material,
        "trained": any(row["training"] for row in material),
        "trained_again": facts.repeats_training_item(study),
        "stimuli": facts.stimuli(study),
        "codecs": made_by,
        "uploaded": [row["title"] for row in made_by if row["kind"] == "uploaded"],
        "software": facts.software(study),
        "design": facts.design(study),
        "recruitment": facts.recruitment(study),
        "language": languages.LANGUAGES.get(study.language),
        "languages_chosen": facts.languages_chosen(study, kind),
        "checklist": rules,
        "checklist_summary": compliance.summary(rules),
        "cite": cite(results),
        "table3": latex.table3(results) if results.listeners else "",
        "analysis": analysis,
        "address": settings.SITE_URL,
    }
    if not methods.has_page(study):
        context |= _other_method(study, kind, analysis, files)
    return context


_NOT_CITED = "Nothing: these grades are simulated. The sentence stands here for grades that listeners gave."
_NOTHING_YET = "Nothing yet: no grade counts."
_COMPARED = (
    "Systems are compared by mixed models of matched differences with Satterthwaite's degrees of freedom and "
    "Holm's correction over all pairs of systems under test."
)


#: The same of choices, by whether answers can be right.
_SHARED = {
    True: "Right answers are tested against guessing by exact binomial tests with Holm's correction over all "
    "pairs; intervals of shares are over listeners, by a beta-binomial model.",
    False: "Shares of votes are estimated by mixed models with Satterthwaite's degrees of freedom, and "
    "tested with Holm's correction over all pairs.",
}


def _other_method(study: Study, kind: str, analysis: Analysis | None, files: bool) -> Context:
    """The results of another method, in place of MUSHRA's sections."""
    shown = methods.context_of(study, kind, analysis.data if analysis else None)
    for name in ("figure", "differences", "listener_lines", "residuals", "power") if files else ():
        if shown.get(name):
            shown[name] = mark_safe(figures.standalone_svg(str(shown[name])).split("?>", 1)[1])  # noqa: S308
    method = METHODS.get(study.method)
    title = _title(study)
    number = study.sessions.filter(kind__in=kinds_of(kind), finished__isnull=False).count()
    if kind == Session.Kind.SIMULATED:
        cited = _NOT_CITED
    elif not shown.get("listeners"):
        cited = _NOTHING_YET
    elif study.imported:
        cited = (
            f"We analysed {'grades' if method and method.takes_grades else 'answers'} of "
            f"{count(number, 'listener')} from {_add_article(title)} that was held "
            "elsewhere, with Earshot."
        )
    else:
        cited = f"We held {_add_article(title)} with Earshot; {count(number, 'listener')} finished it."
    if shown.get("pairs") and method is not None:
        cited += f" {_COMPARED if method.takes_grades else _SHARED[method.has_right_answers]}"
    return {**shown, "view": methods.view_of(study), "cite": cited, "table3": "", "checklist": []}


def _title(study: Study) -> str:
    """What was held and after what: “MUSHRA test (ITU-R BS.1534-3)”, “... test (Bradley and Terry, 1952)”."""
    method = METHODS.get(study.method)
    if method is None:
        return "listening test"
    source = re.sub(r" \((\d{4})\)$", r", \1", method.source)
    return f"{compliance.method_title(study)} test ({source})"


def _add_article(title: str) -> str:
    words = title[0].lower() + title[1:] if title[1].islower() else title
    return f"{'an' if words[0] in 'AEIOaeio' else 'a'} {words}"


def cite(results: Results) -> str:
    """A sentence on the test for a paper's method section; empty for simulated grades."""
    study = results.study
    if results.kind == Session.Kind.SIMULATED:
        return _NOT_CITED
    if not results.listeners:
        return _NOTHING_YET
    title = _title(study)
    screened = (
        f" after screening by {results.screening.profile.title}, which left out "
        f"{count(len(results.excluded), 'listener')}"
        if results.excluded
        else ""
    )
    what = (
        f"analysed the grades of {_add_article(title)} that was held elsewhere, with Earshot"
        if study.imported
        else f"held {_add_article(title)} with Earshot"
    )
    tested = count(len(results.ranked_systems), "system")
    gaps = "" if results.is_complete else ", not each of whom graded every item with every system"
    interval = " with Student's t intervals of 95 % over listeners" if results.listeners > 1 else ""
    compared = f" {_COMPARED}" if len(results.ranked_systems) > 1 and results.listeners > 1 else ""
    return (
        f"We {what}, of {count(results.items, 'item')} and {tested} under test, graded by "
        f"{count(results.listeners, 'listener')}{gaps}{screened}. "
        f"We report means of listener means{interval}.{compared}"
    )
