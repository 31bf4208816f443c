"""Other tools' files by the API."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from listening.interchange.imports.splitting import RULES
from listening.models import ImportDraft, Study
from tests.evaluation.conftest import script_of
from tests.problems import detail_of, fields_of

JSON = "application/json"
TABLE = (
    "listener,email,item,system,score\n1,a@b.c,s,Reference,100\n1,a@b.c,s,A,20\n2,d@e.f,s,Reference,98\n"
    "2,d@e.f,s,A,35\n"
)
CONFIGURATION = "testname: T\npages:\n- type: generic\n  id: g\n  content: hello\n"


@pytest.fixture
def client(alice: User) -> Client:
    return script_of(alice)


def sent(client: Client, content: str = TABLE, **extra: str) -> Any:
    files = {"file": SimpleUploadedFile("old.csv", content.encode())}
    files |= {name: SimpleUploadedFile("polqa.csv", text.encode()) for name, text in extra.items()}
    return client.post("/api/imports", files)


def test_seen_then_imported(client: Client, alice: User) -> None:
    answer = sent(client, extra="item,system,POLQA\ns,A,2.1\n")
    assert answer.status_code == 201
    found = answer.json()
    assert found["results"]["systems"] == {"Reference": "original", "A": "A"}
    assert (found["results"]["answers"], found["results"]["listeners"]) == (4, 2)
    assert found["results"]["metrics"] == ["polqa"]
    assert not Study.objects.exists()
    done = client.post(f"/api/imports/{found['id']}", {"name": "Old"}, content_type=JSON)
    assert done.status_code == 201
    study = Study.objects.get(pk=done.json()["study"])
    assert (study.name, study.owner, study.method) == ("Old", alice, "mushra")
    shown = client.get(f"/api/studies/{study.pk}/results").json()
    assert {row["slug"]: row["mean"] for row in shown["systems"]} == {"original": 99.0, "A": 27.5}
    assert (
        "a@b.c" not in client.get(f"/api/studies/{study.pk}/files/study.json?personal=yes").content.decode()
    )
    assert not ImportDraft.objects.exists()


def test_what_cannot_be_read_says_where(client: Client) -> None:
    answer = sent(client, TABLE.replace("35", "many"))
    assert "Line 5, column 5 (score)" in answer.json()["error"]
    done = client.post(f"/api/imports/{answer.json()['id']}", {}, content_type=JSON)
    assert (done.status_code, "Line 5, column 5" in done.json()["detail"]) == (422, True)
    assert not Study.objects.exists()
    unsupported = sent(client, CONFIGURATION).json()
    assert (unsupported["kind"], bool(unsupported["error"])) == ("configuration", True)
    assert client.post("/api/imports", {}).status_code == 422


def test_a_mapping_that_cannot_be_is_refused(client: Client) -> None:
    found = sent(client).json()
    twice = {"systems": {"Reference": "original", "A": "original"}}
    done = client.post(f"/api/imports/{found['id']}", twice, content_type=JSON)
    assert (done.status_code, "cannot both be original" in done.json()["detail"]) == (422, True)
    assert client.delete(f"/api/imports/{found['id']}").status_code == 204
    assert not ImportDraft.objects.exists()


def test_strangers_find_nothing(client: Client, bob: User) -> None:
    found = sent(client).json()
    other = script_of(bob)
    assert other.get(f"/api/imports/{found['id']}").status_code == 404
    assert other.post(f"/api/imports/{found['id']}", {}, content_type=JSON).status_code == 404
    assert other.delete(f"/api/imports/{found['id']}").status_code == 404


def test_missing_answers_roles_and_what_follows_are_told_before_and_after(client: Client) -> None:
    text = "listener,item,system,score\n1,s,A,20\n1,s,B,NA\n2,s,A,35\n2,s,B,40\n"
    found = sent(client, text).json()
    shown = found["results"]
    assert shown["missing"] == [{"line": 3, "listener": "1", "item": "s", "system": "B"}]
    assert shown["roles"] == {"reference": [], "low_anchor": [], "mid_anchor": []}
    assert "nobody is screened by it" in shown["consequences"][0]
    assert shown["options"]["score"][0] == "score"
    done = client.post(f"/api/imports/{found['id']}", {"name": "Old"}, content_type=JSON).json()
    assert "nobody is screened by it" in done["consequences"][0]
    assert any("1 answer is missing" in note and "line 3" in note for note in done["notes"])
    results = client.get(f"/api/studies/{done['study']}/results").json()
    assert "nobody is screened by it" in results["warnings"][0]
    roles = {"A": "original", "B": "anchor35"}
    again = sent(client, text).json()
    done = client.post(f"/api/imports/{again['id']}", {"systems": roles}, content_type=JSON).json()
    assert done["roles"] == {"reference": ["A"], "low_anchor": ["B"], "mid_anchor": []}
    assert [said.split(":")[0] for said in done["consequences"]] == ["No system is the 7 kHz anchor"]


@pytest.mark.parametrize(
    ("decision", "path", "said"),
    [
        ({"systems": {"C": "original"}}, "systems.C", "no system 'C' in the file"),
        ({"systems": {"A": "orignal"}}, "systems.A", "no system 'orignal' here"),
        ({"method": "abx"}, "method", "cannot be kept as abx. Methods that it can be kept as: mushra"),
        ({"name": "x" * 201}, "name", "longer than 200"),
        ({"score": "Score"}, "score", "no column 'Score'"),
        ({"sistems": {}}, "sistems", "does not belong here"),
    ],
)
def test_a_decision_that_cannot_be_is_refused_by_its_field(
    client: Client, decision: dict[str, Any], path: str, said: str
) -> None:
    found = sent(client).json()
    answer = client.post(f"/api/imports/{found['id']}", decision, content_type=JSON)
    assert said in detail_of(answer, 422)
    assert path in fields_of(answer)
    assert not Study.objects.exists()


WIDE = "listener,item,A,B\n1,s,20,30\n2,s,25,35\n"
MUSHRA = (
    "session_test_id,trial_id,rating_stimulus,rating_score,rating_time\nt,p,reference,100,1\nt,p,C1,50,1\n"
)


@pytest.mark.parametrize(
    ("content", "choice"),
    [
        *((TABLE, name) for name in ("rule", "attribute", "kind", "test")),
        *((WIDE, name) for name in ("attribute", "kind", "test")),
        *((MUSHRA, name) for name in ("rule", "attribute", "kind", "listener", "item", "system", "score")),
    ],
)
def test_a_choice_that_the_file_does_not_leave_open_is_refused_by_name(
    client: Client, content: str, choice: str
) -> None:
    """It was ignored."""
    found = sent(client, content).json()
    assert found["results"], found["error"]
    value = next(iter(RULES)) if choice == "rule" else "x"
    shown = client.get(f"/api/imports/{found['id']}?{choice}={value}").json()
    assert (shown["results"], choice in shown["error"]) == (None, True)
    refused = client.post(f"/api/imports/{found['id']}", {choice: value}, content_type=JSON)
    assert list(fields_of(refused)) == [choice]
    assert not Study.objects.exists()


@pytest.mark.parametrize("query", ["group=mushra:a", "group=x&rule="])
def test_what_only_configurations_take_is_refused_in_a_query_too(client: Client, query: str) -> None:
    found = sent(client).json()
    assert list(fields_of(client.get(f"/api/imports/{found['id']}?{query}"))) == ["group"]


def test_several_attributes_are_offered_as_a_choice(client: Client) -> None:
    text = "worker,clip,system,speech,background,overall\nw1,c1,A,3,1,2\nw1,c1,B,4,4,4\n"
    found = sent(client, text).json()
    assert (found["results"], found["options"]) == (None, {"attribute": ["speech", "background", "overall"]})
    assert "ITU-T P.835" in found["error"]
    refused = client.post(f"/api/imports/{found['id']}", {}, content_type=JSON)
    assert "attribute" in fields_of(refused)
    shown = client.get(f"/api/imports/{found['id']}?attribute=overall").json()["results"]
    assert (shown["scale"], shown["options"]["attribute"][0]) == ([2, 4], "overall")
    body = {"attribute": "overall", "method": "acr"}
    done = client.post(f"/api/imports/{found['id']}", body, content_type=JSON)
    assert Study.objects.get(pk=done.json()["study"]).method == "acr"


#: What each file of `../shared/cases/imports` becomes: how many grades, and words that must be said.
CASES = {
    "05-answers-with-NA.csv": (4, ["2 answers are missing", "lines 3, 5"]),
    "06-wide.csv": (15, ["1 answer is missing", "line 5", "reference, anchor, codecA, codecB"]),
    "07-reference-by-many-names.csv": (8, ["another name in each item"]),
    "08-three-attributes.csv": (0, ["ITU-T P.835", "speech, background, overall", "Line 1"]),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", CASES)
def test_shared_cases(client: Client, shared: Path, name: str) -> None:
    grades, words = CASES[name]
    found = sent(client, (shared / "cases" / "imports" / name).read_text()).json()
    results = found["results"]
    assert (results["answers"] if results else 0) == grades
    said = found["error"] + " ".join([*results["notes"], *results["consequences"]] if results else [])
    assert [each for each in words if each not in said] == []
    if name.startswith("07"):
        assert results["roles"]["reference"] == ["reference_a", "reference_b"]


FIGURES = {
    "mean": "mean", "ci95": "ci95_t_assessor_means", "median": "median", "q1": "q1_hinge",
    "q3": "q3_hinge", "iqr": "iqr",
}  # fmt: skip


@pytest.mark.shared
@pytest.mark.rest
@pytest.mark.parametrize("filtered", [False, True])
def test_published_figures_come_out_of_the_api(client: Client, shared: Path, filtered: bool) -> None:
    """From the published file, from one as a German Excel writes it, and from one with a column a system."""
    folder = shared / "reference" / "ratings"
    expected = json.loads((folder / "EXPECTED.json").read_text())
    summary = expected["benjsta_filtered" if filtered else "benjsta_unfiltered"]["summary"]
    part = "_filtered" if filtered else ""
    plain = (folder / "benjsta" / f"ratings_formated{part}_long.csv").read_text()
    excel = "".join(f"{line.replace(',', ';').replace('.0', ',0')}\n" for line in plain.splitlines())
    rows = list(csv.DictReader(io.StringIO(plain)))
    cells = {(row["pid"], row["signal"], row["condition"]): row["score"] for row in rows}
    heads = list(dict.fromkeys((row["pid"], row["signal"]) for row in rows))
    wide = [",".join(["Participant", "Signal", *summary])]
    wide += [",".join([*head, *(cells.get((*head, name), "NA") for name in summary)]) for head in heads]
    for content in (plain.encode(), excel.encode("utf-16"), "\n".join(wide).encode("utf-8-sig")):
        made = client.post("/api/imports", {"file": SimpleUploadedFile("r.csv", content)}).json()
        slugs = made["results"]["systems"]
        done = client.post(f"/api/imports/{made['id']}", {}, content_type=JSON).json()
        shown = client.get(f"/api/studies/{done['study']}/results?profile=none").json()["systems"]
        found = {row["slug"]: row for row in shown}
        assert set(found) == {slugs[system] for system in summary}
        for system, figures in summary.items():
            row = found[slugs[system]]
            assert (row["n"], row["listeners"]) == (figures["n"], figures["n_assessors"])
            for ours, theirs in FIGURES.items():
                assert row[ours] == pytest.approx(figures[theirs], abs=1e-3), (system, ours)


@pytest.mark.shared
def test_published_grades_come_out_of_the_api(client: Client, shared: Path) -> None:
    folder = shared / "reference" / "ratings"
    expected = json.loads((folder / "EXPECTED.json").read_text())["difftransfer_scale_1to5"]
    content = (folder / "difftransfer" / "listening_test_results.csv").read_bytes()
    made = client.post("/api/imports", {"file": SimpleUploadedFile("r.csv", content)}).json()
    assert made["results"]["listeners"] == expected["participants"]
    done = client.post(f"/api/imports/{made['id']}", {}, content_type=JSON).json()
    text = client.get(f"/api/studies/{done['study']}/ratings.csv").getvalue().decode()
    groups: dict[str, list[float]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        groups.setdefault(f"{row['clip'].rpartition('_')[2]}/{row['system']}", []).append(float(row["score"]))
    assert set(groups) == set(expected["summary"])
    for name, figures in expected["summary"].items():
        assert len(groups[name]) == figures["n"]
        assert mean(groups[name]) == pytest.approx(figures["mean"], abs=1e-3)


def test_what_results_leave_open_is_asked_and_answered(client: Client) -> None:
    text = "listener,item,A,B,Age,SD\n1,a,20,30,31,5\n1,b,25,36,31,6\n2,a,40,51,24,5.5\n2,b,41,50,24,4.5\n"
    found = sent(client, text + "Overall,a,30,40.5,,\n").json()
    asked = {each["key"]: each for each in found["questions"]}
    assert {key: each["answer"] for key, each in asked.items()} == {
        "column:A": "system", "column:B": "system", "column:Age": "out", "column:SD": "system",
        "summary:listener:Overall": "out",
    }  # fmt: skip
    assert all(option["consequence"] for each in found["questions"] for option in each["options"])
    assert asked["summary:listener:Overall"]["line"] == 6
    address = f"/api/imports/{found['id']}"
    shown = client.get(f"{address}?answer=column:SD=out&answer=summary:listener:Overall=keep").json()
    assert (shown["results"]["listeners"], set(shown["results"]["systems"])) == (3, {"A", "B"})
    for answer in ("column:Z=out", "nothing", "score=A"):
        refused = client.get(address, {"answer": answer})
        said = refused.json()
        assert (refused.status_code == 422) or "not a question of this file" in said["error"], answer
    wrong = client.post(address, {"answers": {"column:SD": "maybe"}}, content_type=JSON)
    assert "answers.column:SD" in fields_of(wrong)
    wrong = client.post(address, {"answers": {"score": "A"}}, content_type=JSON)
    assert "answers.score" in fields_of(wrong)
    done = client.post(address, {"answers": {"column:SD": "out"}}, content_type=JSON).json()
    assert Study.objects.get(pk=done["study"]).systems == ["A", "B"]
    assert any("The column SD is left out: as you decided." in note for note in done["notes"])
