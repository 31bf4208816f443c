"""Many threads at once on one database: test_services.py runs it and reads the JSON that it prints."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "listening.site.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.db import connection  # noqa: E402

from evaluation.models import Clip, Rendition  # noqa: E402
from evaluation.work import jobs  # noqa: E402
from listening.delivery.files import ask_for  # noqa: E402
from listening.models import Item, MadeFile, Rating, Stimulus, Study  # noqa: E402
from listening.session.ratings import save_rating  # noqa: E402
from listening.session.sessions import begin, start_session  # noqa: E402
from listening.study.studies import ALWAYS  # noqa: E402
from listening.web.leaving import delete_account  # noqa: E402

THREADS = 8
Counts = dict[str, int]
T = TypeVar("T")


def at_once(calls: list[Callable[[], T]]) -> list[T]:
    """Call all of them from `THREADS` threads that set off together."""
    start = threading.Barrier(THREADS)

    def work(share: list[Callable[[], T]]) -> list[T]:
        try:
            start.wait()
            return [call() for call in share]
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(chain.from_iterable(pool.map(work, [calls[i::THREADS] for i in range(THREADS)])))


def claims(clip: Clip) -> Counts:
    """Every row is wanted by every thread."""
    rows = [Rendition.objects.create(clip=clip, system=f"system-{i}") for i in range(10)]
    won = at_once([lambda pk=row.pk: jobs.claim(Rendition, pk) for row in rows for _ in range(THREADS)])
    return {"claimed": sum(row is not None for row in won), "rows": len(rows)}


def ratings(study: Study) -> dict[str, float | list[int]]:
    """Late, repeated and reordered grades of one stimulus: the last of the listener's stays."""
    session = start_session(study)
    begin(session)
    trial = session.trials.get()
    key = trial.order[0]["key"]
    changes = [(sequence, (sequence * 37) % 101) for sequence in range(1, 41)] * 2
    random.Random(1).shuffle(changes)
    at_once([lambda c=change: save_rating(trial, key, c[1], c[0]) for change in changes])
    row = Rating.objects.get(trial=trial)
    return {"sequence": row.sequence, "score": row.score, "expected": [40, (40 * 37) % 101]}


def sessions(study: Study) -> Counts:
    """Listeners who begin at the same moment get numbers, and so orders, of their own."""
    made = at_once([lambda: start_session(study)] * (2 * THREADS))
    return {
        "sessions": len(made),
        "numbers": len({session.number for session in made}),
        "places": len({session.place for session in made}),
    }


def made_files(study: Study) -> Counts:
    """A file that is asked for by several requests at once is made once."""
    asked = at_once([lambda: ask_for(study.owner, MadeFile.Kind.ARCHIVE, study)] * (2 * THREADS))
    return {"asked": len(asked), "rows": MadeFile.objects.count()}


def deletions(owner: User) -> dict[str, int | bool]:
    """People leave at once who lent one study the same recording, which its owner has, too."""

    def record(user: User) -> Clip:
        return Clip.objects.create(
            owner=user, sha256="1" * 64, seconds=1, source_rate=16000, source_channels=1
        )

    own, study = record(owner), Study.objects.create(owner=owner, name="lent", systems=[], seed=1)
    people = [User.objects.create(username=f"person {number}") for number in range(THREADS)]
    for number, user in enumerate(people):
        lent = record(user)
        item = Item.objects.create(study=study, clip=lent, position=number, end=1.0)
        for system in ALWAYS:
            made = Rendition.objects.create(clip=lent, system=system, status=Rendition.Status.DONE)
            Stimulus.objects.create(item=item, system=system, rendition=made)
    at_once([lambda user=user: delete_account(user) for user in people])
    return {
        "left": User.objects.filter(username__startswith="person").count(),
        "clips": list(Clip.objects.filter(sha256=own.sha256).values_list("pk", flat=True)) == [own.pk],
        "outputs": sorted(own.renditions.values_list("system", flat=True)) == sorted(ALWAYS),
    }


def synchronous() -> int | None:
    """How SQLite sees to it that what it has acknowledged is on disk."""
    if connection.vendor != "sqlite":
        return None
    with connection.cursor() as cursor:
        return int(cursor.execute("PRAGMA synchronous").fetchone()[0])


def main() -> None:
    owner = User.objects.create(username="owner")
    clip = Clip.objects.create(
        owner=owner, sha256="0" * 64, title="clip", seconds=1.0, source_rate=16000, source_channels=1
    )
    study = Study.objects.create(owner=owner, name="race", systems=[], seed=1, status=Study.Status.OPEN)
    item = Item.objects.create(study=study, clip=clip, position=0, end=1.0)
    for system in ALWAYS:
        Stimulus.objects.create(item=item, system=system)
    print(  # noqa: T201
        json.dumps(
            {
                "vendor": connection.vendor,
                "synchronous": synchronous(),
                "claims": claims(clip),
                "ratings": ratings(study),
                "sessions": sessions(study),
                "files": made_files(study),
                "deletions": deletions(owner),
            }
        )
    )


if __name__ == "__main__":
    main()
