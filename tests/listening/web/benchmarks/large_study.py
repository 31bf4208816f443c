"""Processor time of every download, page and API answer about one large study.

Run it from the repository: ``python -m tests.listening.web.benchmarks.large_study``. It fills an SQLite
database of its own with a MUSHRA study of 40 items and 10 systems that 1000 listeners finished
(``--sessions``, ``--items``), with `EVENTS` events a trial, and an ABX study of as many sessions and items.
It asks for each address once, after one that warms the process up, makes each file that it was only promised,
as a worker does, and prints a table in Markdown. Rows have no sound files.
``--database FOLDER`` keeps the database there for the next run.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.listening.web.benchmarks.own_database import own_database

#: Systems under test, with the hidden reference and an anchor.
THROUGH = (
    "original", "anchor35", "anchor70", "opus-9k", "opus-6k", "bpgan-2k", "celp-8k", "codec2-2.4k",
    "amrwb-6.6k", "unified-gan-2k",
)  # fmt: skip
#: What a listener's page reports of a trial.
EVENTS = 20
MUSHRA, ABX = "large-mushra", "large-abx"
PAGES = (
    "", "progress/", "setup/check/", "results/", "report/", "people/", "history/", "stimuli/", "metrics/",
)  # fmt: skip
FINDINGS = (
    "grades.svg", "listeners.svg", "items.svg", "rates.svg", "residuals.svg", "pesq_wb.svg", "table3.tex",
    "grades.tex",
)  # fmt: skip


def fill(sessions: int, items: int) -> None:
    """Make the two studies."""
    from django.contrib.auth.models import User
    from django.db import transaction

    from listening.models import Study

    with transaction.atomic():
        owner = User.objects.create_user("alice")
        for method, token in (("mushra", MUSHRA), ("abx", ABX)):
            study = Study.objects.create(
                owner=owner, name=token, method=method, token=token, seed=1, status=Study.Status.CLOSED,
                systems=[slug for slug in THROUGH if slug != "original"][: 9 if method == "mushra" else 1],
            )  # fmt: skip
            _make_items(study, items)
            for first in range(0, sessions, 50):
                _make_sessions(study, first, min(50, sessions - first))


def _make_items(study: Any, count: int) -> None:
    from evaluation.models import Clip, Job, Rendition, Score
    from listening.models import Item, Preparation, Stimulus

    Preparation.objects.create(study=study, status=Job.Status.DONE)
    for place in range(count):
        clip = Clip.objects.create(
            owner=study.owner, sha256=f"{study.method}{place}".rjust(64, "0"), title=f"Sentence {place}",
            original_name=f"{place}.wav", seconds=5, source_rate=48_000, source_channels=1,
            source_format="WAV, PCM_16", upload="uploads/none.wav", audio="clips/none.wav",
        )  # fmt: skip
        item = Item.objects.create(study=study, clip=clip, position=place + 1, end=5.0)
        for system in THROUGH if study.method == "mushra" else THROUGH[:2]:
            rendition = Rendition.objects.create(
                clip=clip, system=system, status=Rendition.Status.DONE, kbps=9.0
            )
            for metric in ("pesq_nb", "pesq_wb", "stoi"):
                Score.objects.create(rendition=rendition, metric=metric, status=Score.Status.DONE, value=0.9)
            Stimulus.objects.create(
                item=item, system=system, audio="stimuli/none.wav", gain_db=0.0, rendition=rendition
            )


def _make_sessions(study: Any, first: int, count: int) -> None:
    from django.utils import timezone

    from listening.models import Assessor, Choice, Event, Rating, Session, Trial

    now = timezone.now()
    assessors = Assessor.objects.bulk_create(
        [Assessor(code=f"{study.method}{number}") for number in range(first, first + count)]
    )
    sessions = Session.objects.bulk_create(
        [
            Session(
                study=study, assessor=assessor, number=number, seed=number, instructed=now, finished=now,
                completion_code=f"CODE-{number}",
            )
            for number, assessor in enumerate(assessors, start=first + 1)
        ]
    )  # fmt: skip
    items = [(item, list(item.stimuli.order_by("pk"))) for item in study.items.order_by("position")]
    roles = ("A", "B", "X")
    trials = Trial.objects.bulk_create(
        [
            Trial(
                session=session, item=item, position=item.position, started=now, finished=now,
                order=[{"key": f"k{each.pk}", "stimulus": each.pk} for each in stimuli]
                if study.method == "mushra"
                else [
                    {"key": f"k{role}", "stimulus": stimuli[place % 2].pk, "role": role}
                    for place, role in enumerate(roles)
                ],
            )
            for session in sessions
            for item, stimuli in items
        ],
        batch_size=300,
    )  # fmt: skip
    if study.method == "mushra":
        Rating.objects.bulk_create(
            [
                Rating(
                    trial=trial, stimulus_id=entry["stimulus"], sequence=1, writer="w",
                    score=100 if place == 0 else (trial.pk * 7 + 13 * place) % 60 + 4 * place,
                )
                for trial in trials
                for place, entry in enumerate(trial.order)
            ],
            batch_size=500,
        )  # fmt: skip
    else:
        Choice.objects.bulk_create(
            [
                Choice(
                    trial=trial, chosen_id=trial.order[trial.pk % 3 % 2]["stimulus"], sequence=1, writer="w"
                )
                for trial in trials
            ],
            batch_size=500,
        )
    Event.objects.bulk_create(
        [
            Event(
                trial=trial, sequence=place, milliseconds=700 * place, kind="switch",
                detail={"sound": trial.order[place % len(trial.order)]["key"], "at": 1.5},
            )
            for trial in trials
            for place in range(EVENTS)
        ],
        batch_size=500,
    )  # fmt: skip


def addresses() -> list[tuple[str, str]]:
    """Name and path of all that is asked for."""
    from listening.interchange import exports
    from listening.models import Study

    found: list[tuple[str, str]] = []
    for study in Study.objects.order_by("pk").filter(token__in=(MUSHRA, ABX)).order_by("-token"):
        base, api = f"/studies/{study.pk}/", f"/api/studies/{study.pk}/"
        names = [*(table.name for table in exports.tables_of(study)), "study.json"]
        found += [(f"{study.method}: {name}", f"{base}export/{name}") for name in names]
        found += [(f"{study.method}: page {page or 'study/'}", base + page) for page in PAGES]
        found += [(f"{study.method}: API {name or 'study'}", api + name) for name in ("", "sessions")]
        if study.method == "mushra":
            found += [(f"{study.method}: API {name}", api + name) for name in ("results", "tests")]
            found += [(f"{study.method}: {name}", f"{base}results/{name}") for name in FINDINGS]
        else:
            found += [(f"{study.method}: method.svg", f"{base}results/method.svg")]
    return [(name, path.rstrip("/") if path.startswith("/api/") else path) for name, path in found]


def measure(only: str = "") -> None:
    """Print the table."""
    from django.contrib.auth.models import User
    from django.test import Client

    from listening.delivery.files import KINDS
    from listening.models import MadeFile
    from listening.web.accounts import make_api_token

    owner = User.objects.get(username="alice")
    client = Client(raise_request_exception=False)
    client.force_login(owner)
    script = {"Authorization": f"Bearer {make_api_token(owner)}"}
    client.get("/home/")
    print("| what | answer | kB | processor time |")  # noqa: T201
    print("|---|---|---|---|")  # noqa: T201
    for name, path in addresses():
        if only not in name:
            continue
        before = time.process_time()
        response = client.get(path, headers=script if path.startswith("/api/") else {})
        content = response.getvalue()
        spent = time.process_time() - before
        print(  # noqa: T201
            f"| {name} | {response.status_code} | {len(content) / 1000:.0f} | {spent:.2f} s |", flush=True
        )
        if response.status_code == 302:
            before = time.process_time()
            row = MadeFile.objects.get(pk=response["Location"].strip("/").split("/")[-1])
            with tempfile.TemporaryFile() as target:
                KINDS[row.kind].write(row, target)
                size = target.tell()
            spent = time.process_time() - before
            most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
            print(  # noqa: T201
                f"| its file, by a worker | {most:.0f} MB | {size / 1000:.0f} | {spent:.2f} s |", flush=True
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", type=Path, help="folder that keeps the database")
    parser.add_argument("--only", default="", help="part of the names of what is asked for")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--items", type=int, default=40)
    given = parser.parse_args()
    with own_database(given.database, lambda: fill(given.sessions, given.items)):
        measure(given.only)


if __name__ == "__main__":
    main()
