"""``make demo``: the whole site on one machine, with clips and a study to try it.

One process that starts Redis (unless REDIS_URL names one), two Celery workers and the web server, watches
them, and stops them again. Its data stay in EARSHOT_HOME, so the next run continues with them.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db.models import F
from django.urls import reverse

from codec import registry
from codec.base import WORKING_RATE
from evaluation.clips.demo_clips import DemoClipsMissing, demo_clips
from evaluation.clips.ingest import ingest
from evaluation.models import Clip, Job, Rendition, Score
from evaluation.work import jobs
from evaluation.work.clock import database_time
from evaluation.work.pipeline import METRICS
from listening.models import Study
from listening.site.embedded_redis import EmbeddedRedis, RedisError
from listening.site.processes import Child, ChildrenKeepDying, Supervisor
from listening.study.studies import ALWAYS, create_study
from listening.web import accounts

RESEARCHER = "demo"
STUDY_NAME = "Demo: the paper's Table 3"
#: Rows of the paper's Table 3, hidden reference and anchors aside.
STUDY_SYSTEMS = ("bpgan-2k", "unified-gan-2k", "opus-9k", "amrwb-6.6k", "celp-8k")
#: A listener should finish the demo study in a few minutes.
STUDY_CLIPS = 6
#: Systems that the demo's clips skip; uploaded clips go through every system.
LEFT_OUT = ("bpgan-1k", "bpgan-4k")
START_SECONDS = 60.0
#: Interval between progress reports without a terminal, seconds.
REPORT_SECONDS = 5.0

FINISHED = (Job.Status.DONE, Job.Status.FAILED)


class Command(BaseCommand):
    help = "Run the site with its workers, demo clips and a demo study until Ctrl-C. PORT sets the port."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--clips", type=int, metavar="N", help="load only the first N demo clips; 0: none"
        )
        parser.add_argument(
            "--systems",
            help="comma-separated systems of the demo study, and of its clips no others "
            f"(default: {','.join(STUDY_SYSTEMS)}, and the clips go through every system of speech)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        given = options["systems"]
        systems = list(STUDY_SYSTEMS) if given is None else [slug for slug in given.split(",") if slug]
        for slug in systems:
            if slug not in registry.SYSTEMS:
                raise CommandError(f"There is no system {slug!r}. Known: {', '.join(registry.SYSTEMS)}.")
        self.parent = os.getppid()
        self.asked_to_stop = False
        self.drawn = False
        self.reported: tuple[str, float] = ("", 0.0)
        self.supervisor = Supervisor(self.say)
        self.redis: EmbeddedRedis | None = None
        self.stop_on_signals()
        try:
            with _only_one_per_home():
                try:
                    self.start()
                    self.fill(options["clips"], systems, only=given is not None)
                    self.say("Running. Ctrl-C stops it.")
                    while True:
                        self.watch()
                finally:
                    self.stop()
        except KeyboardInterrupt:
            return
        except (RedisError, ChildrenKeepDying, DemoClipsMissing) as error:
            raise CommandError(str(error)) from error

    # -- Processes

    def start(self) -> None:
        """Start database, Redis, workers and web server; return when the site answers.

        The port is checked first, so that a busy port is reported at once and nothing is changed.
        """
        port = _port()
        _check_port(port)
        call_command("migrate", verbosity=0, interactive=False)
        if settings.EMBEDDED_REDIS:
            self.redis = EmbeddedRedis(settings.HOME)
            self.redis.start()
            if self.redis.process is not None:
                _give_back_running_work()
        settings.STATIC_ROOT.mkdir(exist_ok=True)  # WhiteNoise warns if it is missing
        logs = settings.HOME / "logs"
        # EARSHOT_HOME may be relative to where this command was started.
        environment = {**os.environ, "EARSHOT_HOME": str(settings.HOME)}
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        beat = ("--beat", "--schedule", str(settings.HOME / "celerybeat-schedule"))
        # One child per core and one thread per child: more would compete for the cores. The
        # second worker's children serve tasks that must not wait until one of those is free.
        self.start_worker("worker", settings.SLOW_QUEUES, min(cores, 8), environment, *beat)
        self.start_worker("worker for studies", settings.QUICK_QUEUES, 2, environment)
        self.supervisor.start(
            Child(
                "web server",
                [
                    *(sys.executable, "-m", "gunicorn", "--config", "python:listening.site.web_server"),
                    *("--bind", f"127.0.0.1:{port}", "--workers", "2"),
                    *("--graceful-timeout", "2", "--access-logfile", "-"),
                ],
                logs / "web.log",
                environment=environment,
                folder=settings.BASE_DIR,
            )
        )
        self.wait_for_site(f"http://127.0.0.1:{port}/")
        settings.ADDRESS_FILE.write_text(settings.SITE_URL + "\n")
        self.say(f"Earshot is at {settings.SITE_URL}/  (logs: {logs})")

    def start_worker(
        self, name: str, queues: Sequence[str], children: int, environment: Mapping[str, str], *options: str
    ) -> None:
        node = name.replace(" ", "-")
        self.supervisor.start(
            Child(
                name,
                [
                    *(sys.executable, "-m", "celery", "-A", "listening.site", "worker"),
                    *("--hostname", f"{node}@%h", "--queues", ",".join(queues)),
                    *("--concurrency", str(children), *options),
                    # A heartbeat would also be sent at exit, and would wait forever if Redis stopped first.
                    *("--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat"),
                ],
                settings.HOME / "logs" / f"{node}.log",
                # SIGTERM would wait for current work, which may be a minute of search; SIGQUIT does
                # not, and the next start releases its rows.
                stop_signal=signal.SIGQUIT,
                death_signal=signal.SIGKILL,
                environment={"OMP_NUM_THREADS": "1", "EARSHOT_TORCH_THREADS": "1", **environment},
                folder=settings.BASE_DIR,
            )
        )

    def wait_for_site(self, url: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(url):
            if time.monotonic() > deadline:
                web = self.supervisor.children[-1]
                raise CommandError(f"The web server does not answer. The end of {web.log}:\n{web.tail()}")
            self.watch(0.1)

    def watch(self, seconds: float = 0.5) -> None:
        """Wait `seconds` and restart children that died.

        Raises:
            KeyboardInterrupt: a signal asked for it, or the parent process is gone (and did not start this
                with nohup).
        """
        time.sleep(seconds)
        if self.asked_to_stop:
            raise KeyboardInterrupt
        if os.getppid() != self.parent and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            raise KeyboardInterrupt
        self.supervisor.check()
        if self.redis is not None and self.redis.has_died():
            self.say("The Redis server died; starting it again.")
            self.redis.start()

    def stop_on_signals(self) -> None:
        """Turn every terminating signal into a KeyboardInterrupt, even if SIGINT was ignored (``&``).

        While a child is started, it is only noted, for `watch` to act on.
        """

        def interrupt(number: int, frame: object) -> None:
            self.asked_to_stop = True
            if not self.supervisor.starting:
                raise KeyboardInterrupt

        handler: Callable[[int, Any], None] = interrupt
        signal.signal(signal.SIGINT, handler)
        signal.signal(signal.SIGTERM, handler)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, handler)

    def stop(self) -> None:
        """Stop everything that this command started. A second Ctrl-C cannot interrupt this."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if self.supervisor.children:
            self.say("Stopping.")
        self.supervisor.stop()
        if self.redis is not None:
            self.redis.stop()

    # -- Data

    def fill(self, limit: int | None, systems: list[str], *, only: bool) -> None:
        """Load and process the demo clips, open the demo study, and print both links.

        Args:
            limit: number of clips; None: all of them.
            systems: of the study.
            only: whether the clips go through no systems but these.
        """
        user = accounts.find_user(RESEARCHER, create=True)
        self.say(f"Researcher sign-in: {accounts.make_signin_link(user)}")
        clips = []
        for_speech = registry.systems_for(WORKING_RATE, 1, speech=True)
        others = ALWAYS if only else [slug for slug in for_speech if slug not in LEFT_OUT]
        through = list(dict.fromkeys([*others, *systems]))
        for demo in demo_clips()[:limit] if limit != 0 else []:
            file = SimpleUploadedFile(demo.name, demo.wav, content_type="audio/wav")
            clip, _created = ingest(
                user, file, title=demo.title, credit=demo.credit, public=True, systems=through
            )
            clips.append(clip)
            self.supervisor.check()
        if not clips:
            return
        for row in Rendition.objects.filter(clip__in=clips, status=Job.Status.FAILED, unavailable=True):
            jobs.retry(row)  # missing packages may be installed by now
        in_study = clips[:STUDY_CLIPS]
        study = Study.objects.filter(owner=user, name=STUDY_NAME).order_by("created").first()
        shown = False
        while True:
            if study is None and (usable := _finished_systems(in_study, systems)):
                study = create_study(
                    user, STUDY_NAME, in_study, usable, sample_rate=WORKING_RATE, listed=True
                )
            if study is not None and not shown:
                study.refresh_from_db()
                if study.status != Study.Status.PREPARING:
                    shown = True
                    self.say(f"Listener link: {settings.SITE_URL}{reverse('join', args=[study.token])}")
                elif study.error:
                    shown = True
                    self.say(f"The demo study could not be prepared: {study.error}")
            done = self.report(clips)
            if done and (shown or (study is None and not _finished_systems(in_study, systems))):
                break
            self.watch()
        self.report_failures(clips)

    def report(self, clips: list[Clip]) -> bool:
        """Show the progress of the clips. True if everything is done or has finally failed."""
        renditions = Rendition.objects.filter(clip__in=clips)
        scores = Score.objects.filter(rendition__clip__in=clips)
        total, failed = renditions.count(), renditions.filter(status=Job.Status.FAILED).count()
        finished = renditions.filter(status__in=FINISHED).count()
        measured, to_measure = scores.filter(status__in=FINISHED).count(), (total - failed) * len(METRICS)
        done = finished == total and measured >= to_measure
        line = f"{finished} of {total} renditions, {measured} of {to_measure} scores"
        if self.stdout.isatty():
            self.draw(line)
        elif line != self.reported[0] and (done or time.monotonic() - self.reported[1] > REPORT_SECONDS):
            self.reported = (line, time.monotonic())
            self.say(line)
        return done

    def report_failures(self, clips: list[Clip]) -> None:
        failed = Rendition.objects.filter(clip__in=clips, status=Job.Status.FAILED)
        for system, error in failed.order_by("system").values_list("system", "error").distinct():
            self.say(f"{registry.get_system(system).title} failed: {error}")

    # -- Output: a closed terminal must not prevent stopping

    def say(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.stdout.write("\r\033[K" + line if self.drawn else line)
            self.stdout.flush()
        self.drawn = False

    def draw(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.stdout.write(f"\r\033[K{line}", ending="")
            self.stdout.flush()
        self.drawn = True


def _finished_systems(clips: list[Clip], systems: list[str]) -> list[str]:
    """The `systems` that finished for all `clips`, once every rendition is done or has failed."""
    wanted = [*ALWAYS, *systems]
    rows = Rendition.objects.filter(clip__in=clips, system__in=wanted).values_list("system", "status")
    status: dict[str, set[str]] = {slug: set() for slug in wanted}
    for slug, value in rows:
        status[slug].add(value)
    if any(not values <= set(FINISHED) for values in status.values()):
        return []
    if any(status[slug] != {Job.Status.DONE} for slug in ALWAYS):
        return []
    return [slug for slug in systems if status[slug] == {Job.Status.DONE}]


def _give_back_running_work() -> None:
    """Let the sweeper re-queue interrupted work of the last run without waiting for its lease.

    Only called while holding this home's lock, with Redis just started, so no worker has these rows.
    """
    for model in jobs.KINDS:
        running = model._default_manager.filter(status=Job.Status.RUNNING, attempts__gt=0)
        running.update(lease_until=database_time(), attempts=F("attempts") - 1)


@contextlib.contextmanager
def _only_one_per_home() -> Iterator[None]:
    settings.HOME.mkdir(parents=True, exist_ok=True)
    with (settings.HOME / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"Earshot already runs from {settings.HOME}. Stop it first, or set EARSHOT_HOME."
            ) from None
        yield


def _port() -> int:
    text = os.environ.get("PORT", "8000")
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise CommandError(f"PORT must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CommandError(f"Port {port} is in use. Try another: PORT={port + 1} make demo") from None
            raise CommandError(f"Port {port} cannot be used: {error.strerror}.") from None


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  (our own address)
            return bool(answer.status)
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
