"""Weight and processor time of every page of a researcher who has thousands of clips and studies.

Run it from the repository: ``python -m tests.listening.web.benchmarks.researcher_pages``. It fills an SQLite
database of its own with 10 000 clips, 1000 studies, 200 sessions of one of them, 10 000 outputs of an
uploaded system and a few hundred rows of everything else, asks for each page, and prints a table in Markdown.
Rows have no sound files. ``--database FOLDER`` keeps the database there for the next run.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.listening.web.benchmarks.own_database import own_database

CLIPS, STUDIES, SESSIONS, OUTPUTS, DEMOS, DRAFTS, SYSTEMS = 10_000, 1000, 200, 10_000, 300, 300, 150
#: Clips that codecs are processing.
BUSY = 300
THROUGH = ("original", "anchor35", "anchor70", "opus-9k", "bpgan-2k", "celp-8k")
METRICS = ("pesq_nb", "pesq_wb", "stoi")
MOST_BYTES, MOST_SECONDS = 150_000, 0.3


def fill() -> None:
    """Make the rows."""
    from django.contrib.auth.models import User
    from django.db import transaction

    with transaction.atomic():
        owner = User.objects.create_user("alice")
        clips = _make_clips(owner)
        studies = _make_studies(owner, clips)
        _make_sessions(studies[0], SESSIONS)
        for study in studies[1:100]:
            _make_sessions(study, 5)
        _make_outputs(owner, clips)
        _make_drafts_and_demos(owner, clips, studies)


def _make_clips(owner: Any) -> list[Any]:
    from django.utils import timezone

    from evaluation.models import Clip, Rendition, Score

    clips = Clip.objects.bulk_create(
        [
            Clip(
                owner=owner, sha256=f"{number:064}", title=f"Talker {number % 97}, sentence {number}",
                original_name=f"talker{number % 97}-{number}.wav", seconds=2.5 + number % 7,
                source_rate=48_000, source_channels=1, source_format="WAV, PCM_16",
                upload="uploads/none.wav", audio="clips/none.wav",
            )
            for number in range(CLIPS)
        ],
        batch_size=500,
    )  # fmt: skip
    now = timezone.now()
    for number, clip in enumerate(clips):
        clip.created = now - timedelta(minutes=number)
    Clip.objects.bulk_update(clips, ["created"], batch_size=400)
    renditions = []
    for number, clip in enumerate(clips):
        for system in THROUGH:
            waits = number < BUSY and system != "original"
            status = Rendition.Status.QUEUED if waits else Rendition.Status.DONE
            renditions.append(
                Rendition(
                    clip=clip, system=system, status=status, kbps=None if waits else 9.0,
                    started=None if waits else now - timedelta(seconds=2), dispatched=now,
                    finished=None if waits else now, encode_seconds=None if waits else 1.0,
                )
            )  # fmt: skip
    Rendition.objects.bulk_create(renditions, batch_size=500)
    Score.objects.bulk_create(
        [
            Score(rendition=row, metric=metric, status=Score.Status.DONE, value=0.9)
            for row in renditions
            if row.status == Rendition.Status.DONE
            for metric in METRICS
        ],
        batch_size=500,
    )
    return clips


def _make_studies(owner: Any, clips: list[Any]) -> list[Any]:
    from evaluation.models import Job, Rendition
    from listening.models import Item, Preparation, Stimulus, Study

    under_test = [*THROUGH[3:]]
    status = [Study.Status.OPEN, Study.Status.CLOSED, Study.Status.READY]
    studies = Study.objects.bulk_create(
        [
            Study(
                owner=owner, name=f"Speech at low rates, part {number}", systems=under_test, seed=number + 1,
                status=status[number % 3], token=f"token-{number}",
            )
            for number in range(STUDIES)
        ]
    )  # fmt: skip
    Preparation.objects.bulk_create([Preparation(study=study, status=Job.Status.DONE) for study in studies])
    items = Item.objects.bulk_create(
        [
            Item(study=study, clip=clips[(BUSY + 5 * number + place) % CLIPS], position=place, end=2.0)
            for number, study in enumerate(studies)
            for place in range(5)
        ],
        batch_size=500,
    )
    for item in items:
        item.training = item.position == 0
    Item.objects.bulk_update(items, ["training"], batch_size=500)
    made = {(row.clip_id, row.system): row for row in Rendition.objects.iterator()}
    Stimulus.objects.bulk_create(
        [
            Stimulus(
                item=item,
                system=system,
                audio="stimuli/none.wav",
                gain_db=0.0,
                rendition=made[item.clip_id, system],
            )
            for item in items
            for system in THROUGH
        ],
        batch_size=500,
    )
    return studies


def _make_sessions(study: Any, count: int) -> None:
    from django.utils import timezone

    from listening.models import Assessor, Item, Rating, Session, Trial

    now = timezone.now()
    assessors = Assessor.objects.bulk_create([Assessor() for _ in range(count)])
    sessions = Session.objects.bulk_create(
        [
            Session(
                study=study, assessor=assessor, number=number, seed=number, instructed=now, finished=now,
                completion_code=f"CODE-{number}",
            )
            for number, assessor in enumerate(assessors, start=1)
        ],
        batch_size=300,
    )  # fmt: skip
    items = list(Item.objects.filter(study=study).prefetch_related("stimuli"))
    trials = Trial.objects.bulk_create(
        [
            Trial(
                session=session, item=item, position=item.position, started=now, finished=now,
                order=[{"key": f"k{each.pk}", "stimulus": each.pk} for each in item.stimuli.all()],
            )
            for session in sessions
            for item in items
        ],
        batch_size=300,
    )  # fmt: skip
    Rating.objects.bulk_create(
        [
            Rating(
                trial=trial, stimulus_id=entry["stimulus"], sequence=1, writer="w",
                score=100 if place == 0 else (trial.pk * 7 + 13 * place) % 60 + 5 * place,
            )
            for trial in trials
            for place, entry in enumerate(trial.order)
        ],
        batch_size=500,
    )  # fmt: skip


def _make_outputs(owner: Any, clips: list[Any]) -> None:
    from evaluation.models import OutputBatch, OutputFile, Rendition, Score, UploadedSystem

    systems = UploadedSystem.objects.bulk_create(
        [
            UploadedSystem(owner=owner, slug=f"own-{number}", title=f"Our codec, run {number}")
            for number in range(SYSTEMS)
        ]
    )
    made = Rendition.objects.bulk_create(
        [
            Rendition(
                clip=clip, system=systems[0].slug, status=Rendition.Status.DONE, upload="outputs/none.wav"
            )
            for clip in clips[:OUTPUTS]
        ],
        batch_size=500,
    )
    Score.objects.bulk_create(
        [
            Score(rendition=row, metric=metric, status=Score.Status.DONE, value=0.9)
            for row in made
            for metric in METRICS
        ],
        batch_size=500,
    )
    for _ in range(60):
        batch = OutputBatch.objects.create(owner=owner, system=systems[0], status=OutputBatch.Status.DONE)
    OutputFile.objects.bulk_create(
        [
            OutputFile(
                batch=batch, name=f"out/{clip.title}.wav", upload="incoming/none.wav", clip=clip,
                system=systems[0], problem="This is silent." if number % 2 else "",
            )
            for number, clip in enumerate(clips[:500])
        ]
    )  # fmt: skip


def _make_drafts_and_demos(owner: Any, clips: list[Any], studies: list[Any]) -> None:
    from listening.models import Demo, ImportDraft

    ImportDraft.objects.bulk_create(
        [
            ImportDraft(
                owner=owner, kind=ImportDraft.Kind.RESULTS, name=f"mushra-{number}.csv",
                file="imports/none.csv", status=ImportDraft.Status.DONE,
                study=studies[number] if number % 2 else None,
            )
            for number in range(DRAFTS)
        ]
    )  # fmt: skip
    recordings = [{"clip": str(clip.pk), "title": clip.title} for clip in clips[-3:]]
    Demo.objects.bulk_create(
        [
            Demo(
                owner=owner, token=f"demo-{number}",
                draft={"title": f"Our codec, page {number}", "recordings": recordings, "systems": [*THROUGH]},
            )
            for number in range(DEMOS)
        ]
    )  # fmt: skip


def addresses() -> list[tuple[str, str, dict[str, str]]]:
    """Name, path and headers of every page."""
    from django.contrib.auth.models import User

    from evaluation.models import Clip, OutputBatch
    from listening.models import Demo, Session, Study
    from listening.web.accounts import make_api_token

    fragment = {"HX-Request": "true"}
    script = {"Authorization": f"Bearer {make_api_token(User.objects.get(username='alice'))}"}
    study = Study.objects.get(token="token-0").pk
    young = Study.objects.get(token="token-899").pk  # without listeners
    clip = Clip.objects.get(sha256=f"{BUSY + 5:064}").pk
    waiting = Clip.objects.order_by("-created").first()
    demo = Demo.objects.get(token="demo-0").pk
    batch = OutputBatch.objects.exclude(files=None).get().pk
    assert waiting is not None
    assert Session.objects.filter(study=study).count() == SESSIONS
    return [
        ("home", "/home/", {}),
        ("clips", "/clips/", {}),
        ("clips, polled", f"/clips/?changes=yes&seen={waiting.pk.hex[:12]}-0", fragment),
        ("clips, page 3", "/clips/?page=3", {}),
        ("clips, searched", "/clips/?search=sentence+99", {}),
        ("a clip", f"/clips/{clip}/", {}),
        ("a clip, polled", f"/clips/{waiting.pk}/rows/", fragment),
        ("metrics", "/metrics/", {}),
        ("systems", "/systems/", {}),
        ("a system", "/systems/own-0/", {}),
        ("a system, searched", "/systems/own-0/?search=sentence+99", {}),
        ("a batch of outputs", f"/outputs/{batch}/", {}),
        ("studies", "/studies/", {}),
        ("studies, searched", "/studies/?search=part+99", {}),
        ("studies, archived", "/studies/?archived=yes", {}),
        ("new study", "/studies/new/", {}),
        ("new study of clips", f"/studies/new/?clip={clip}", {}),
        ("study, Content", f"/studies/{young}/setup/what/", {}),
        ("study, Listeners", f"/studies/{young}/setup/who/", {}),
        ("study, Review", f"/studies/{young}/setup/check/", {}),
        ("study, Review with listeners", f"/studies/{study}/setup/check/", {}),
        ("study", f"/studies/{study}/", {}),
        ("study, polled", f"/studies/{study}/progress/", fragment),
        ("stimuli of a study", f"/studies/{study}/stimuli/", {}),
        ("metrics of a study", f"/studies/{study}/metrics/", {}),
        ("results", f"/studies/{study}/results/", {}),
        ("report", f"/studies/{study}/report/", {}),
        ("ratings.csv, asked of a worker", f"/studies/{study}/ratings.csv", {}),
        ("imports", "/import/", {}),
        ("demo pages", "/demos/", {}),
        ("editor of a demo page", f"/demos/{demo}/", {}),
        ("preview of a demo page", f"/demos/{demo}/preview/", {}),
        ("gallery", "/gallery/", {}),
        ("documents", "/docs/", {}),
        ("API: clips", "/api/clips", script),
        ("API: studies", "/api/studies", script),
        ("API: sessions", f"/api/studies/{study}/sessions", script),
        ("API: demo pages", "/api/demos", script),
        ("API: systems", "/api/systems", script),
        ("API: a system", "/api/systems/own-0?limit=1000", script),
    ]


def measure(only: str = "") -> int:
    """Print the table; returns how many pages are too heavy."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(username="alice"))
    print("| page | kB | processor time | queries |")  # noqa: T201
    print("|---|---|---|---|")  # noqa: T201
    heavy = 0
    for name, path, headers in addresses():
        if only not in name:
            continue
        seconds = []
        for _ in range(3):
            before = time.process_time()
            response = client.get(path, headers=headers)
            content = response.getvalue()
            seconds.append(time.process_time() - before)
        with CaptureQueriesContext(connection) as queries:
            client.get(path, headers=headers).getvalue()
        expected = (302,) if name.endswith("worker") else (200, 204, 286)
        assert response.status_code in expected, (path, response.status_code)
        too_much = len(content) > MOST_BYTES or min(seconds) > MOST_SECONDS
        heavy += too_much
        mark = " **too heavy**" if too_much else ""
        print(  # noqa: T201
            f"| {name} | {len(content) / 1000:.0f} | {1000 * min(seconds):.0f} ms{mark} | {len(queries)} |",
            flush=True,
        )
    return heavy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", type=Path, help="folder that keeps the database")
    parser.add_argument("--only", default="", help="part of the names of the pages")
    given = parser.parse_args()
    with own_database(given.database, fill):
        sys.exit(1 if measure(given.only) else 0)


if __name__ == "__main__":
    main()
