"""`earshot` from a terminal, against a site that really answers."""

from __future__ import annotations

import argparse
import io
import json
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User

import earshot
import terminal
from codec.__main__ import build_parser
from evaluation import tasks
from evaluation.management.commands import benchmark
from evaluation.models import Clip, OutputBatch, Rendition
from evaluation.work import jobs
from listening.interchange.exports import bundle
from listening.models import Analysis, ImportDraft, MadeFile, Study
from listening.people import sharing
from listening.results import analyses
from listening.simulation import runs as simulation
from listening.tasks import make_file, prepare_study
from listening.web import accounts
from terminal import progress, waiting
from terminal.completion import SHELLS, commands_of, complete
from terminal.local import LOCAL
from terminal.words import parser
from tests.evaluation.conftest import make_clip, make_speech, make_wav
from tests.listening.conftest import SYSTEMS, listen, make_study, processed, study

__all__ = ["make_clip", "make_study", "processed", "study"]  # fixtures

Run = Callable[..., str]


@pytest.fixture
def run(
    transactional_db: None,
    live_server: Any,
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Run:
    """Run `earshot WORDS`; returns what it printed, or its complaint where `code` is expected."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.05)
    monkeypatch.chdir(tmp_path)
    for name in ("EARSHOT_URL", "EARSHOT_TOKEN"):
        monkeypatch.delenv(name, raising=False)

    def call(*words: object, code: int = 0) -> str:
        assert earshot.main([str(word) for word in words]) == code
        printed = capsys.readouterr()
        return printed.out if code == 0 else printed.err

    call("login", live_server.url, accounts.make_api_token(alice))
    return call


def test_the_token_is_kept_for_its_owner_alone(run: Run, tmp_path: Path, live_server: Any) -> None:
    kept = tmp_path / "config" / "earshot.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert json.loads(kept.read_text())["url"] == live_server.url
    assert "does not know this token" in run("login", live_server.url, "wrong", code=1)
    assert "not the URL of a site" in run("login", "file:///etc", "x", code=1)
    kept.unlink()
    assert "Run: earshot login" in run("clips", code=1)


def test_a_recording_goes_up_and_shows_what_became_of_it(run: Run, tmp_path: Path) -> None:
    file = tmp_path / 'a "quoted" näme.wav'
    file.write_bytes(make_wav(make_speech(0.5)))
    clip_id, name = run("upload", file).split(" ", 1)
    assert name.strip() == str(file)
    assert Clip.objects.get(pk=clip_id).title == 'a "quoted" näme'
    assert 'a "quoted" näme' in run("clips", "--search", "näme")
    Rendition.objects.update(status="failed", error="Install libopus.")
    shown = run("clip", clip_id)
    assert "failed" in shown.splitlines()[0]
    assert "Install libopus." in shown
    assert "bpgan-2k" in run("systems")
    # The same bytes are the same clip, whose work is over.
    sent, waited = run("upload", "--wait", file).split("\n", 1)
    assert sent.split(" ", 1) == [clip_id, str(file)]
    assert waited == shown
    assert [made["id"] for made in json.loads(run("upload", "--wait", "--json", file))] == [clip_id]


def test_what_is_no_recording_is_refused_in_the_sites_words(run: Run, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear reader")
    assert "earshot: " in run("upload", tmp_path / "letter.txt", code=1)
    assert "No such file" in run("upload", tmp_path / "nothing.wav", code=1)
    assert not Clip.objects.exists()


def test_a_study_from_making_it_to_its_results(
    run: Run,
    alice: User,
    processed: Callable[..., Clip],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = processed(alice, sound=True)
    (tmp_path / "more.json").write_text('{"seed": 5, "max_sessions": 9}')
    words = ["--system", SYSTEMS[0], "--system", SYSTEMS[1], "--settings", tmp_path / "more.json", "--closed"]
    study_id = run("study", "new", "From here", "--clip", clip.pk, *words).strip()
    study = Study.objects.get(pk=study_id)
    assert (study.seed, study.max_sessions, study.name) == (5, 9, "From here")
    prepare_study(study_id)
    assert "ready" in run("study", "show", study_id)
    assert "open" in run("study", "open", study_id)
    study.refresh_from_db()
    for grade in (80, 60):
        listen(study, {"original": 100, "anchor35": 20, "anchor70": 60, "opus-9k": grade, "bpgan-2k": 64})
    zoe = User.objects.create_user("zoë")
    link = run("study", "invite", study_id, "--role", "editor").strip()
    sharing.accept(link.rstrip("/").rsplit("/", 1)[1], zoe)
    assert [line.split() for line in run("study", "people", study_id).splitlines()[-2:]] == [
        ["alice", "owner"],
        ["zoë", "editor"],
    ]
    assert run("study", "role", study_id, "zoë", "viewer").split()[-2:] == ["zoë", "viewer"]
    assert "no longer shares" in run("study", "remove", study_id, "zoë")
    history = run("study", "history", study_id)
    assert [line.index("alice ") > 0 for line in history.splitlines()[-5:]] == [True] * 5
    assert "alice made zoë a viewer." in history
    assert study_id in run("study", "list", "--status", "open")
    assert study_id not in run("study", "list", "--status", "closed")

    shown = run("results", study_id)
    row = next(line for line in shown.splitlines() if line.startswith("Opus 9k"))
    assert "70.0" in row
    assert "2 listeners, 1 item" in shown
    assert json.loads(run("results", study_id, "--json"))["listeners"] == 2

    run("study", "export", study_id, "ratings.csv", "-o", tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text().count("\n") == 21
    monkeypatch.setattr(waiting.time, "sleep", lambda _seconds: make_file(str(MadeFile.objects.get().pk)))
    assert run("study", "export", study_id).strip() == "archive.zip"
    MadeFile.objects.all().delete()
    monkeypatch.setattr(bundle, "MOST_AT_ONCE", 0)
    run("study", "export", study_id, "ratings.csv", "-o", tmp_path / "by a worker.csv")
    assert (tmp_path / "by a worker.csv").read_bytes() == (tmp_path / "r.csv").read_bytes()
    assert zipfile.ZipFile(tmp_path / "archive.zip").testzip() is None
    assert "nothing here" in run("study", "export", study_id, "nothing.csv", code=1)
    assert not list(tmp_path.glob("nothing*"))

    assert "already" in run("study", "import", tmp_path / "archive.zip", code=1)
    assert "Deleted" in run("study", "delete", study_id)
    assert not Study.objects.exists()


def test_outputs_of_an_own_system(
    run: Run, alice: User, make_clip: Callable[..., Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(alice, make_speech(1.0), title="one", original_name="one.wav")
    slug = run("system", "new", "Mine", "--kbps", "1.5").strip()
    assert "already" in run("system", "new", "mine", code=1)

    def work(seconds: float) -> None:
        tasks.handle_outputs(str(OutputBatch.objects.get().pk))

    monkeypatch.setattr(waiting.time, "sleep", work)
    monkeypatch.setattr(jobs, "let_others_write", lambda: None)  # by sleeping, which is to work here
    late = np.concatenate([np.zeros(800, np.float32), make_speech(1.0)])[:16000]
    (tmp_path / "one.wav").write_bytes(make_wav(late))
    (tmp_path / "two.wav").write_bytes(make_wav(late))
    shown = run("system", "send", slug, "one.wav", "two.wav")
    assert "50.00" in shown
    assert "Nothing is stored" in shown
    assert not Rendition.objects.exists()
    shown = run("system", "send", slug, "one.wav", "two.wav", "--store", "--align")
    assert "1 of 2 stored, 1 aligned." in shown
    rendition = Rendition.objects.get(system=slug)
    assert rendition.clip == clip
    assert rendition.parameters["delay_seconds"] == pytest.approx(0.05, abs=1e-4)
    assert "No such file" in run("system", "send", slug, "three.wav", code=1)
    OutputBatch.objects.all().delete()
    assert "None of the files" in run("system", "send", slug, "two.wav", "--store", code=1)
    assert "Deleted" in run("system", "delete", slug)
    assert not Rendition.objects.exists()


def test_another_tools_results(run: Run, tmp_path: Path) -> None:
    text = "listener,item,system,score\n1,s,Reference,100\n1,s,A,20\n2,s,Reference,98\n2,s,A,36\n"
    (tmp_path / "old.csv").write_text(text)
    (tmp_path / "polqa.csv").write_text("item,system,POLQA\ns,A,2.1\n")
    shown = run("study", "import", "old.csv", "--extra", "polqa.csv")
    assert "2 listeners, 1 item, 4 answers" in shown
    assert "Nothing is imported" in shown
    assert not ImportDraft.objects.exists()
    run("study", "import", "old.csv", "--extra", "polqa.csv", "--yes", "--map", "A=anchor35", "--name", "Old")
    study = Study.objects.get()
    assert study.name == "Old"
    assert study.imported["systems"] == {"Reference": "original", "A": "anchor35"}
    (tmp_path / "old.csv").write_text(text.replace("36", "many"))
    assert "Line 5, column 4 (score)" in run("study", "import", "old.csv", "--yes", code=1)
    assert "NAME=SLUG" in run("study", "import", "polqa.csv", "--yes", "--map", "A", code=1)
    assert not ImportDraft.objects.exists()


def test_simulating_and_reading_the_report(
    run: Run, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(seconds: float) -> None:
        if simulation.run(str(study.pk)) == 0:
            analyses.run(Analysis.objects.get().pk)
        for row in MadeFile.objects.all():
            make_file(str(row.pk))

    monkeypatch.setattr(waiting.time, "sleep", work)
    monkeypatch.setattr(jobs, "let_others_write", lambda: None)  # by sleeping, which is to work here
    assert "2 simulated listeners" in run("study", "simulate", study.pk, "--listeners", "2")
    assert "simulated" in run("study", "sessions", study.pk, "--kind", "simulated")
    run("study", "report", study.pk, "--kind", "simulated", "-o", "r.pdf")
    assert (tmp_path / "r.pdf").read_bytes()[:5] == b"%PDF-"
    run("study", "export", study.pk, "table3.tex", "--kind", "simulated")
    assert "booktabs" in (tmp_path / "table3.tex").read_text()
    run("study", "export", study.pk, "grades.png", "--kind", "simulated")
    assert (tmp_path / "grades.png").read_bytes()[:4] == b"\x89PNG"
    session = study.sessions.first()
    assert session
    assert "a note of it stays" in run("study", "forget", study.pk, session.pk, "--reason", "asked for it")
    assert study.deletions.get().reason == "asked for it"
    (tmp_path / "later.json").write_text('{"sealed_until": "2999-01-01T00:00:00Z"}')
    run("study", "change", study.pk, "later.json")
    assert "sealed" in run("results", study.pk, code=1)
    assert "understand" in run("study", "unseal", study.pk, code=1)
    run("study", "unseal", study.pk, "--understood")
    assert run("results", study.pk, "--kind", "simulated")


def test_lists_go_on_over_pages(run: Run, alice: User, make_clip: Callable[..., Clip]) -> None:
    for number in range(103):
        make_clip(alice, title=f"Clip {number:03d}")
    shown = run("clips").splitlines()
    assert len(shown) == 104
    assert "Clip 000" in shown[-1]


def test_wrong_words_and_a_site_that_is_away(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("study", "paint")
    assert stopped.value.code == 2
    monkeypatch.setenv("EARSHOT_URL", "http://127.0.0.1:9")
    assert "does not answer" in run("clips", code=1)


def test_it_needs_nothing_but_python(tmp_path: Path) -> None:
    """It can be copied to a machine without any package; and it says what it can do."""
    copy = shutil.copy(earshot.__file__, tmp_path)
    shutil.copytree(Path(terminal.__file__).parent, tmp_path / "terminal")
    for words in (["--help"], ["study", "--help"], ["study", "new", "--help"]):
        done = subprocess.run(
            [sys.executable, "-E", "-s", "-S", copy, *words], capture_output=True, text=True, check=True
        )
        assert "usage: earshot" in done.stdout


def test_names_and_beginnings_stand_for_ids(
    run: Run, alice: User, make_clip: Callable[..., Clip], study: Study
) -> None:
    one, other = make_clip(alice, title="Violin, slow"), make_clip(alice, title="Violin")
    for reference, found in (("violin", other), ("Violin, s", one), (str(one.pk)[:13], one), (one.pk, one)):
        assert json.loads(run("clip", reference, "--json"))["id"] == str(found.pk), reference
    several = run("clip", "viol", code=1)
    assert (str(one.pk) in several, str(other.pk) in several) == (True, True)
    assert "no clip whose id or name begins with 'cello'" in run("clip", "cello", code=1)
    copy = run("study", "duplicate", "speech", "--name", "Again").strip()
    run("study", "archive", "again")
    assert [row["id"] for row in json.loads(run("study", "list", "--json"))] == [str(study.pk)]
    assert json.loads(run("study", "show", copy[:8], "--json"))["archived"]


def test_it_completes_words_and_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        (["stu"], ["study"]),
        (["study", "du"], ["duplicate"]),
        (["study", "list", "--j"], ["--json"]),
        (["nothing", "x"], []),
    ):
        assert complete(words, parser()) == expected
    for shell in SHELLS:
        assert earshot.main(["completion", shell]) == 0
        assert "earshot complete" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        earshot.main(["--version"])
    assert capsys.readouterr().out.startswith("Earshot ")


#: Commands that print no data: they say that something is done, or write a file.
WITHOUT_DATA = {
    "login", "completion", "system delete", "study delete", "study remove", "study unseal", "study report",
    "study export",
}  # fmt: skip
#: Of those that run on this machine: the site's commands are Django's, the others write files of their own.
LOCAL_WITHOUT_DATA = {"train", "calibrate", "ceilings", "search-report", "site"}


def options_by_command(here: argparse.ArgumentParser, name: str = "") -> dict[str, set[str]]:
    """The options of every command below `here`, by its words."""
    inner = commands_of(here)
    if not inner:
        return {name: {text for action in here._actions for text in action.option_strings}}
    found: dict[str, set[str]] = {}
    for word, command in inner.items():
        found |= options_by_command(command, f"{name} {word}".strip())
    return found


def test_every_command_whose_output_is_data_prints_it_as_json() -> None:
    found = options_by_command(parser())
    assert len(found) > 30
    without = {name for name, options in found.items() if "--json" not in options}
    assert without == WITHOUT_DATA | set(LOCAL)
    here = options_by_command(build_parser([]))
    here["benchmark"] = options_by_command(benchmark.Command().create_parser("earshot", "benchmark"))[""]
    assert {name for name in LOCAL if "--json" not in here.get(name, ())} == LOCAL_WITHOUT_DATA


def test_json_is_what_the_site_answered(run: Run, study: Study, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(make_wav(make_speech(0.5)))
    (uploaded,) = json.loads(run("upload", "a.wav", "--json"))
    assert Clip.objects.get(pk=uploaded["id"]).title == "a"
    assert json.loads(run("system", "new", "Mine", "--json"))["title"] == "Mine"
    copy = json.loads(run("study", "duplicate", study.pk, "--name", "Again", "--json"))
    assert Study.objects.get(pk=copy["id"]).name == "Again"
    assert json.loads(run("study", "close", study.pk, "--json"))["status"] == "closed"
    (tmp_path / "change.json").write_text('{"max_sessions": 7}')
    assert json.loads(run("study", "change", copy["id"], "change.json", "--json"))["max_sessions"] == 7
    (tmp_path / "old.csv").write_text("listener,item,system,score\n1,s,A,20\n1,s,B,30\n")
    seen = json.loads(run("study", "import", "old.csv", "--json"))
    assert (seen["results"]["listeners"], seen["results"]["answers"]) == (1, 2)


def test_work_and_transfers_say_how_far_they_are_and_how_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def lines(*, on: io.StringIO) -> list[str]:
        monkeypatch.setattr(sys, "stderr", on)
        clock = iter(range(0, 1000, 10)).__next__  # each look at it is 10 s later
        monkeypatch.setattr(progress.time, "monotonic", clock)
        work = progress.Work("speech.wav", "systems")
        work.show(4, 24)
        work.show(6, 24)
        work.end()
        list(progress.Progress("speech.wav", 4_000_000).follow([b"x" * 1_000_000]))
        progress.Work("making the file").show()
        return [line.strip() for line in on.getvalue().replace("\n", "\r").split("\r") if line.strip()]

    shown = lines(on=Terminal())
    # Begun at 0 s with 4; at 30 s there are 6: two more in half a minute.
    assert shown[0] == "speech.wav: 4 of 24 systems, 0.0 a minute"
    assert shown[1] == "speech.wav: 6 of 24 systems, 4.0 a minute"
    assert shown[2] == "speech.wav: 25 % of 4.0 MB, 0.1 MB/s"
    assert shown[3] == "making the file: 10 s"
    assert lines(on=io.StringIO()) == []  # in a pipe


def test_what_runs_here_is_handed_on(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["encode", "--help"], ["site", "api_token", "--help"], ["benchmark", "--help"]):
        with pytest.raises(SystemExit):
            earshot.main(words)
        assert f"usage: earshot {' '.join(words[:-1]) if words[0] != 'benchmark' else 'site benchmark'}" in (
            capsys.readouterr().out
        )
