"""Studies: made, changed, opened and closed; who takes part."""

from __future__ import annotations

import argparse
import json
import urllib.parse
from pathlib import Path

from terminal.problem import Problem
from terminal.progress import Work
from terminal.shapes import Study
from terminal.site import Site
from terminal.tables import count, show, show_json, table
from terminal.waiting import wait_until, wait_while


def study_new(site: Site, arguments: argparse.Namespace) -> None:
    body = read_settings(arguments.settings) if arguments.settings else {}
    body |= {"name": arguments.name, "clips": arguments.clip, "systems": arguments.system}
    if arguments.method:
        body["method"] = arguments.method
    if arguments.closed:
        body["open_when_ready"] = False
    made = site.send("POST", "/studies", body)
    if not arguments.json:
        print(made["id"])
    if arguments.wait:
        made = wait_while(site, f"/studies/{made['id']}", made["name"], ["preparing"])
    if arguments.json:
        show_json(made)
    elif arguments.wait:
        print_study(made)


def read_settings(file: Path) -> dict[str, object]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise Problem(f"{file}: {error}") from None
    if not isinstance(found, dict):
        raise Problem(f"{file}: expected a JSON object of settings.")
    return found


def study_change(site: Site, arguments: argparse.Namespace) -> None:
    changed = site.send("PATCH", f"/studies/{arguments.id}", read_settings(arguments.settings))
    show(arguments, changed, print_study)


def study_sessions(site: Site, arguments: argparse.Namespace) -> None:
    rows = list(site.pages(f"/studies/{arguments.id}/sessions", kind=arguments.kind))
    if arguments.json:
        show_json(rows)
        return
    table(["id", "listener", "kind", "begun", "finished", "trials"], [
        [row["id"], row["assessor"], row["kind"], (row["started"] or "")[:16], (row["finished"] or "–")[:16],
         f"{row['trials_finished']} of {row['trials']}"] for row in rows
    ])  # fmt: skip


def study_forget(site: Site, arguments: argparse.Namespace) -> None:
    query = urllib.parse.urlencode({"reason": arguments.reason})
    gone = site.send("DELETE", f"/studies/{arguments.id}/sessions/{arguments.session}?{query}")
    said = f"Deleted session {gone['number']} with {gone['ratings']} grades; a note of it stays."
    show(arguments, gone, lambda _: print(said))


def study_unseal(site: Site, arguments: argparse.Namespace) -> None:
    site.send("POST", f"/studies/{arguments.id}/unseal", {"understood": arguments.understood})
    print("The seal is broken; the report says so.")


def study_simulate(site: Site, arguments: argparse.Namespace) -> None:
    path = f"/studies/{arguments.id}/simulation"
    site.send("POST", path, {"listeners": arguments.listeners, "seed": arguments.seed})
    found = wait_until(
        site,
        path,
        lambda found: found["state"] != "running",
        Work("simulating", "listeners"),
        lambda found: (found["made"], arguments.listeners),
    )
    said = f"{found['made']} simulated listeners. See: earshot results {arguments.id} --kind simulated"
    show(arguments, found, lambda _: print(said))


def study_measure(site: Site, arguments: argparse.Namespace) -> None:
    if arguments.scores:
        if len(arguments.metric) != 1:
            raise Problem("A table has the scores of one metric: name one.")
        path = f"/studies/{arguments.id}/scores"
        stored = site.upload(path, arguments.scores, {"metric": arguments.metric[0]})
        said = f"{stored['created'] + stored['replaced']} scores of {stored['metric']} taken."
        show(arguments, stored, lambda _: print(said))
        return
    queued = site.send("POST", f"/studies/{arguments.id}/metrics", {"metrics": arguments.metric})
    show(arguments, queued, lambda _: print(f"Queued: {count(queued['queued'], 'score')}."))


def study_list(site: Site, arguments: argparse.Namespace) -> None:
    archived = "yes" if arguments.archived else ""
    rows = list(site.pages("/studies", search=arguments.search, status=arguments.status, archived=archived))
    if arguments.json:
        show_json(rows)
        return
    table(["id", "name", "method", "status", "finished"], [
        [row["id"], row["name"], row["method"], row["status"], row["sessions_finished"]] for row in rows
    ])  # fmt: skip


def study_show(site: Site, arguments: argparse.Namespace) -> None:
    show(arguments, site.get(f"/studies/{arguments.id}"), print_study)


def study_duplicate(site: Site, arguments: argparse.Namespace) -> None:
    made = site.send("POST", f"/studies/{arguments.id}/duplicate", {"name": arguments.name})
    show(arguments, made, lambda _: print(made["id"]))


def print_study(study: Study) -> None:
    print(
        f"{study['name']}: {study['method']}, {study['status']}"
        + (f" ({study['error']})" if study["error"] else "")
    )
    print("systems:  " + ", ".join(study["systems"]))
    print("link:     " + study["listener_url"])
    print(f"sessions: {study['sessions_started']} started, {study['sessions_finished']} finished")


def study_act(site: Site, arguments: argparse.Namespace) -> None:
    show(arguments, site.send("POST", f"/studies/{arguments.id}/{arguments.action}"), print_study)


def study_delete(site: Site, arguments: argparse.Namespace) -> None:
    site.send("DELETE", f"/studies/{arguments.id}")
    print("Deleted, with every grade in it.")
