"""``events.csv``: events in the listeners' pages, which can explain odd grades (M30)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from listening.interchange.exports.tables import Row
from listening.kinds import kinds_of
from listening.models import Event, Stimulus, Study

EVENTS_COLUMNS = [
    "study", "session", "kind", "assessor", "trial", "item", "training",
    "sequence", "milliseconds", "event", "system", "presented", "detail",
]  # fmt: skip


def events_rows(study: Study, kind: str = "real") -> Iterator[Row]:
    """The header and one row per event, in order.

    ``milliseconds`` count from the opening of the trial's page. ``system`` and ``presented`` name the signal
    of the event, with "reference" for the open reference; ``detail`` is the JSON that the page sent.
    """
    systems = dict(Stimulus.objects.filter(item__study=study).values_list("pk", "system"))
    events = (
        Event.objects.filter(trial__session__study=study, trial__session__kind__in=kinds_of(kind))
        .select_related("trial__session__assessor", "trial__item")
        .order_by("trial__session__number", "trial__position", "sequence")
    )
    yield EVENTS_COLUMNS
    for row in events.iterator(chunk_size=2000):
        trial, session = row.trial, row.trial.session
        system, presented = "", None
        sound = row.detail.get("sound")
        if sound == "reference":
            system = "reference"
        for place, entry in enumerate(trial.order, start=1):
            if sound == entry["key"]:
                system, presented = systems.get(entry["stimulus"], ""), place
        yield [
            study.pk, session.pk, session.kind, session.assessor.code, trial.position, trial.item.position,
            int(trial.item.training), row.sequence, row.milliseconds, row.kind, system, presented,
            json.dumps(row.detail, sort_keys=True),
        ]  # fmt: skip
