"""The command `earshot`: what researchers do in the pages, from a terminal.

It uses a site's API and needs only Python: copy this file to any machine. `earshot login` saves the site's
URL and your token; EARSHOT_URL and EARSHOT_TOKEN take precedence over them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

#: Seconds between polls while waiting for work.
POLL_SECONDS = 2.0
TIMEOUT_SECONDS = 120.0
_CHUNK = 1 << 20


class Problem(Exception):
    """An error, with a message for the user."""


# -- The site


class Site:
    """A site's API.

    Attributes:
        url: URL of the site, without a slash at the end.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._token = token

    def get(self, path: str, **query: Any) -> Any:
        """Get JSON from a path of the API."""
        with self.open("GET", path, **query) as answer:
            return json.load(answer)

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Yield every row of a list, fetched page by page."""
        seen = 0
        while True:
            page = self.get(path, limit=100, offset=seen, **query)
            yield from page["items"]
            seen += len(page["items"])
            if not page["items"] or seen >= page["count"]:
                return

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send JSON; returns the response's JSON, or None if it is empty."""
        data = None if body is None else json.dumps(body).encode()
        with self.open(method, path, data, "application/json") as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def upload(
        self,
        path: str,
        file: Path | Sequence[tuple[str, Path]],
        query: dict[str, Any] | None = None,
        **fields: str,
    ) -> Any:
        """Send a file, or several with the names of their fields, as multipart/form-data.

        They are streamed from the disk.
        """
        boundary = uuid.uuid4().hex
        head = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        )
        pieces: list[bytes | Path] = [head.encode()]
        for field, each in [("file", file)] if isinstance(file, Path) else file:
            name = "".join(
                f"\\{letter}" if letter in '"\\' else letter for letter in each.name if letter not in "\r\n"
            )
            pieces += [
                f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n".encode(),
                each,
                b"\r\n",
            ]
        pieces.append(f"--{boundary}--\r\n".encode())
        try:
            length = sum(
                len(piece) if isinstance(piece, bytes) else os.path.getsize(piece) for piece in pieces
            )
            for piece in pieces:
                if isinstance(piece, Path):
                    piece.open("rb").close()
        except OSError as error:
            raise Problem(f"{error.filename}: {error.strerror or error}") from None
        content_type = f"multipart/form-data; boundary={boundary}"
        with self.open("POST", path, _parts(pieces), content_type, length=length, **query or {}) as answer:
            return json.load(answer)

    def open(
        self,
        method: str,
        path: str,
        data: bytes | Iterable[bytes] | None = None,
        content_type: str = "",
        *,
        length: int | None = None,
        **query: Any,
    ) -> IO[bytes]:
        """Send a request and return the open response. Raises `Problem` with the site's message."""
        wanted = {name: value for name, value in query.items() if value not in (None, "")}
        address = f"{self.url}/api{path}" + (f"?{urllib.parse.urlencode(wanted)}" if wanted else "")
        headers = {"Authorization": f"Bearer {self._token}"}
        if data is not None or content_type:
            headers["Content-Type"] = content_type
        if length is not None:
            headers["Content-Length"] = str(length)
        try:
            request = urllib.request.Request(address, data, headers, method=method)  # noqa: S310 -- see `site_of`
            answer: IO[bytes] = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
            return answer
        except urllib.error.HTTPError as error:
            raise Problem(_refusal(error)) from None
        except urllib.error.URLError as error:
            raise Problem(f"{self.url} does not answer: {error.reason}") from None
        except (OSError, ValueError) as error:
            raise Problem(f"{self.url} does not answer: {error}") from None


def _parts(pieces: Iterable[bytes | Path]) -> Iterator[bytes]:
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        with piece.open("rb") as source:
            while chunk := source.read(_CHUNK):
                yield chunk


def _refusal(error: urllib.error.HTTPError) -> str:
    """The message of a problem (RFC 9457), with the fields that the message does not name."""
    try:
        problem = json.loads(error.read())
        said = problem.get("detail") or problem.get("error")  # sites before 2026-12 said "error"
        lines = [f"  {row['path']}: {row['message']}" for row in problem.get("errors", [])]
    except (ValueError, AttributeError, OSError, KeyError, TypeError):
        said, lines = None, []
    if error.code == 401:
        return "The site does not know this token. Run: earshot login URL TOKEN"
    if said:
        return "\n".join([said, *(line for line in lines if line.split(": ", 1)[1] not in said)])
    return f"The site answered {error.code} {error.reason}."


# -- Who and where


def settings_file() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "earshot.json"


def site_of(environment: dict[str, str]) -> Site:
    """The site that the environment or `earshot login` names."""
    kept: dict[str, str] = {}
    try:
        kept = json.loads(settings_file().read_text())
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        raise Problem(f"{settings_file()} cannot be read: {error}") from None
    url = environment.get("EARSHOT_URL") or kept.get("url", "")
    token = environment.get("EARSHOT_TOKEN") or kept.get("token", "")
    if not url or not token:
        raise Problem("Which site? Run: earshot login URL TOKEN (manage.py api_token prints a token)")
    if not url.startswith(("http://", "https://")):
        raise Problem(f"{url!r} is not the URL of a site: it must begin with http:// or https://")
    return Site(url, token)


def login(arguments: argparse.Namespace) -> None:
    site = site_of({"EARSHOT_URL": arguments.url, "EARSHOT_TOKEN": arguments.token})
    site.get("/systems")
    file = settings_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    # The file is readable only by its owner from its creation, because the token is a secret.
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as target:
        json.dump({"url": site.url, "token": arguments.token}, target)
    print(f"Signed in at {site.url}; kept in {file}")


# -- Commands


def upload(site: Site, arguments: argparse.Namespace) -> None:
    made = []
    for file in arguments.files:
        clip = site.upload("/clips", file, **({"title": arguments.title} if arguments.title else {}))
        made.append(clip["id"])
        print(clip["id"], file, flush=True)
    if arguments.wait:
        for clip_id in made:
            wait_while(site, f"/clips/{clip_id}", ("queued", "running"))
            show_clip(site, clip_id)


def wait_while(site: Site, path: str, statuses: Sequence[str]) -> None:
    """Poll `path` until its status changes or it has an error."""
    while (found := site.get(path))["status"] in statuses and not found.get("error"):
        time.sleep(POLL_SECONDS)


def clips(site: Site, arguments: argparse.Namespace) -> None:
    rows = site.pages("/clips", search=arguments.search)
    table(["id", "title", "status", "seconds"], [
        [row["id"], row["title"], row["status"], number(row["seconds"], 1)] for row in rows
    ])  # fmt: skip


def clip(site: Site, arguments: argparse.Namespace) -> None:
    show_clip(site, arguments.id)


def show_clip(site: Site, clip_id: str) -> None:
    found = site.get(f"/clips/{clip_id}")
    print(f"{found['title']}: {found['status']}, {found['seconds']:.1f} s")
    table(
        ["system", "status", "kbit/s", "PESQ-NB", "PESQ-WB", "STOI", "error"],
        [
            [
                row["system"], row["status"], number(row["kbps"]), number(row["pesq_nb"]),
                number(row["pesq_wb"]), number(row["stoi"], 3), row["error"],
            ]
            for row in found["renditions"]
        ],
    )  # fmt: skip


def systems(site: Site, arguments: argparse.Namespace) -> None:
    table(["system", "title", "kbit/s", "note"], [
        [row["slug"], row["title"], number(row["kbps"]), row["note"]] for row in site.get("/systems")
    ])  # fmt: skip


def system_new(site: Site, arguments: argparse.Namespace) -> None:
    body = {"title": arguments.title, "note": arguments.note, "kbps": arguments.kbps}
    print(site.send("POST", "/systems", body)["slug"])


def system_delete(site: Site, arguments: argparse.Namespace) -> None:
    site.send("DELETE", f"/systems/{arguments.slug}")
    print("Deleted, with all its outputs.")


def system_send(site: Site, arguments: argparse.Namespace) -> None:
    """Send outputs, show the results of the checks, and store them with --store."""
    files: list[tuple[str, Path]] = [("file", file) for file in arguments.files]
    files += [("mapping", arguments.mapping)] if arguments.mapping else []
    folders = "yes" if arguments.folders else ""
    path = "/outputs/" + site.upload(f"/systems/{arguments.slug}/outputs", files, make_systems=folders)["id"]
    wait_while(site, path, ("queued", "running"))
    batch = site.get(path)
    if batch["error"]:
        raise Problem(batch["error"])
    for note in batch["notes"]:
        print("! " + note)
    table(
        ["file", "clip", "system", "delay, ms", "level, dB", "said"],
        [
            [
                row["name"], row["clip"] or "–", row["system"] or "–",
                number(_milliseconds(row["checks"].get("delay_seconds"))),
                number(row["checks"].get("level_db"), 1),
                row["problem"] or " ".join(row["checks"].get("warnings", [])) or "fits",
            ]
            for row in batch["files"]
        ],
    )  # fmt: skip
    usable = [row for row in batch["files"] if not row["problem"]]
    if not arguments.store:
        site.send("DELETE", path)
        print("Nothing is stored. Use --store to store the usable files, and --align to remove delays.")
        return
    if not usable:
        site.send("DELETE", path)
        raise Problem("None of the files can be stored.")
    shift = [row["id"] for row in usable if arguments.align and row["checks"].get("shifts")]
    site.send("POST", path + "/confirm", {"take": [row["id"] for row in usable], "shift": shift})
    wait_while(site, path, ("queued", "running"))
    batch = site.get(path)
    stored = [row for row in batch["files"] if row["taken"] and not row["problem"]]
    print(f"{len(stored)} of {len(batch['files'])} stored, {sum(row['shifted'] for row in stored)} aligned.")
    for row in batch["files"]:
        if row["taken"] and row["problem"]:
            print(f"! {row['name']}: {row['problem']}")


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds


def study_new(site: Site, arguments: argparse.Namespace) -> None:
    body = read_settings(arguments.settings) if arguments.settings else {}
    body |= {"name": arguments.name, "clips": arguments.clip, "systems": arguments.system}
    if arguments.method:
        body["method"] = arguments.method
    if arguments.closed:
        body["open_when_ready"] = False
    made = site.send("POST", "/studies", body)
    print(made["id"])
    if arguments.wait:
        wait_while(site, f"/studies/{made['id']}", ["preparing"])
        print_study(site.get(f"/studies/{made['id']}"))


def read_settings(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise Problem(f"{file}: {error}") from None
    if not isinstance(found, dict):
        raise Problem(f"{file}: expected a JSON object of settings.")
    return found


def study_change(site: Site, arguments: argparse.Namespace) -> None:
    print_study(site.send("PATCH", f"/studies/{arguments.id}", read_settings(arguments.settings)))


def study_sessions(site: Site, arguments: argparse.Namespace) -> None:
    rows = site.pages(f"/studies/{arguments.id}/sessions", kind=arguments.kind)
    table(["id", "listener", "kind", "begun", "finished", "trials"], [
        [row["id"], row["assessor"], row["kind"], (row["started"] or "")[:16], (row["finished"] or "–")[:16],
         f"{row['trials_finished']} of {row['trials']}"] for row in rows
    ])  # fmt: skip


def study_forget(site: Site, arguments: argparse.Namespace) -> None:
    query = urllib.parse.urlencode({"reason": arguments.reason})
    gone = site.send("DELETE", f"/studies/{arguments.id}/sessions/{arguments.session}?{query}")
    print(f"Deleted session {gone['number']} with {gone['ratings']} grades; a note of it stays.")


def study_unseal(site: Site, arguments: argparse.Namespace) -> None:
    site.send("POST", f"/studies/{arguments.id}/unseal", {"understood": arguments.understood})
    print("The seal is broken; the report says so.")


def study_simulate(site: Site, arguments: argparse.Namespace) -> None:
    path = f"/studies/{arguments.id}/simulation"
    site.send("POST", path, {"listeners": arguments.listeners, "seed": arguments.seed})
    while (found := site.get(path))["state"] == "running":
        time.sleep(POLL_SECONDS)
    print(f"{found['made']} simulated listeners. See: earshot results {arguments.id} --kind simulated")


def study_measure(site: Site, arguments: argparse.Namespace) -> None:
    if arguments.scores:
        if len(arguments.metric) != 1:
            raise Problem("A table has the scores of one metric: name one.")
        path = f"/studies/{arguments.id}/scores"
        stored = site.upload(path, arguments.scores, {"metric": arguments.metric[0]})
        print(f"{stored['created'] + stored['replaced']} scores of {stored['metric']} taken.")
        return
    queued = site.send("POST", f"/studies/{arguments.id}/metrics", {"metrics": arguments.metric})["queued"]
    print(f"{queued} scores are queued.")


def study_report(site: Site, arguments: argparse.Namespace) -> None:
    wanted = {"profile": arguments.profile, "kind": arguments.kind}
    path = f"/studies/{arguments.id}"
    if site.get(path)["method"] == "mushra":
        while site.get(path + "/tests", **wanted)["status"] in ("queued", "running"):
            time.sleep(POLL_SECONDS)
    fetch(site, path + "/report.pdf", arguments.output or Path("report.pdf"), **wanted)


def study_list(site: Site, arguments: argparse.Namespace) -> None:
    rows = site.pages("/studies", search=arguments.search, status=arguments.status)
    table(["id", "name", "method", "status", "finished"], [
        [row["id"], row["name"], row["method"], row["status"], row["sessions_finished"]] for row in rows
    ])  # fmt: skip


def study_show(site: Site, arguments: argparse.Namespace) -> None:
    print_study(site.get(f"/studies/{arguments.id}"))


def print_study(study: dict[str, Any]) -> None:
    print(
        f"{study['name']}: {study['method']}, {study['status']}"
        + (f" ({study['error']})" if study["error"] else "")
    )
    print("systems:  " + ", ".join(study["systems"]))
    print("link:     " + study["listener_url"])
    print(f"sessions: {study['sessions_started']} started, {study['sessions_finished']} finished")


def study_act(site: Site, arguments: argparse.Namespace) -> None:
    print_study(site.send("POST", f"/studies/{arguments.id}/{arguments.action}"))


def study_delete(site: Site, arguments: argparse.Namespace) -> None:
    site.send("DELETE", f"/studies/{arguments.id}")
    print("Deleted, with every grade in it.")


def results(site: Site, arguments: argparse.Namespace) -> None:
    path = f"/studies/{arguments.id}/results"
    found = site.get(path, profile=arguments.profile, kind=arguments.kind)
    if arguments.json:
        json.dump(found, sys.stdout, indent=1, ensure_ascii=False)
        print()
        return
    print(found["answer"])
    rows = found["systems"]
    table(
        ["system", "mean", "95 % interval", "median", "IQR", "n", "kbit/s", "PESQ-NB", "PESQ-WB", "STOI"],
        [
            [
                row["title"], number(row["mean"], 1), interval(row["low"], row["high"]),
                number(row["median"], 1), number(row["iqr"], 1), row["n"], number(row["kbps"]),
                *(number(row["objective"].get(metric), places)
                  for metric, places in (("pesq_nb", 2), ("pesq_wb", 2), ("stoi", 3))),
            ]
            for row in rows
        ],
    )  # fmt: skip
    for note in found["warnings"]:
        print("! " + note)
    print(f"Means and t intervals of listener means; {found['listeners']} listeners, {found['items']} items, "
          f"screening {found['profile']}, {len(found['excluded'])} left out.")  # fmt: skip


def export(site: Site, arguments: argparse.Namespace) -> None:
    folder = {".tex": "tables", ".svg": "figures", ".png": "figures"}.get(
        Path(arguments.name).suffix, "files"
    )
    path = f"/studies/{arguments.id}/{folder}/{urllib.parse.quote(arguments.name)}"
    personal = "yes" if arguments.personal else None
    fetch(site, path, arguments.output or Path(arguments.name), kind=arguments.kind, personal=personal)


def fetch(site: Site, path: str, target: Path, **query: Any) -> None:
    """Download `path` to a file, completely or not at all."""
    part = target.with_name(target.name + ".part")
    try:
        with site.open("GET", path, **query) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file, _CHUNK)
        part.replace(target)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Problem(f"{target}: {error.strerror or error}") from None
    print(target)


def import_file(site: Site, arguments: argparse.Namespace) -> None:
    """Import an archive of Earshot at once; show another tool's file, and import it with --yes."""
    renamed = dict(_parse_mapping(text) for text in arguments.map)
    if _is_archive(arguments.file):
        made = site.upload("/studies/import", arguments.file)
        for note in made["notes"]:
            print("! " + note)
        print_study(made["study"])
        return
    files = [("file", arguments.file)] + ([("extra", arguments.extra)] if arguments.extra else [])
    found = site.upload("/imports", files)
    path = f"/imports/{found['id']}"
    try:
        if found["error"]:
            raise Problem(found["error"])
        print_import(found)
        if not arguments.yes:
            print("Nothing is imported. Use --yes to import it like this.")
            site.send("DELETE", path)
            return
        body: dict[str, Any] = {"name": arguments.name or arguments.file.stem, "rule": arguments.rule}
        if found["results"]:
            body |= {"method": arguments.method, "keep_personal": arguments.personal}
            body["systems"] = renamed
        else:
            body["group"] = arguments.group
        made = site.send("POST", path, body)
    except Problem:
        site.send("DELETE", path)
        raise
    while not made["study"]:
        time.sleep(POLL_SECONDS)
        made = site.get(path)
        if made["status"] == "failed":
            raise Problem(made["error"])
    print_study(site.get(f"/studies/{made['study']}"))


def _is_archive(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as inside:
            return "study.json" in inside.namelist()
    except (zipfile.BadZipFile, NotImplementedError):
        return False
    except OSError as error:
        raise Problem(f"{file}: {error.strerror or error}") from None


def _parse_mapping(text: str) -> tuple[str, str]:
    name, sign, slug = text.rpartition("=")
    if not sign:
        raise Problem(f"{text!r}: use NAME=SLUG, such as Reference=original.")
    return name, slug


def print_import(found: dict[str, Any]) -> None:
    if read := found["results"]:
        print(f"{read['title']}; {' or '.join(read['methods'])}")
        print(f"{read['listeners']} listeners, {len(read['items'])} items, {read['answers']} answers")
        table(["in the file", "here"], list(read["systems"].items()))
        for note in read["notes"]:
            print("! " + note)
        if read["personal"]:
            print("! Left out without --personal: " + ", ".join(read["personal"]))
    for group in found["groups"]:
        print(f"{group['method']}: {len(group['pages'])} pages with {', '.join(group['systems'])}")
    for note in found["report"]:
        print(
            f"{note['kind'].replace('_', ' ')}: "
            + (f"line {note['line']}: " if note["line"] else "")
            + note["text"]
        )


# -- On the terminal


def number(value: float | None, places: int = 2) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def interval(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:.1f}–{high:.1f}"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows in aligned columns: numbers to the right, texts to the left."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    right = [bool(cells) and all(row[at][:1].isdigit() or row[at] in ("–", "") for row in cells)
             for at in range(len(head))]  # fmt: skip
    right[0] = False
    for row in [list(head), *cells]:
        line = (
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(row, widths, right, strict=True)
        )
        print("  ".join(line).rstrip())


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="earshot", description=(__doc__ or "").split("\n", 1)[0])
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Any, title: str, to: Any = commands) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = to.add_parser(name, help=title, description=title)
        made.set_defaults(run=run)
        return made

    command = add("login", login, "save a site's URL and your token")
    command.add_argument("url", metavar="URL")
    command.add_argument("token", metavar="TOKEN")

    command = add("upload", upload, "send recordings; every system processes them")
    command.add_argument("files", metavar="FILE", type=Path, nargs="+")
    command.add_argument("--title", help="default: the file's name")
    command.add_argument(
        "--wait", action="store_true", help="wait until everything is made and measured, then show it"
    )

    command = add("clips", clips, "list your clips")
    command.add_argument("--search", default="", help="part of the title")
    command = add("clip", clip, "a clip's renditions by every system")
    command.add_argument("id", metavar="CLIP")
    add("systems", systems, "list every system")

    own = add("system", None, "your own systems, run elsewhere").add_subparsers(
        required=True, metavar="ACTION"
    )
    command = add("new", system_new, "make a system; prints its slug", own)
    command.add_argument("title", metavar="TITLE")
    command.add_argument("--note", default="", help="for reports: version, exact command")
    command.add_argument("--kbps", type=float, help="as you state it, kbit/s")
    command = add("send", system_send, "check outputs against their clips, and store them", own)
    command.add_argument("slug", metavar="SLUG")
    command.add_argument(
        "files", metavar="FILE", type=Path, nargs="+", help="recordings named like the clips, or zips"
    )
    command.add_argument(
        "--mapping", type=Path, help="a CSV with the columns clip, file and, optionally, system"
    )
    command.add_argument("--folders", action="store_true", help="make a system for each folder in a zip")
    command.add_argument("--store", action="store_true", help="store the files without problems")
    command.add_argument("--align", action="store_true", help="with --store: remove delays")
    command = add("delete", system_delete, "delete a system with its outputs", own)
    command.add_argument("slug", metavar="SLUG")

    studies = add("study", None, "make, list and run studies").add_subparsers(required=True, metavar="ACTION")
    command = add("new", study_new, "make a study", studies)
    command.add_argument("name", metavar="NAME")
    command.add_argument("--clip", action="append", required=True, metavar="CLIP", help="repeat for each")
    command.add_argument("--system", action="append", required=True, metavar="SLUG", help="repeat for each")
    command.add_argument("--method", help="mushra (default), bs1116, abx, ab, acr, dcr or ccr")
    command.add_argument("--settings", type=Path, help="a JSON file with other settings, as in the API")
    command.add_argument("--closed", action="store_true", help="do not open the study when it is ready")
    command.add_argument("--wait", action="store_true", help="wait until the stimuli are rendered")
    command = add("list", study_list, "list your studies", studies)
    command.add_argument("--search", default="", help="part of the name")
    command.add_argument("--status", choices=["preparing", "ready", "open", "closed"])
    command = add("show", study_show, "a study, its link and its progress", studies)
    command.add_argument("id", metavar="STUDY")
    for action, title in (
        ("open", "open a study to listeners"),
        ("close", "close a study to listeners"),
        ("reopen", "open a closed study again"),
        ("pilot", "open a study for a pilot with separate results"),
        ("end-pilot", "end a pilot"),
    ):
        command = add(action, study_act, title, studies)
        command.set_defaults(action=action)
        command.add_argument("id", metavar="STUDY")
    command = add("delete", study_delete, "delete a study with all its grades", studies)
    command.add_argument("id", metavar="STUDY")
    command = add("change", study_change, "change settings", studies)
    command.add_argument("id", metavar="STUDY")
    command.add_argument(
        "settings", metavar="FILE", type=Path, help="a JSON file, as the API's PATCH takes it"
    )
    command = add("sessions", study_sessions, "who took part", studies)
    command.add_argument("id", metavar="STUDY")
    command.add_argument("--kind", choices=["real", "pilot", "simulated"])
    command = add("forget", study_forget, "delete all data of a session; a note stays", studies)
    command.add_argument("id", metavar="STUDY")
    command.add_argument("session", metavar="SESSION")
    command.add_argument("--reason", default="")
    command = add("unseal", study_unseal, "break the seal before its time", studies)
    command.add_argument("id", metavar="STUDY")
    command.add_argument(
        "--understood", action="store_true", help="a broken seal stays broken and is reported"
    )
    command = add("simulate", study_simulate, "try the design with simulated listeners", studies)
    command.add_argument("id", metavar="STUDY")
    command.add_argument("--listeners", type=int, default=20)
    command.add_argument("--seed", type=int, default=1)
    command = add("measure", study_measure, "measure by more metrics, or upload scores", studies)
    command.add_argument("id", metavar="STUDY")
    command.add_argument(
        "metric", metavar="METRIC", nargs="+", help="visqol, dnsmos_p808, distillmos, phones, ..."
    )
    command.add_argument("--scores", type=Path, help="a CSV with the columns clip, system and value")
    command = add("report", study_report, "fetch the report as PDF", studies)
    command.add_argument("id", metavar="STUDY")
    command.add_argument("-o", "--output", type=Path)
    command.add_argument("--profile", help="of screening: bs1534 (default), mpeg, none, custom")
    command.add_argument("--kind", choices=["real", "pilot", "simulated"])
    command = add("export", export, "fetch a file of a study", studies)
    command.add_argument("id", metavar="STUDY")
    command.add_argument(
        "name", metavar="FILE", nargs="?", default="archive.zip",
        help="archive.zip (default), study.json, ratings.csv, ratings.parquet, events.csv, mushra.csv, "
             "table3.tex, grades.svg, grades.png, ...",
    )  # fmt: skip
    command.add_argument("-o", "--output", type=Path)
    command.add_argument("--kind", choices=["real", "pilot", "simulated"])
    command.add_argument("--personal", action="store_true", help="with platform ids and answers of listeners")
    command = add("import", import_file, "import a study from an archive, or another tool's results", studies)
    command.add_argument("file", metavar="FILE", type=Path)
    command.add_argument("--extra", type=Path, help="a table of scores, or a configuration's audio as a zip")
    command.add_argument(
        "--yes", action="store_true", help="import it; without this, another tool's file is only shown"
    )
    command.add_argument("--name", default="", help="of the study; default: the file's")
    command.add_argument("--method", default="", help="default: the first method shown")
    command.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="NAME=SLUG",
        help="map a system of the file to a slug here",
    )
    command.add_argument(
        "--rule", default="", help="GoListen: how file names are split into items and systems"
    )
    command.add_argument("--group", default="", help="group of a configuration; default: the first")
    command.add_argument("--personal", action="store_true", help="keep answers that may identify listeners")

    command = add("results", results, "means and intervals of the grades")
    command.add_argument("id", metavar="STUDY")
    command.add_argument("--profile", help="of screening: bs1534 (default), mpeg, none, custom")
    command.add_argument("--kind", choices=["real", "pilot", "simulated"])
    command.add_argument("--json", action="store_true", help="print everything as JSON")
    return top


def main(words: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(words)
    try:
        if arguments.run is login:
            login(arguments)
        else:
            arguments.run(site_of(dict(os.environ)), arguments)
    except Problem as problem:
        print(f"earshot: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
