"""Tests, report, figures, tables, metrics, seal and trials by the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from evaluation.models import Score
from listening.models import Analysis, Session, Study
from listening.results import analyses
from listening.simulation import runs as simulation
from tests.evaluation.conftest import script_of
from tests.listening.conftest import fetch_made
from tests.listening.generated import generate

JSON = "application/json"
QUALITY = {"anchor35": 20, "anchor70": 50, "opus-9k": 65, "bpgan-2k": 58}


@pytest.fixture
def client(alice: User) -> Client:
    return script_of(alice)


def at(study: Study, path: str) -> str:
    return f"/api/studies/{study.pk}/{path}"


def test_tests_figures_tables_and_the_report(client: Client, study: Study) -> None:
    assert client.get(at(study, "tests")).json() == {"status": "none", "error": "", "tests": None}
    generate(study, 4, QUALITY)
    assert client.get(at(study, "tests")).json()["status"] == "queued"
    early = client.get(at(study, "report.pdf"))
    assert (early.status_code, "still being computed" in early.json()["detail"]) == (409, True)
    analyses.run(Analysis.objects.get().pk)
    done = client.get(at(study, "tests")).json()
    assert (done["status"], done["error"]) == ("done", "")
    assert {"pairs", "friedman", "anova", "mixed", "agreement"} <= set(done["tests"])
    assert fetch_made(client, client.get(at(study, "report.pdf")))[:5] == b"%PDF-"
    assert r"\toprule" in client.get(at(study, "tables/table3.tex")).content.decode()
    assert client.get(at(study, "figures/grades.svg")).content.startswith(b"<?xml")
    assert client.get(at(study, "figures/differences.png")).content[:4] == b"\x89PNG"
    for missing in ("tables/no.tex", "figures/no.svg", "figures/grades.gif"):
        assert client.get(at(study, missing)).status_code == 404
    assert "no kind of session" in client.get(at(study, "tests?kind=x")).json()["detail"]
    assert "no screening profile" in client.get(at(study, "report.pdf?profile=x")).json()["detail"]


def test_a_sealed_study_tells_nothing_until_it_is_unsealed(client: Client, study: Study) -> None:
    Study.objects.filter(pk=study.pk).update(sealed_until=timezone.now() + timedelta(days=1))
    for path in ("tests", "report.pdf", "tables/table3.tex", "figures/grades.svg"):
        answer = client.get(at(study, path))
        assert (answer.status_code, "sealed" in answer.json()["detail"]) == (400, True)
    refused = client.post(at(study, "unseal"), {"understood": False}, content_type=JSON)
    assert (refused.status_code, client.get(at(study, "tests")).status_code) == (422, 400)
    assert client.post(at(study, "unseal"), {"understood": True}, content_type=JSON).json() == {
        "sealed": False
    }
    study.refresh_from_db()
    assert study.unsealed is not None
    assert client.get(at(study, "tests")).status_code == 200


def test_metrics_and_scores_of_a_study(client: Client, study: Study) -> None:
    queued = client.post(at(study, "metrics"), {"metrics": ["visqol"]}, content_type=JSON)
    assert queued.status_code == 202
    assert queued.json()["queued"] == Score.objects.filter(metric="visqol").count() > 0
    assert client.post(at(study, "metrics"), {"metrics": ["magic"]}, content_type=JSON).status_code == 422
    clip = study.items.filter(training=False)[0].clip
    table = SimpleUploadedFile("polqa.csv", f"clip,system,value\n{clip.pk},opus-9k,3.2\n".encode())
    assert client.post(at(study, "scores"), {"file": table}).json() == {
        "metric": "polqa", "created": 1, "replaced": 0,
    }  # fmt: skip
    wrong = SimpleUploadedFile("polqa.csv", f"clip,system,value\n{clip.pk},opus-9k,good\n".encode())
    refused = client.post(at(study, "scores"), {"file": wrong})
    assert (refused.status_code, "ine 2" in refused.json()["detail"]) == (422, True)


def test_simulated_listeners(client: Client, study: Study) -> None:
    wrong = client.post(at(study, "simulation"), {"listeners": 0}, content_type=JSON)
    assert (wrong.status_code, "whole number" in wrong.json()["detail"]) == (400, True)
    begun = client.post(at(study, "simulation"), {"listeners": 2, "seed": 3}, content_type=JSON)
    assert (begun.status_code, begun.json()["state"]) == (202, "running")
    simulation.run(str(study.pk))
    assert client.get(at(study, "simulation")).json()["made"] == 2
    assert client.get(at(study, "results?kind=simulated")).json()["kind"] == "simulated"
    assert client.get(at(study, "results")).json()["listeners"] == 0
    assert client.delete(at(study, "simulation")).json() == {"deleted": 2}
    assert not Session.objects.exists()


def test_a_pilot(client: Client, study: Study) -> None:
    assert client.post(at(study, "pilot")).status_code == 200
    study.refresh_from_db()
    assert (study.status, study.pilot) == ("open", True)
    assert client.post(at(study, "end-pilot")).json()["status"] == "ready"
    assert client.delete(at(study, "pilot-sessions")).json() == {"deleted": 0}


def test_strangers_find_nothing(study: Study, bob: User) -> None:
    other = script_of(bob)
    for path in ("tests", "report.pdf", "tables/table3.tex", "figures/grades.svg", "simulation"):
        assert other.get(at(study, path)).status_code == 404
    for path, body in (
        ("unseal", {"understood": True}), ("simulation", {}), ("metrics", {"metrics": ["visqol"]}),
    ):  # fmt: skip
        assert other.post(at(study, path), body, content_type=JSON).status_code == 404
    assert other.delete(at(study, "pilot-sessions")).status_code == 404
