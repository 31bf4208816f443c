"""Everything that leaves a study: its tables, document and archive, the API's answers, the report's facts.

Asked for by addresses and not by functions, so that this stays as it is while the code behind them moves.
"""

from __future__ import annotations

import hashlib
import html
import io
import json
import re
import wave
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet
from django.http.response import HttpResponseBase
from django.test import Client

from evaluation.models import Clip, Rendition
from listening.models import Stimulus, Study
from listening.web.accounts import make_api_token
from tests.listening.conftest import fetch_made

FOLDER = Path(__file__).parent / "studies"
#: The fixed studies: one of each method, named by its slug.
METHODS = ("ab", "abx", "acr", "bs1116", "ccr", "dcr", "mushra")
KINDS = ("real", "pilot", "simulated")
#: Tables of each method besides those that all have.
TABLES = {
    "ab": ("choices.csv", "paired_comparison.csv"),
    "abx": ("choices.csv", "paired_comparison.csv"),
    "acr": ("lss.csv",),
    "bs1116": ("bs1116.csv",),
    "ccr": (),
    "dcr": ("lss.csv",),
    "mushra": ("mushra.csv",),
}
PROFILES = ("none", "bs1534", "mpeg", "custom")


def recording(label: str) -> bytes:
    """A quarter of a second of 16 kHz mono WAV, of whole numbers only: the same bytes on every machine."""
    step = zlib.crc32(label.encode()) % 900 + 100
    samples = ((number * step) % 20_001 - 10_000 for number in range(4000))
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples))
    return content.getvalue()


def recordings(document: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Name in the archive and bytes of every recording that a study's document tells of."""
    titles = {clip["sha256"]: clip["title"] for clip in document["clips"]}
    for clip in document["clips"]:
        for kind, name in clip["files"].items():
            yield name, recording(f"{clip['title']} {kind}")
    for row in document["renditions"]:
        for kind, name in row["files"].items():
            if name:
                yield name, recording(f"{titles[row['clip']]} {row['system']} {kind}")
    for row in document["stimuli"]:
        yield row["file"], recording(f"item {row['item']} {row['system']}")


def stored_recordings(study: Study) -> Iterator[tuple[str, bytes]]:
    """Name in the storage and bytes of every recording that the rows of a study know."""
    for row in Stimulus.objects.filter(item__study=study).select_related("item"):
        yield row.audio.name, recording(f"item {row.item.position} {row.system}")
    for rendition in Rendition.objects.select_related("clip"):
        for kind in ("audio", "bitstream", "upload"):
            if name := getattr(rendition, kind).name:
                yield name, recording(f"{rendition.clip.title} {rendition.system} {kind}")
    for clip in Clip.objects.all():
        for kind in ("audio", "upload"):
            yield getattr(clip, kind).name, recording(f"{clip.title} {kind}")


def archive_of(document: str) -> io.BytesIO:
    """An archive that can be imported: the document as it is, and the recordings that it names."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("study.json", document)
        for name, sound in recordings(json.loads(document)):
            archive.writestr(name, sound)
    content.seek(0)
    return content


def exports_of(client: Client, study: Study) -> dict[str, str]:
    """Files that the study is exported as, by name; a Parquet file as its schema and rows."""
    found = {}
    for name in ("ratings.csv", "events.csv", *TABLES[study.method]):
        stem, suffix = name.split(".")
        for kind in KINDS:
            found[f"{stem}-{kind}.{suffix}"] = _export(client, study, name, kind=kind).decode()
    for name in TABLES[study.method]:
        if name != "choices.csv":
            stem, suffix = name.split(".")
            found[f"{stem}-personal.{suffix}"] = _export(client, study, name, personal="yes").decode()
    found["parquet.txt"] = _typed_table(_export(client, study, "ratings.parquet"))
    # Without its indentation; the archive's list has the SHA-256 of the exact text.
    document = json.loads(_export(client, study, "study.json", personal="yes"))
    found["study.json"] = json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
    for personal in ("no", "yes"):
        archive = _export(client, study, "archive.zip", personal=personal)
        found[f"archive-{'personal' if personal == 'yes' else 'impersonal'}.txt"] = _members(archive)
    return found


def findings_of(client: Client, study: Study) -> dict[str, str]:
    """What the API and the report say of the study, by name."""
    address = f"/api/studies/{study.pk}"
    script = Client(
        headers={"Authorization": f"Bearer {make_api_token(study.owner)}"}, SERVER_NAME="localhost"
    )
    shown = json.loads(_content(script.get(address)))
    shown["listener_url"] = "a token of its own"
    found: dict[str, Any] = {"detail": shown}
    for kind in KINDS:
        found[f"sessions {kind}"] = json.loads(_content(script.get(f"{address}/sessions", {"kind": kind})))
    if study.method == "mushra":
        for profile in PROFILES:
            answer = json.loads(_content(script.get(f"{address}/results", {"profile": profile})))
            # Not its sentences: they follow the tests between systems, which have had to change.
            found[f"results {profile}"] = {
                name: value for name, value in answer.items() if name not in ("answer", "warnings")
            }
    files = {"api.json": json.dumps(_rounded(found), indent=0, ensure_ascii=False, sort_keys=True) + "\n"}
    if study.method == "mushra":
        for name in ("table3", "grades"):
            files[f"{name}.tex"] = _content(script.get(f"{address}/tables/{name}.tex")).decode()
    files["report.txt"] = _facts(_content(client.get(f"/studies/{study.pk}/report/")).decode())
    return files


def _rounded(value: Any) -> Any:
    """Without the last digits of floats, in which machines differ."""
    if isinstance(value, float):
        return float(f"{round(value, 9):.9g}")
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    return [_rounded(part) for part in value] if isinstance(value, list) else value


def _content(answer: HttpResponseBase) -> bytes:
    assert answer.status_code == 200, answer
    return b"".join(answer) if answer.streaming else answer.content  # type: ignore[attr-defined]


def _export(client: Client, study: Study, name: str, **query: str) -> bytes:
    answer = client.get(f"/studies/{study.pk}/export/{name}", query)
    return fetch_made(client, answer) if name == "archive.zip" else _content(answer)


def _typed_table(content: bytes) -> str:
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    rows = [json.dumps([*row.values()], ensure_ascii=False) for row in table.to_pylist()]
    return "\n".join([*(f"{field.name}: {field.type}" for field in table.schema), *rows]) + "\n"


def _members(archive: bytes) -> str:
    """Name, size and SHA-256 of each member, in the archive's order."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return "".join(
            f"{info.filename} {info.file_size} {hashlib.sha256(opened.read(info)).hexdigest()}\n"
            for info in opened.infolist()
        )


def _facts(page: str) -> str:
    """The numbers in each row of the tables of how the test was held: words may be improved, facts may not.

    Tests between systems and the versions of this machine's software are left out.
    """
    held = page.split("How the test was held")[1].split("</section>")[0]
    again = page.split("Reproduction")[1].split("Software of this server")[0]
    lines = []
    for row in re.findall(r"<tr\b.*?</tr>", held + again, re.DOTALL):
        text = html.unescape(re.sub(r"<[^>]+>", " ", row))
        numbers = re.findall(r"[-−]?\d+(?:[.,]\d+)*", text)
        if numbers:
            lines.append(" ".join(numbers))
    return "\n".join(lines) + "\n"
