"""What deploy/ and the compose files say fits the code, and runs as far as this machine can run it."""

from __future__ import annotations

import os
import re
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from listening.site import secret_files
from tests.conftest import ROOT
from tests.live import Site, free_port, running_site, wait_for
from tests.rows import some

DEPLOY = ROOT / "deploy"
SERVICES = sorted((DEPLOY / "systemd").glob("earshot-*.service"))
#: Our processes; the others are other people's images.
OURS = {"web", "worker", "studies", "beat", "migrate"}
#: Variables that are not read in settings.py but by libraries, shells or the processes themselves.
ELSEWHERE = {"OMP_NUM_THREADS", "EARSHOT_TORCH_THREADS", "EARSHOT_DEVICE", "WORKER_NAME", "WORKER_CHILDREN"}


def make_wheel(folder: Path, version: str) -> None:
    folder.mkdir(parents=True)
    info = f"torch-{version}.dist-info"
    with zipfile.ZipFile(folder / f"torch-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("torch.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    name = f"torch-{version}-py3-none-any.whl"
    (folder / "index.html").write_text(f'<a href="{name.replace("+", "%2B")}">{name}</a>')


@pytest.mark.parametrize(
    ("kind", "index", "version"),
    some(
        [
            ("cpu", "", "2.13.0+cpu"),
            ("", "", "2.13.0+cpu"),
            ("cuda", "", "2.13.0"),
            ("", "http://127.0.0.1:9/whl", "2.13.0"),
        ],
        lambda row: not row[0] and not row[1],
    ),
)
def test_pytorch_for_cpus_is_what_is_installed(tmp_path: Path, kind: str, index: str, version: str) -> None:
    """It comes from the index for CPUs; if that cannot be reached, PyPI's comes and the user reads why."""
    make_wheel(tmp_path / "pypi/torch", "2.13.0")
    make_wheel(tmp_path / "cpu/torch", "2.13.0+cpu")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "TORCH"))}
    done = subprocess.run(
        ["sh", "deploy/install-torch", f"{sys.executable} -m pip"],
        cwd=ROOT,
        env={
            **clean,
            **({"TORCH": kind} if kind else {}),
            "TORCH_INDEX": index or (tmp_path / "cpu").as_uri(),
            "PIP_INDEX_URL": (tmp_path / "pypi").as_uri(),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_TARGET": str(tmp_path / "installed"),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.name for path in (tmp_path / "installed").glob("torch-*")] == [f"torch-{version}.dist-info"]
    said = [line for line in done.stderr.splitlines() if line.startswith("install-torch: ")]
    assert bool(said) is bool(index)
    if index:
        assert f"could not be installed from {index};" in said[0]
        assert "carries CUDA, several GB" in said[1]
        assert "TORCH_INDEX=URL" in said[2]
    for user in ("Makefile", "Dockerfile"):
        assert "sh deploy/install-torch" in (ROOT / user).read_text()


def load_compose(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / name).read_text()))


def test_the_services_of_compose_are_shut_in_and_watched() -> None:
    site = load_compose("compose.yaml")
    services = {**site["services"], "gpu": load_compose("compose.gpu.yaml")["services"]["gpu"]}
    ours = OURS | {"gpu"}
    assert set(services) == ours | {"proxy", "postgres", "redis"}
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    for name in ours:
        service = services[name]
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "user" not in service  # the image's, who is not root
        for variable in service["environment"]:
            plain = variable.removesuffix("_FILE")
            known = plain in secret_files.NAMES or plain in ELSEWHERE or f'"{plain}"' in settings_text()
            assert known, (name, variable)
            assert variable == plain or plain in secret_files.NAMES
            if variable != plain:
                secret = service["environment"][variable].removeprefix("/run/secrets/")
                assert secret in service["secrets"], (name, variable)
    for name in services.keys() - {"migrate", "beat", "proxy"}:
        assert "healthcheck" in services[name], name
    for name in services.keys() - {"migrate"}:
        assert services[name]["deploy"]["resources"]["limits"]["memory"], name
    queues = [queue for name in ("worker", "studies") for queue in services[name]["command"][1].split(",")]
    assert sorted(queues) == sorted(settings.WORKER_QUEUES)
    assert re.search(r"^USER earshot$", (ROOT / "Dockerfile").read_text(), re.M)


def settings_text() -> str:
    server = (ROOT / "listening/site/web_server.py").read_text()
    return (ROOT / "listening/site/settings.py").read_text() + server


def test_setup_writes_what_compose_reads_and_keeps_secrets(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    shutil.copy(DEPLOY / "setup", tmp_path / "deploy")

    def setup(host: str) -> dict[str, str]:
        subprocess.run(["sh", "deploy/setup", host], cwd=tmp_path, check=True, capture_output=True)
        return {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}

    first = setup("one.example.org")
    with (tmp_path / ".env").open("a") as env:
        env.write("WEB_WORKERS=8\n")
    assert setup("two.example.org") == first
    assert set(first) == set(load_compose("compose.yaml")["secrets"])
    assert all(re.fullmatch(r"[0-9a-f]{64}", secret) for secret in first.values())
    assert len(set(first.values())) == len(first)
    assert sorted((tmp_path / ".env").read_text().split()) == ["SITE_HOST=two.example.org", "WEB_WORKERS=8"]
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    ignored = subprocess.run(
        ["git", "check-ignore", ".env", "secrets/secret_key"], cwd=ROOT, capture_output=True
    )
    assert ignored.stdout.split() == [b".env", b"secrets/secret_key"]
    if compose := shutil.which("docker-compose"):
        for path in ("compose.yaml", "compose.gpu.yaml"):
            shutil.copy(ROOT / path, tmp_path)
        command = [compose, "-f", "compose.yaml", "-f", "compose.gpu.yaml", "config", "--quiet"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_the_units_of_systemd_are_whole(tmp_path: Path) -> None:
    commands = {path.stem: re.findall(r"^ExecStart=(.*)$", path.read_text(), re.M)[0] for path in SERVICES}
    assert set(commands) == {f"earshot-{name}" for name in ("web", "worker", "studies", "beat", "backup")}
    queues = ",".join(
        re.search(r"--queues (\S+)", commands[f"earshot-{name}"])[1] for name in ("worker", "studies")
    )  # type: ignore[index]
    assert sorted(queues.split(",")) == sorted(settings.WORKER_QUEUES)
    assert "python:listening.site.web_server" in commands["earshot-web"]
    told = (DEPLOY / "systemd/environment").read_text()
    for name in re.findall(r"^(\w+)=", told, re.M):
        assert f'"{name}"' in settings_text() or name == "BACKUP_TARGET", name
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    paths = []
    for path in [*SERVICES, DEPLOY / "systemd/earshot-backup.timer"]:
        paths.append(tmp_path / path.name)
        # The programs are not installed where the units will find them.
        paths[-1].write_text(re.sub(r"/srv/earshot/app/\.venv/bin/\w+", "/bin/true", path.read_text()))
    done = subprocess.run([analyze, "verify", "--man=no", *paths], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def https_site(
    tmp_path: Path, new_database: Callable[[Path], None], django_db_blocker: Any
) -> Iterator[Site]:
    site_url = f"https://localhost:{free_port()}"
    with django_db_blocker.unblock():
        yield from running_site(
            tmp_path / "home",
            new_database,
            SITE_URL=site_url,
            METRICS_NETWORKS="192.0.2.7/32",
            LOG_FORMAT="json",
        )


@pytest.mark.rest
@pytest.mark.service
def test_nginx_serves_the_site_by_tls_and_takes_no_address_from_a_visitor(
    https_site: Site, tmp_path: Path
) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed")
    site = https_site
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "chain.pem"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    plain, tls = free_port(), int(site.environment["SITE_URL"].rsplit(":", 1)[1])
    text = (DEPLOY / "nginx/earshot.conf").read_text()
    for there, here in (
        ("127.0.0.1:8000", f"127.0.0.1:{site.port}"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{tls} ssl"),
        ("  listen [::]:80;\n", ""),
        ("  listen [::]:443 ssl http2;\n", ""),
        ("server_name listen.example.org", "server_name localhost"),
        ("/etc/letsencrypt/live/listen.example.org/fullchain.pem", str(tmp_path / "chain.pem")),
        ("/etc/letsencrypt/live/listen.example.org/privkey.pem", str(tmp_path / "key.pem")),
    ):
        assert there in text
        text = text.replace(there, here)
    configuration = tmp_path / "nginx.conf"
    temporary = " ".join(
        f"{kind}_temp_path {tmp_path / kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration.write_text(
        f"daemon off; pid {tmp_path / 'nginx.pid'}; error_log {tmp_path / 'error.log'};\n"
        f"events {{}}\nhttp {{ access_log off; {temporary}\n{text}}}\n"
    )
    site._start("web", "gunicorn", "--config", "python:listening.site.web_server", "--workers", "2")
    server = subprocess.Popen([nginx, "-c", str(configuration), "-e", str(tmp_path / "error.log")])
    trusted = ssl.create_default_context(cafile=str(tmp_path / "chain.pem"))

    def get(path: str, form: bytes | None = None, **headers: str) -> tuple[int, Any]:
        request = urllib.request.Request(f"https://localhost:{tls}{path}", form, headers)
        try:
            with urllib.request.urlopen(request, timeout=20, context=trusted) as answer:
                return answer.status, answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.headers
        except OSError:
            return 0, None

    try:
        wait_for("the site behind nginx", lambda: get("/healthz")[0] == 200, 120)
        status, headers = get("/", **{"Accept-Encoding": "gzip"})
        assert status == 200
        assert headers["Content-Encoding"] is None
        assert "max-age" in headers["Strict-Transport-Security"]
        assert re.fullmatch(r"[0-9a-f]{32}", headers["X-Request-ID"])
        assert get("/metrics", **{"X-Forwarded-For": "192.0.2.7"})[0] == 403

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_: Any) -> None:
                return None

        with pytest.raises(urllib.error.HTTPError) as moved:
            urllib.request.build_opener(Stay).open(f"http://127.0.0.1:{plain}/signin/", timeout=20)
        assert (moved.value.code, moved.value.headers["Location"]) == (301, "https://127.0.0.1/signin/")
        assert '"route": "signin/"' not in (site.home / "web.log").read_text()
        # A browser names the origin with its port; Django compares it with the host as the proxy names it.
        secret = "a" * 32
        sent = {"Origin": f"https://localhost:{tls}", "Cookie": f"csrftoken={secret}"}
        assert get("/signin/", f"csrfmiddlewaretoken={secret}".encode(), **sent)[0] == 200
        sent["Origin"] = "https://elsewhere.example"
        assert get("/signin/", f"csrfmiddlewaretoken={secret}".encode(), **sent)[0] == 403
    finally:
        server.terminate()
        server.wait()
