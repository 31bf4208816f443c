"""A table of objective scores that comes with results: one stimulus per row, one metric per column.

POLQA is licensed and computed elsewhere; its scores, and those of older tests, are imported this way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from django.utils.translation import gettext_lazy as _

from listening.interchange.imports.reading import ImportProblem, Reading, list_names
from listening.interchange.imports.table import as_name, decode, read_table

_ITEM = ("item", "signal", "stim", "trial", "trial_id", "sample", "excerpt", "clip", "stimulus")
_SYSTEM = ("system", "condition", "cond", "codec", "method", "model")
#: Columns with listeners' grades rather than objective scores.
_SUBJECTIVE = ("mushra", "mos", "score", "rating", "grade", "mean", "n", "ci95", "sd", "std", "median")
_MAX_METRICS = 12


@dataclass
class Scores:
    """Scores by item, system and metric, with the file's names; `metrics` are its columns."""

    metrics: list[str]
    values: dict[tuple[str, str], dict[str, float]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def metric_slug(name: str, file: str = "") -> str:
    """A column's metric: ``PESQ-WB`` is ``pesq_wb``; for a bare ``pesq``, the file name gives the band."""
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:32]
    if slug == "pesq":
        for band in ("wb", "nb"):
            if re.search(rf"pesq[^a-z0-9]*{band}", file.lower()):
                return f"pesq_{band}"
    return slug


def read_scores(content: bytes, reading: Reading, file: str = "") -> Scores:
    """Read a table of scores and join it to a reading by its names of items and systems.

    Raises:
        ImportProblem: a column for items, systems or scores is missing, or a row matches no stimulus.
    """
    text, notes = decode(content)
    table = read_table(text)
    lowered = {heading.lower(): heading for heading in reversed(table.headings)}
    item = next((lowered[name] for name in _ITEM if name in lowered), "")
    system = next((lowered[name] for name in _SYSTEM if name in lowered), "")
    if not item or not system:
        raise ImportProblem(
            _(
                "A table of scores needs a column for items (%(item)s, …) and one for systems "
                "(%(system)s, …). This one has %(headings)s."
            ),
            1,
            item=", ".join(_ITEM[:4]),
            system=", ".join(_SYSTEM[:4]),
            headings=list_names(table.headings),
        )
    rest = [name for name in table.headings if name and name not in (item, system)]
    metrics = {name: metric_slug(name, file) for name in rest if name.lower() not in _SUBJECTIVE}
    if not metrics:
        raise ImportProblem(_("No column has the scores of a metric."), 1)
    if len(metrics) > _MAX_METRICS:
        raise ImportProblem(
            _("%(count)s columns of scores; %(max_metrics)s at most."),
            1,
            count=len(metrics),
            max_metrics=_MAX_METRICS,
        )
    if len(set(metrics.values())) < len(metrics) or not all(metrics.values()):
        raise ImportProblem(_("Two columns of scores have the same name, or one has none."), 1)
    found = Scores(list(metrics.values()), notes=notes + table.notes)
    if left := [name for name in rest if name not in metrics]:
        found.notes.append(f"Not an instrument's, and left out: {', '.join(left)}.")
    items, systems = set(reading.items), set(reading.systems)
    # Spreadsheets write 1 as 1.0 in one table, and not in the other.
    used = {as_name(name): name for name in reading.items} | reading.aliases
    spelled = {as_name(name): name for name in reading.systems}
    for row in table.rows:
        name, slug = row.text(item), row.text(system)
        name = name if name in items else used.get(as_name(name), used.get(name, name))
        slug = slug if slug in systems else spelled.get(as_name(slug), slug)
        if name not in items:
            raise row.problem(_("No item of the results is called %(name)r."), item, name=name[:60])
        if slug not in systems:
            raise row.problem(_("No system of the results is called %(slug)r."), system, slug=slug[:60])
        if (name, slug) in found.values:
            raise row.problem(_("%(slug)s of %(name)s occurs twice."), system, slug=slug, name=name)
        values = {metric: row.number(column) for column, metric in metrics.items()}
        found.values[name, slug] = {metric: value for metric, value in values.items() if value is not None}
    if not found.values:
        raise ImportProblem(_("The table of scores has only a header."))
    for column, metric in metrics.items():
        if column != metric:
            found.notes.append(f"The column {column} is taken as {metric}.")
    return found
