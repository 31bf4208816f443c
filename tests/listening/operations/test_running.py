"""What tells an operator how the site does: each part that is stopped is seen, and seen to be back."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string

from evaluation.models import Clip, Rendition, Worker
from evaluation.tracing import JOB, TracingFilter
from evaluation.work.presence import Presence, workers_alive
from listening.operations import counters, s3
from listening.operations.backup import make
from listening.operations.backup.targets import open_target
from listening.operations.metrics import render_metrics
from listening.site import secret_files, sentry
from listening.site.embedded_redis import EmbeddedRedis, broker_url
from tests.conftest import ROOT
from tests.database import connected_to
from tests.listening.web.addresses import page_addresses
from tests.postgres import postgresql

__all__ = ["postgresql"]  # a fixture

DEPLOY = ROOT / "deploy"
TOKEN = "a token of the operator"
PARTS = ["database", "broker", "storage", "migrations", "queue"]


def ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


@pytest.fixture
def redis(tmp_path: Path, settings: Any) -> Iterator[EmbeddedRedis]:
    settings.CELERY_BROKER_URL = broker_url(tmp_path)
    with EmbeddedRedis(tmp_path) as server:
        yield server


@pytest.fixture
def token(settings: Any) -> dict[str, str]:
    """The headers of whoever may see the figures."""
    settings.METRICS_TOKEN = TOKEN
    return {"Authorization": f"Bearer {TOKEN}"}


def failed_parts(client: Client) -> set[str]:
    """The parts of which /readyz says that they do not work; its status and both forms must agree."""
    plain = client.get("/readyz")
    lines = dict(line.split(": ") for line in plain.content.decode().splitlines())
    assert list(lines) == PARTS
    failed = {name for name, state in lines.items() if state == "failed"}
    assert failed | {name for name, state in lines.items() if state == "ok"} == set(PARTS)
    answer = client.get("/readyz", headers={"Accept": "application/json"})
    assert answer.json() == {
        "ready": not failed,
        "parts": {name: {"ok": name not in failed} for name in PARTS},
    }
    assert plain.status_code == answer.status_code == (503 if failed else 200)
    return failed


def test_ready_turns_red_and_green_for_each_part(
    client: Client,
    redis: EmbeddedRedis,
    settings: Any,
    media: Path,
    alice: User,
    make_clip: Callable[..., Clip],
) -> None:
    assert failed_parts(client) == set()

    redis.stop()
    assert failed_parts(client) == {"broker"}
    assert client.get("/readyz?exclude=broker").status_code == 200
    assert client.get("/readyz?exclude=brokers").status_code == 400
    redis.start()
    assert failed_parts(client) == set()

    shutil.rmtree(media)
    media.write_text("a file where the folder should be")
    assert failed_parts(client) == {"storage"}
    media.unlink()
    assert failed_parts(client) == set()
    settings.READY_DISK_PERCENT = 100.0
    assert failed_parts(client) == {"storage"}
    settings.READY_DISK_PERCENT = 0.0

    [(app, name)] = MigrationLoader(None).graph.leaf_nodes("listening")
    newest = MigrationRecorder.Migration.objects.get(app=app, name=name)
    newest.delete()
    assert failed_parts(client) == {"migrations"}
    newest.save()
    assert failed_parts(client) == set()

    clip = make_clip(alice)
    row = Rendition.objects.create(clip=clip, system="x", queued=ago(minutes=11))
    assert failed_parts(client) == {"queue"}
    settings.READY_QUEUE_SECONDS = 720
    assert failed_parts(client) == set()
    settings.READY_QUEUE_SECONDS = 600
    Rendition.objects.filter(pk=row.pk).update(status=Rendition.Status.RUNNING)
    assert failed_parts(client) == set()

    # A new row waits from now on, by the database's clock.
    assert abs(Rendition.objects.create(clip=clip, system="y").queued - timezone.now()) < timedelta(minutes=1)


def test_ready_sees_an_s3_server_that_stops(
    client: Client, db: None, redis: EmbeddedRedis, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    boto3 = pytest.importorskip("boto3")
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket="media")
    settings.STORAGES = {**settings.STORAGES, "default": s3.media_storage("media", address)}
    assert type(storages["default"]).__name__ == "S3Storage"
    assert failed_parts(client) == set()
    # Backups reach theirs in the same way: a server that is away is an error after seconds.
    for storage in (storages["default"], open_target("s3://copies/earshot", address)):
        reached = storage.connection.meta.client.meta.config
        assert (reached.connect_timeout, reached.retries["total_max_attempts"]) == (5, 4)
    names = [storages["default"].save("made/a.zip", ContentFile(content)) for content in (b"1", b"2")]
    assert [storages["default"].open(name).read() for name in names] == [b"1", b"2"]
    server.stop()
    assert failed_parts(client) == {"storage"}
    again = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    again.start()  # moto keeps buckets in this process
    assert failed_parts(client) == set()
    again.stop()


def test_ready_sees_a_postgresql_that_closes(
    client: Client, redis: EmbeddedRedis, postgresql: str, token: dict[str, str], django_db_blocker: Any
) -> None:
    name = postgresql.rsplit("/", 1)[1]

    def let_in(is_open: bool) -> None:
        with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as server:
            server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {is_open}")
            if not is_open:
                server.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
                )

    with django_db_blocker.unblock(), connected_to(postgresql):
        assert failed_parts(client) == set()
        let_in(False)
        assert failed_parts(client) == {"database", "migrations", "queue"}
        # Whoever watches gets in without the database, and is told what does not work.
        figures = client.get("/metrics", headers=token).content.decode()
        assert 'earshot_ready{part="database"} 0.0' in figures
        assert 'earshot_ready{part="broker"} 1.0' in figures
        found = client.get("/readyz", headers={**token, "Accept": "application/json"}).json()["parts"]
        assert "not currently accepting connections" in found["database"]["found"]
        assert client.get("/healthz").status_code == 200
        let_in(True)
        connection.close()
        assert failed_parts(client) == set()


def test_figures_are_for_the_token_and_the_networks(
    client: Client, db: None, settings: Any, token: dict[str, str]
) -> None:
    def status(**more: str) -> int:
        return client.get("/metrics", **more).status_code

    assert status() == 403
    assert client.get("/metrics", headers=token).status_code == 200
    assert client.get("/metrics", headers={"Authorization": "Bearer another"}).status_code == 403
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 403
    settings.METRICS_NETWORKS = ["192.0.2.0/24", "2001:db8::/32"]
    assert status(REMOTE_ADDR="192.0.2.7") == 200
    assert status(REMOTE_ADDR="2001:db8::7") == 200
    assert status(REMOTE_ADDR="198.51.100.7") == 403
    settings.TRUSTED_PROXIES = 1
    assert status(REMOTE_ADDR="192.0.2.7", HTTP_X_FORWARDED_FOR="198.51.100.7") == 403


def figures_of(text: str) -> dict[str, float]:
    pattern = r"^(earshot_\w+(?:\{[^}]*\})?) (\S+)$"
    return {name: float(value) for name, value in re.findall(pattern, text, re.M)}


def test_figures_add_up_over_processes_and_say_what_waits(
    client: Client, alice: User, make_clip: Callable[..., Clip], token: dict[str, str]
) -> None:
    def read() -> dict[str, float]:
        return figures_of(client.get("/metrics", headers=token).content.decode())

    before = read()
    for statuses in ((200, 200, 409), (200, 503)):
        if (child := os.fork()) == 0:
            for status in statuses:
                counters.count_save(status, 0.004)
            os._exit(0)
        os.waitpid(child, 0)
    clip = make_clip(alice)
    Rendition.objects.create(clip=clip, system="a", queued=ago(seconds=90))
    Rendition.objects.create(clip=clip, system="b")
    Rendition.objects.create(clip=clip, system="c", status=Rendition.Status.FAILED)
    Worker.objects.create(name="w@a", queues=["codec"], version="1", seen=ago())
    Worker.objects.create(name="w@b", queues=["codec", "prompt"], version="1", seen=ago())
    Worker.objects.create(name="w@c", queues=["codec"], version="1", seen=ago(minutes=1))
    after = read()

    def more(name: str) -> float:
        return after[name] - before.get(name, 0.0)

    assert more('earshot_saves_total{outcome="stored"}') == 3
    assert more('earshot_saves_total{outcome="refused"}') == 1
    assert more('earshot_saves_total{outcome="failed"}') == 1
    assert more('earshot_save_seconds_bucket{le="0.005"}') == 5
    assert more('earshot_save_seconds_bucket{le="0.0025"}') == 0
    assert more('earshot_requests_total{status="2xx"}') == 1  # the first scrape
    assert after['earshot_jobs{kind="rendition",queue="codec",status="queued"}'] == 2
    assert after['earshot_jobs{kind="rendition",queue="codec",status="failed"}'] == 1
    assert 90 <= after['earshot_job_oldest_seconds{kind="rendition",queue="codec"}'] < 150
    assert after['earshot_job_oldest_seconds{kind="score",queue="metrics"}'] == 0
    assert after['earshot_workers_alive{queue="codec"}'] == 2
    assert after['earshot_workers_alive{queue="prompt"}'] == 1
    assert after['earshot_workers_alive{queue="metrics"}'] == 0
    assert 0 < after["earshot_storage_free_bytes"] < after["earshot_storage_size_bytes"]


def test_figures_say_when_the_last_good_backup_was_made(
    db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LAST_BACKUP_FILE = tmp_path / "home" / "last-backup"

    def last() -> float:
        return figures_of(render_metrics().decode())["earshot_backup_last_timestamp_seconds"]

    def back_up(moment: datetime, target: Path) -> None:
        monkeypatch.setattr(make, "database_time", lambda: moment)
        call_command("backup", str(target), stdout=io.StringIO())

    first, second = (datetime(2026, 11, day, 3, 17, 5, tzinfo=UTC) for day in (1, 2))
    assert last() == 0
    back_up(first, tmp_path / "target")
    assert last() == first.timestamp()
    (tmp_path / "file").write_text("a file where the folder should be")
    with pytest.raises(CommandError):
        back_up(second, tmp_path / "file")
    assert last() == first.timestamp()
    back_up(second, tmp_path / "target")
    assert last() == second.timestamp()


def test_alerts_use_figures_that_there_are(db: None) -> None:
    names = {name.split("{")[0] for name in figures_of(render_metrics().decode())}
    rules = yaml.safe_load((DEPLOY / "prometheus/earshot.rules.yml").read_text())
    expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    used = {name for expression in expressions for name in re.findall(r"earshot_\w+", expression)}
    assert len(used) >= 7
    assert used <= names, used - names
    if promtool := shutil.which("promtool"):
        for command in (["check", "rules", "earshot.rules.yml"], ["test", "rules", "earshot.test.yml"]):
            done = subprocess.run(
                [promtool, *command], cwd=DEPLOY / "prometheus", capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout + done.stderr


def test_log_lines_are_json_with_the_request_and_the_job(
    client: Client, db: None, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    given = dict(settings.LOGGING["formatters"]["json"])
    formatter = import_string(given.pop("()"))(**given)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    handler.addFilter(TracingFilter())
    logger = logging.getLogger("earshot.requests")
    logger.addHandler(handler)
    logger.setLevel("INFO")
    settings.LOG_REQUESTS = True
    try:
        capsys.readouterr()
        handler.setStream(__import__("sys").stderr)
        answer = client.get("/s/a-secret-token/", headers={"X-Request-ID": "abcdef-0123"})
        assert answer["X-Request-ID"] == "abcdef-0123"
        odd = client.get("/healthz", headers={"X-Request-ID": 'x"\n'})
        token = JOB.set("make_score 7")
        logger.warning("in a job")
        JOB.reset(token)
    finally:
        logger.removeHandler(handler)
    first, second, third = map(json.loads, capsys.readouterr().err.splitlines())
    assert first["request"] == "abcdef-0123"
    assert (first["level"], first["logger"], first["status"]) == ("INFO", "earshot.requests", 404)
    assert first["route"] == "s/<str:token>/"
    assert "a-secret-token" not in json.dumps(first)
    assert second["request"] == odd["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{32}", second["request"])
    assert (third["job"], third["request"], third["message"]) == ("make_score 7", "", "in a job")
    assert third["time"].endswith("+00:00")


def test_sentry_learns_no_token() -> None:
    sentry_sdk = pytest.importorskip("sentry_sdk")
    sent: list[Any] = []

    class Kept(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope: Any) -> None:
            sent.extend(item.payload.json for item in envelope.items)

    sentry.start("https://key@sentry.example.org/1", "https://listen.example.org")
    try:
        sentry_sdk.get_client().transport = Kept()
        try:
            secret = "s3cr3t"
            raise RuntimeError(f"GET /s/{secret}/trials/1/ and https://a.example/signin/{secret}?x=1 failed")
        except RuntimeError as error:
            sentry_sdk.capture_exception(error)
    finally:
        sentry_sdk.init()  # nothing else that tests raise is sent
    [event] = sent
    assert event["exception"]["values"][0]["value"] == (
        "GET /s/…/trials/1/ and https://a.example/signin/…?x=1 failed"
    )
    assert event["tags"]["site"] == "https://listen.example.org"
    assert "s3cr3t'" not in json.dumps(event)
    for address in page_addresses():
        if "{token}" in address.template:
            assert "s3cr3t" not in sentry.hide_tokens(address.template.replace("{token}", "s3cr3t")), address
    assert not any("vars" in frame for frame in event["exception"]["values"][0]["stacktrace"]["frames"])


def test_secrets_come_from_files(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("a key\n")
    environment = {"SECRET_KEY_FILE": str(path), "HOME_FILE": str(path)}
    secret_files.read_into(environment)
    assert environment == {"SECRET_KEY": "a key", "SECRET_KEY_FILE": str(path), "HOME_FILE": str(path)}
    secret_files.read_into(environment)  # as a child process does
    with pytest.raises(secret_files.SecretError, match="Set SECRET_KEY or SECRET_KEY_FILE, not both"):
        secret_files.read_into({"SECRET_KEY": "another", "SECRET_KEY_FILE": str(path)})
    with pytest.raises(secret_files.SecretError, match="DATABASE_URL_FILE: /nowhere cannot be read"):
        secret_files.read_into({"DATABASE_URL_FILE": "/nowhere"})
    path.write_text("\n")
    with pytest.raises(secret_files.SecretError, match="is empty"):
        secret_files.read_into({"SECRET_KEY_FILE": str(path)})


@pytest.mark.django_db(transaction=True)
def test_a_worker_says_that_it_is_alive_until_it_stops() -> None:
    presence = Presence("worker@here", ["prompt", "codec"], 2)
    assert presence._write(first=True)
    [row] = workers_alive()
    assert (row.queues, row.children) == (["codec", "prompt"], 2)
    started = row.started
    assert presence._write(first=False)
    [row] = workers_alive()
    assert row.started == started
    Worker.objects.update(seen=ago(minutes=1))
    assert workers_alive() == []
    presence._remove()
    assert not Worker.objects.exists()


def test_the_operators_page_is_for_administrators(
    client: Client, alice: User, redis: EmbeddedRedis, make_clip: Callable[..., Clip]
) -> None:
    address = reverse("operator")
    assert client.get(address).status_code == 302
    client.force_login(alice)
    assert client.get(address).status_code == 403
    assert 'href="/operator/"' not in client.get("/home/").content.decode()
    alice.is_superuser = True
    alice.save()
    clip = make_clip(alice)
    Rendition.objects.create(
        clip=clip, system="a", status="failed", error="It broke.", finished=timezone.now()
    )
    Rendition.objects.create(clip=clip, system="b")
    Worker.objects.create(
        name="w@old", queues=["codec"], version="1", seen=timezone.now() - timedelta(hours=1)
    )
    page = client.get(address).content.decode()
    assert 'href="/operator/"' in page
    assert "It broke." in page
    assert "No worker serves codec" in page
    Worker.objects.create(name="w@new", queues=["codec"], version="1", seen=ago())
    page = client.get(address).content.decode()
    assert "No worker serves codec" not in page
    states = re.findall(r'<th scope="row">(w@\w+)</th><td><span class="badge \w+">(\w+)<', page)
    assert states == [("w@new", "alive"), ("w@old", "silent")]
    changes = client.get("/docs/changelog/").content.decode()
    assert "This site runs version" in changes
