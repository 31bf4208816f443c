"""Make the fixed studies: ``python -m tests.golden.make_studies``, once, by the code before the move.

A study of each method with everything that a row can hold: settings, real, pilot and simulated sessions,
unfinished and screened-out ones, grades, choices, comments, events, answers, a deletion.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import sqlite3
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

HOME = tempfile.mkdtemp()
os.environ |= {"EARSHOT_HOME": HOME, "DJANGO_SETTINGS_MODULE": "listening.settings"}
os.environ.pop("DATABASE_URL", None)

import django  # noqa: E402

django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.files.base import ContentFile  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402

from evaluation.models import Clip, Rendition, Score, UploadedSystem  # noqa: E402
from listening import removal, services, simulation  # noqa: E402
from listening.models import (  # noqa: E402
    Answer,
    Assessor,
    Choice,
    Deletion,
    Event,
    Participation,
    Rating,
    Session,
    Stage,
    Stimulus,
    Study,
    Trial,
)  # fmt: skip
from listening.simulated import Listener  # noqa: E402
from listening.study_settings import check_settings  # noqa: E402
from tests.golden.collect import FOLDER, METHODS, exports_of, findings_of, recording  # noqa: E402

START = datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)
SYSTEMS = ("opus-9k", "own-codec")
OPTIONS = {
    "abx": {"pairs": "reference", "trials": 2},
    "ab": {"pairs": "all", "no_preference": True},
    "acr": {"hidden_reference": True, "plays": "once"},
    "dcr": {"plays": "once"},
}
COMMENTS = ("eine Anmerkung, mit Komma", '=1+1, "quoted"', "two\nlines; ½ ✓", "")
QUESTIONS = [
    {"name": "age", "type": "number", "label": "Your age", "when": "before", "required": True,
     "minimum": 18, "maximum": 99},
    {"name": "gear", "type": "multiple", "label": "What do you own?", "when": "before", "required": False,
     "choices": [{"value": "a", "label": "Headphones"}, {"value": "b", "label": "Loudspeakers"}]},
    {"name": "tired", "type": "likert", "label": "I am tired", "when": "after", "required": False,
     "choices": [{"value": str(n), "label": f"{n}"} for n in range(1, 6)]},
    {"name": "remarks", "type": "long_text", "label": "Anything else?", "help": "As you like.",
     "when": "after", "required": False},
]  # fmt: skip


class Clock:
    """Moments that follow each other."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, seconds: float = 7.25) -> datetime:
        self.seconds += seconds
        return START + timedelta(seconds=self.seconds)


now = Clock()


def make_clip(owner: User, title: str) -> Clip:
    upload = recording(f"{title} upload")
    clip = Clip(
        owner=owner, sha256=hashlib.sha256(upload).hexdigest(), title=title, original_name=f"{title}.wav",
        seconds=0.25, source_rate=16_000, source_channels=1, source_format="WAV, PCM_16",
        notes=["nothing was done"], credit="made of whole numbers, CC0",
    )  # fmt: skip
    clip.upload.save("a.wav", ContentFile(upload), save=False)
    clip.audio.save("a.wav", ContentFile(recording(f"{title} audio")), save=False)
    clip.save()
    Clip.objects.filter(pk=clip.pk).update(created=now())
    for number, system in enumerate(("original", "anchor35", "anchor70", *SYSTEMS)):
        row = Rendition(
            clip=clip, system=system, status="done", kbps=1.625 + number, payload_bits=400 + number,
            encode_seconds=0.25, decode_seconds=0.125, started=now(), finished=now(), log=f"log of {system}",
            parameters={"command": f"encode --as {system}", "frames": 12 + len(title), "version": "1.2.3"},
        )  # fmt: skip
        row.audio.save("a.wav", ContentFile(recording(f"{title} {system} audio")), save=False)
        if system == "opus-9k":
            row.bitstream.save("a.bin", ContentFile(recording(f"{title} {system} bitstream")), save=False)
        if system == "own-codec":
            row.upload.save("a.wav", ContentFile(recording(f"{title} {system} upload")), save=False)
        row.save()
        for metric, value in (
            ("pesq_nb", 4.5 - number / 2), ("pesq_wb", 4.6 - number / 2), ("stoi", 1 - number / 10),
            ("visqol", None if number == 2 else 4.75 - number / 4),
        ):  # fmt: skip
            Score.objects.create(
                rendition=row, metric=metric, status="done", value=value, version="0.1", started=now(),
                finished=now(), note="" if value else "no answer",
            )  # fmt: skip
    return clip


def make_study(owner: User, method: str, clips: list[Clip], seed: int) -> Study:
    study = services.create_study(
        owner, f"Sawtooth at low rates, {method}", clips, SYSTEMS, seed=seed, method=method,
        options=OPTIONS.get(method, {}), texts={"consent": "Ja, gerne. ½", "thanks": "Thanks!"},
        design={"items_per_session": 1, "drop_out_hours": 48.0} if method in ("acr", "mushra") else None,
    )  # fmt: skip
    services.open_prepared_study(study)
    study.refresh_from_db()
    rows = Stimulus.objects.filter(item__study=study).select_related("item").order_by("item", "system")
    for number, row in enumerate(rows):
        row.audio.save("a.wav", ContentFile(recording(f"item {row.item.position} {row.system}")), save=False)
        row.gain_db, row.delay_ms = number / 8 - 0.5, None if number == 1 else number / 16
        row.objective = {"polqa": 3.5 + number / 8} if row.system == "own-codec" else {}
        row.save()
    return study


def answer(study: Study, session: Session, listener: Listener, trials: int | None = None) -> None:
    """Take the first `trials` trials of a session, all of them if None."""
    services.begin(session)
    systems = dict(Stimulus.objects.filter(item__study=study).values_list("pk", "system"))
    for index, trial in enumerate(session.trials.order_by("position")):
        if trials is not None and index > trials:
            break
        services.open_trial(trial)
        listener.answer(trial, systems)
        sounds = ["reference", *(entry["key"] for entry in trial.order)]
        kinds = ("play", "switch", "loop", "grade")
        for number, (kind, sound) in enumerate(zip(kinds, sounds, strict=False), start=1):
            if index > 1:
                continue
            Event.objects.create(
                trial=trial, sequence=number, kind=kind, milliseconds=1234 * number,
                detail={"sound": sound, "at": number / 4} | ({"grade": 55} if kind == "grade" else {}),
            )  # fmt: skip
        if trials is None or index < trials:
            services.finish_trial(trial, COMMENTS[index % len(COMMENTS)])


def take_part(study: Study) -> None:
    study.simulation = simulation.checked(study, {"listeners": 1, "seed": 3, "qualities": {"own-codec": 62}})
    for number in range(4):
        session = services.start_session(study, kind=Session.Kind.PILOT if number == 3 else Session.Kind.REAL)
        answer(study, session, Listener(study, number), trials=1 if number == 2 else None)
        Stage.objects.create(
            session=session,
            name="volume",
            data={"db": -6 + number, "transducer": "headphones", "device": "HD 600"},
        )
        for name, value in (
            ("age", 30 + number),
            ("gear", ["a", "b"]),
            ("tired", 2),
            ("remarks", "-keine, „so“"),
        ):
            Answer.objects.create(session=session, question=name, value=value)
        Participation.objects.create(
            study=study, session=session, platform="prolific", person=f"person{number}",
            references={"STUDY_ID": "s1", "SESSION_ID": f"x{number}"},
        )  # fmt: skip
    leaver = services.start_session(study)
    answer(study, leaver, Listener(study, 9))
    removal.delete_session(leaver, "asked for it")
    turned_away = services.start_session(study)
    services.begin(turned_away)
    Session.objects.filter(pk=turned_away.pk).update(screened_out=now())
    simulation.start(study, {"listeners": 1, "seed": 3, "qualities": {"own-codec": 62}})
    assert simulation.run(str(study.pk)) == 1


def set_settings(study: Study) -> None:
    study.refresh_from_db()
    values = check_settings(
        {
            "questionnaire": QUESTIONS, "language": "de" if study.method == "dcr" else "en",
            "headphones": {"required": True, "on_fail": "end",
                           "tests": [{"test": "huggins", "pass": 5, "attempts": 2},
                                     {"test": "antiphase", "pass": 6, "attempts": 1}]},
            "recruitment": {"platform": "prolific", "code": "C1A2B3", "screened_out_code": "OUT7",
                            "required": True},
            "post_screening": {"reference_below": 85, "reference_share": 0.2, "least_spread": 2.5},
            "training_repeats": 2, "opens": START - timedelta(days=1), "closes": START + timedelta(days=900),
        }
    )  # fmt: skip
    for name, value in values.items():
        setattr(study, name, value)
    study.break_after, study.max_sessions, study.listed = 3, 40, True
    study.simulation["asked"] = START.isoformat()
    study.save()


def set_times(study: Study) -> None:
    """Moments that are the same in every run, in the order in which things happened."""
    Study.objects.filter(pk=study.pk).update(created=now())
    for session in study.sessions.order_by("number"):
        moments = {"created": now()}
        for name in ("instructed", "screened_out"):
            if getattr(session, name):
                moments[name] = now()
        Stage.objects.filter(session=session).update(finished=now())
        for answered in session.answers.order_by("id"):
            Answer.objects.filter(pk=answered.pk).update(updated=now())
        Participation.objects.filter(session=session).update(created=now())
        for trial in session.trials.order_by("position"):
            if trial.started:
                Trial.objects.filter(pk=trial.pk).update(started=now())
            for model in (Rating, Choice):
                for row in model.objects.filter(trial=trial).order_by("pk"):
                    model.objects.filter(pk=row.pk).update(created=now(1.0625), updated=now(0.5))
            if trial.finished:
                Trial.objects.filter(pk=trial.pk).update(finished=now())
        if session.finished:
            moments["finished"] = now()
        Session.objects.filter(pk=session.pk).update(**moments)
    Deletion.objects.filter(study=study).update(deleted=now())
    Assessor.objects.update(created=START)


def dump(path: Path) -> str:
    """The database as SQL, without what a migration makes anew."""
    made_anew = ("auth_permission", "django_content_type", "django_session", "evaluation_throttle")
    with sqlite3.connect(path) as connection:
        lines = [
            line
            for line in connection.iterdump()
            if not any(line.startswith(f'INSERT INTO "{table}"') for table in made_anew)
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    call_command("migrate", verbosity=0)
    owner = User.objects.create_user("alice", "alice@example.org")
    User.objects.update(date_joined=START)
    UploadedSystem.objects.create(owner=owner, slug="own-codec", title="Our codec", note="v7", kbps=3.25)
    UploadedSystem.objects.update(created=START)
    clips = [make_clip(owner, "Saw one"), make_clip(owner, "Saw two, “slow”")]
    for number, method in enumerate(METHODS):
        study = make_study(owner, method, clips, seed=70_007_007 + number)
        take_part(study)
        set_settings(study)
        set_times(study)
    client = Client(SERVER_NAME="localhost")
    client.force_login(owner)
    FOLDER.mkdir(exist_ok=True)
    files = {}
    for study in Study.objects.order_by("method"):
        files |= {(study.method, name): text for name, text in exports_of(client, study).items()}
    packed = gzip.compress(dump(Path(HOME) / "earshot.sqlite3").encode(), mtime=0)
    (FOLDER / "database.sql.gz").write_bytes(packed)
    for study in Study.objects.order_by("method"):
        files |= {(study.method, name): text for name, text in findings_of(client, study).items()}
    for (method, name), text in files.items():
        folder = FOLDER / method
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(text.encode())


if __name__ == "__main__":
    main()
