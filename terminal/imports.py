"""Archives, and other tools' results and configurations."""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path
from typing import Any

from terminal.problem import Problem
from terminal.progress import Work
from terminal.shapes import Import
from terminal.site import Site
from terminal.studies import print_study
from terminal.tables import count, show, table
from terminal.waiting import wait_until


def import_file(site: Site, arguments: argparse.Namespace) -> None:
    """Import an archive of Earshot at once; show another tool's file, and import it with --yes."""
    renamed = dict(_parse_mapping(text) for text in arguments.map)
    if _is_archive(arguments.file):
        made = site.upload("/studies/import", arguments.file)
        show(arguments, made, _print_archive)
        return
    files = [("file", arguments.file)] + ([("extra", arguments.extra)] if arguments.extra else [])
    found = site.upload("/imports", files)
    path = f"/imports/{found['id']}"
    try:
        if found["error"]:
            raise Problem(found["error"])
        if not arguments.json:
            print_import(found)
        if not arguments.yes:
            said = "Nothing is imported. Use --yes to import it like this."
            show(arguments, found, lambda _: print(said))
            site.send("DELETE", path)
            return
        body: dict[str, object] = {"name": arguments.name or arguments.file.stem, "rule": arguments.rule}
        if found["results"]:
            body |= {"method": arguments.method, "keep_personal": arguments.personal}
            body["systems"] = renamed
        else:
            body["group"] = arguments.group
        made = site.send("POST", path, body)
    except Problem:
        site.send("DELETE", path)
        raise
    if not made["study"]:
        made = wait_until(
            site, path, lambda made: made["study"] or made["status"] == "failed", Work("importing")
        )
    if not made["study"]:
        raise Problem(made["error"])
    show(arguments, site.get(f"/studies/{made['study']}"), print_study)


def _print_archive(made: Any) -> None:
    for note in made["notes"]:
        print("! " + note)
    print_study(made["study"])


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


def print_import(found: Import) -> None:
    if read := found["results"]:
        print(f"{read['title']}; {' or '.join(read['methods'])}")
        counts = {"listener": read["listeners"], "item": len(read["items"]), "answer": read["answers"]}
        print(", ".join(count(n, noun) for noun, n in counts.items()))
        table(["in the file", "here"], list(read["systems"].items()))
        for note in read["notes"]:
            print("! " + note)
        if read["personal"]:
            print("! Left out without --personal: " + ", ".join(read["personal"]))
    for group in found["groups"]:
        print(f"{group['method']}: {count(len(group['pages']), 'page')} with {', '.join(group['systems'])}")
    for line in found["report"]:
        print(
            f"{line['kind'].replace('_', ' ')}: "
            + (f"line {line['line']}: " if line["line"] else "")
            + line["text"]
        )
