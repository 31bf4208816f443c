"""The words of the command: what it can be asked for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import terminal
from terminal import clips, imports, people, results, studies, systems
from terminal.completion import SHELLS, commands_of
from terminal.local import LOCAL, version
from terminal.login import login


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="earshot",
        description=(terminal.__doc__ or "").split("\n", 1)[0],
        epilog="CLIP and STUDY: an id, a name, or the beginning of either if nothing else begins so.",
    )
    top.add_argument("--version", action="version", version=f"Earshot {version()}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Any, title: str, to: Any = commands) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = to.add_parser(name, help=title, description=title)
        made.set_defaults(run=run)
        return made

    def refer(to: argparse.ArgumentParser, **kinds: str) -> None:
        """The arguments of these names are clips or studies."""
        to.set_defaults(refers=kinds)

    def offer_json(to: argparse.ArgumentParser) -> None:
        to.add_argument("--json", action="store_true", help="print everything as JSON")

    def offer_kind(to: argparse.ArgumentParser) -> None:
        to.add_argument("--kind", choices=["real", "pilot", "simulated"])

    def offer_view(to: argparse.ArgumentParser) -> None:
        to.add_argument("--profile", help="of screening: bs1534 (default), mpeg, none, custom")
        offer_kind(to)

    for name, (_, title) in LOCAL.items():
        add(name, None, title)
    command = add("completion", None, "print what makes a shell complete the words of this command")
    command.add_argument("shell", choices=[*SHELLS])

    command = add("login", login, "save a site's URL and your token")
    command.add_argument("url", metavar="URL")
    command.add_argument("token", metavar="TOKEN")

    command = add("upload", clips.upload, "send recordings; every system processes them")
    offer_json(command)
    command.add_argument("files", metavar="FILE", type=Path, nargs="+")
    command.add_argument("--title", help="default: the file's name")
    command.add_argument(
        "--wait", action="store_true", help="wait until everything is made and measured, then show it"
    )

    command = add("clips", clips.clips, "list your clips")
    command.add_argument("--search", default="", help="part of the title")
    offer_json(command)
    command = add("clip", clips.clip, "a clip's renditions by every system")
    command.add_argument("id", metavar="CLIP")
    refer(command, id="clip")
    offer_json(command)
    offer_json(add("systems", systems.systems, "list every system"))

    own = add("system", None, "your own systems, run elsewhere").add_subparsers(
        required=True, metavar="ACTION"
    )
    command = add("new", systems.system_new, "make a system; prints its slug", own)
    command.add_argument("title", metavar="TITLE")
    offer_json(command)
    command.add_argument("--note", default="", help="for reports: version, exact command")
    command.add_argument("--kbps", type=float, help="as you state it, kbit/s")
    command = add("send", systems.system_send, "check outputs against their clips, and store them", own)
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
    offer_json(command)
    command = add("delete", systems.system_delete, "delete a system with its outputs", own)
    command.add_argument("slug", metavar="SLUG")

    studies_command = add("study", None, "make, list and run studies")
    acts = studies_command.add_subparsers(required=True, metavar="ACTION")
    command = add("new", studies.study_new, "make a study", acts)
    command.add_argument("name", metavar="NAME")
    command.add_argument("--clip", action="append", required=True, metavar="CLIP", help="repeat for each")
    command.add_argument("--system", action="append", required=True, metavar="SLUG", help="repeat for each")
    command.add_argument("--method", help="mushra (default), bs1116, abx, ab, acr, dcr or ccr")
    command.add_argument("--settings", type=Path, help="a JSON file with other settings, as in the API")
    refer(command, clip="clip")
    command.add_argument("--closed", action="store_true", help="do not open the study when it is ready")
    command.add_argument("--wait", action="store_true", help="wait until the stimuli are rendered")
    offer_json(command)
    command = add("list", studies.study_list, "list your studies", acts)
    command.add_argument("--search", default="", help="part of the name")
    command.add_argument("--status", choices=["preparing", "ready", "open", "closed"])
    command.add_argument("--archived", action="store_true", help="those that were archived")
    offer_json(command)
    command = add("show", studies.study_show, "a study, its link and its progress", acts)
    command.add_argument("id", metavar="STUDY")
    offer_json(command)
    for action, title in (
        ("open", "open a study to listeners"),
        ("close", "close a study to listeners"),
        ("reopen", "open a closed study again"),
        ("pilot", "open a study for a pilot with separate results"),
        ("end-pilot", "end a pilot"),
        ("archive", "put a study away that is not open"),
        ("restore", "show an archived study in lists again"),
    ):
        command = add(action, studies.study_act, title, acts)
        command.set_defaults(action=action)
        offer_json(command)
        command.add_argument("id", metavar="STUDY")
    command = add(
        "duplicate", studies.study_duplicate, "copy a study without its listeners; prints its id", acts
    )
    command.add_argument("id", metavar="STUDY")
    command.add_argument("--name", default="", help="default: the study's name, marked as a copy")
    offer_json(command)
    command = add("delete", studies.study_delete, "delete a study with all its grades", acts)
    command.add_argument("id", metavar="STUDY")
    command = add("change", studies.study_change, "change settings", acts)
    command.add_argument("id", metavar="STUDY")
    command.add_argument(
        "settings", metavar="FILE", type=Path, help="a JSON file, as the API's PATCH takes it"
    )
    offer_json(command)
    command = add("people", people.study_people, "who shares in a study", acts)
    command.add_argument("id", metavar="STUDY")
    offer_json(command)
    command = add("invite", people.study_invite, "make an invitation; prints its link", acts)
    command.add_argument("id", metavar="STUDY")
    command.add_argument("--role", choices=["viewer", "editor"], default="viewer", help="default: viewer")
    command.add_argument("--many", action="store_true", help="for any number of people, not one")
    command.add_argument("--days", type=int, default=7, help="how long it is open: 1, 7 (default), 30 or 90")
    command.add_argument("--email", default="", metavar="ADDRESS", help="send the link there, too")
    offer_json(command)
    command = add("role", people.study_role, "give somebody who shares in a study another role", acts)
    command.add_argument("id", metavar="STUDY")
    command.add_argument("user", metavar="USER")
    command.add_argument("role", choices=["viewer", "editor"])
    offer_json(command)
    command = add("remove", people.study_remove, "take somebody's role away, or give back your own", acts)
    command.add_argument("id", metavar="STUDY")
    command.add_argument("user", metavar="USER")
    command = add("history", people.study_history, "what people did to a study", acts)
    command.add_argument("id", metavar="STUDY")
    offer_json(command)
    command = add("sessions", studies.study_sessions, "who took part", acts)
    command.add_argument("id", metavar="STUDY")
    offer_json(command)
    offer_kind(command)
    command = add("forget", studies.study_forget, "delete all data of a session; a note stays", acts)
    command.add_argument("id", metavar="STUDY")
    command.add_argument("session", metavar="SESSION")
    command.add_argument("--reason", default="")
    offer_json(command)
    command = add("unseal", studies.study_unseal, "break the seal before its time", acts)
    command.add_argument("id", metavar="STUDY")
    command.add_argument(
        "--understood", action="store_true", help="a broken seal stays broken and is reported"
    )
    command = add("simulate", studies.study_simulate, "try the design with simulated listeners", acts)
    command.add_argument("id", metavar="STUDY")
    command.add_argument("--listeners", type=int, default=20)
    command.add_argument("--seed", type=int, default=1)
    offer_json(command)
    command = add("measure", studies.study_measure, "measure by more metrics, or upload scores", acts)
    command.add_argument("id", metavar="STUDY")
    command.add_argument(
        "metric", metavar="METRIC", nargs="+", help="visqol, dnsmos_p808, distillmos, phones, ..."
    )
    command.add_argument("--scores", type=Path, help="a CSV with the columns clip, system and value")
    offer_json(command)
    command = add("report", results.study_report, "fetch the report as PDF", acts)
    command.add_argument("id", metavar="STUDY")
    command.add_argument("-o", "--output", type=Path)
    offer_view(command)
    command = add("export", results.export, "fetch a file of a study", acts)
    command.add_argument("id", metavar="STUDY")
    command.add_argument(
        "name", metavar="FILE", nargs="?", default="archive.zip",
        help="archive.zip (default), study.json, ratings.csv, ratings.parquet, events.csv, mushra.csv, "
             "table3.tex, grades.svg, grades.png, ...",
    )  # fmt: skip
    command.add_argument("-o", "--output", type=Path)
    offer_kind(command)
    command.add_argument("--personal", action="store_true", help="with platform ids and answers of listeners")
    command = add(
        "import", imports.import_file, "import a study from an archive, or another tool's results", acts
    )
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
    offer_json(command)

    command = add("results", results.results, "means and intervals of the grades")
    command.add_argument("id", metavar="STUDY")
    offer_view(command)
    offer_json(command)
    for each in (*commands_of(top).values(), *commands_of(studies_command).values()):
        if any(action.metavar == "STUDY" for action in each._actions):
            refer(each, id="study")
    return top
