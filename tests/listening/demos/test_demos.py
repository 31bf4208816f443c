"""From a clip to a published demo page: what is frozen, what is refused, and who sees it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.utils.html import escape
from scipy import stats

from evaluation.clips.removal import list_files, remove_clip
from evaluation.models import Clip, Score
from listening.demos import drafts, publishing
from listening.demos.cover import wrap
from listening.demos.facts import DemoProblem, find_problems, gather_facts
from listening.demos.markdown import render_markdown
from listening.demos.pages import page_context
from listening.demos.publishing import delete_demo, publish
from listening.models import Analysis, Demo, DemoVersion, Rating, Study
from listening.study.studies import close_study, reopen_study
from listening.tasks import make_analysis, publish_demo
from tests.evaluation.conftest import RATE, make_speech, make_wav, script_of
from tests.listening.conftest import fetch_made, listen
from tests.listening.results.test_method_results import grade, prefer, right
from tests.rows import some

pytestmark = pytest.mark.django_db

MakeClip = Callable[..., Clip]


@pytest.fixture
def clip(alice: User, processed: MakeClip) -> Clip:
    """A clip whose Opus is half as loud as the original."""
    clip = processed(alice, ["opus-9k"], sound=True, credit="My own, CC BY 4.0", title="A sentence")
    opus = clip.renditions.get(system="opus-9k")
    opus.audio.save("half.wav", ContentFile(make_wav(0.5 * make_speech(0.5))))
    return clip


@pytest.fixture
def demo(alice: User, clip: Clip) -> Demo:
    return drafts.new_demo(alice, clip)


def publish_now(demo: Demo) -> DemoVersion:
    """Publish as a button and a worker do it."""
    version = publish(demo)
    publish_demo(version.pk)
    version.refresh_from_db()
    assert version.status == "done", version.log
    return version


def change(demo: Demo, **values: Any) -> None:
    demo.refresh_from_db()
    drafts.save_draft(demo, demo.draft.model_copy(update=values))


def test_a_page_of_a_clip_needs_nothing_more_to_be_published(demo: Demo, client: Client) -> None:
    assert find_problems(demo.draft, demo.owner) == {}
    version = publish_now(demo)
    Demo.objects.update(visibility="public")
    page = client.get(f"/d/{demo.token}/").content.decode()
    assert "A sentence" in page
    assert "My own, CC BY 4.0" in page
    # Rates and scores as `processed` made them: opus-9k is the fourth of its systems.
    assert "5.0\xa0kbit/s" in page
    assert "PESQ-WB 3.10" in page
    picture = b"".join(client.get(f"/d/{demo.token}/v{version.number}/picture.png"))  # type: ignore[call-overload]
    assert picture.startswith(b"\x89PNG")
    assert f'content="http://localhost:8000/d/{demo.token}/v1/picture.png"' in page
    assert [
        row["demo"].pk if isinstance(row, dict) else row.pk
        for row in client.get("/gallery/").context["demos"]
    ] == [demo.pk]


def test_sounds_are_as_loud_as_the_original_and_equally_long(demo: Demo, client: Client) -> None:
    version = publish_now(demo)
    Demo.objects.update(visibility="unlisted")
    levels = {}
    for system in ("original", "opus-9k"):
        answer = client.get(reverse("demo_sound", args=[demo.token, version.number, 0, system]))
        assert answer["Content-Type"] == "audio/flac"
        audio, rate = soundfile.read(io.BytesIO(b"".join(answer)))  # type: ignore[call-overload]
        assert (len(audio), rate) == (RATE // 2, RATE)
        levels[system] = 10 * np.log10(np.mean(audio**2))
    assert levels["opus-9k"] == pytest.approx(levels["original"], abs=0.1)
    shown = {sound.system: sound.gain_db for sound in version.facts.recordings[0].sounds}
    assert shown["opus-9k"] == pytest.approx(6.02, abs=0.1)


def test_a_part_of_a_clip_is_cut(demo: Demo, client: Client) -> None:
    row = demo.draft.recordings[0].model_copy(update={"start": 0.1, "end": 0.3})
    change(demo, recordings=[row])
    version = publish_now(demo)
    with version.sounds.first().audio.open() as file:  # type: ignore[union-attr]
        assert soundfile.info(file).frames == round(0.2 * RATE)
    assert version.facts.recordings[0].seconds == 0.2


def test_a_published_page_stays_as_it_is(demo: Demo, client: Client, clip: Clip) -> None:
    first = publish_now(demo)
    assert publish(demo).pk == first.pk  # nothing has changed
    Demo.objects.update(visibility="unlisted")
    change(demo, title="Another title")
    clip.renditions.update(kbps=77.0)
    page = client.get(f"/d/{demo.token}/").content.decode()
    assert "A sentence" in page
    assert "Another title" not in page
    assert "77.0" not in page
    assert publish_now(demo).number == 2
    assert "Another title" in client.get(f"/d/{demo.token}/").content.decode()
    old = client.get(f"/d/{demo.token}/v1/").content.decode()
    assert "Another title" not in old
    assert "newer version" in old
    remove_clip(clip)
    assert client.get(reverse("demo_sound", args=[demo.token, 2, 0, "opus-9k"])).status_code == 200
    assert "recordings.0.clip" in find_problems(demo.draft, demo.owner)


def test_what_was_measured_since_makes_a_next_version(demo: Demo, clip: Clip) -> None:
    """And nothing is published while a measure that the page shows is still to come."""
    first = publish_now(demo)
    pesq = Score.objects.filter(rendition__clip=clip, rendition__system="opus-9k", metric="pesq_wb")
    pesq.update(value=1.25)
    pesq.update(status="queued")
    assert "pesq_wb" in demo.draft.measures
    assert "measured" in find_problems(demo.draft, demo.owner)["recordings.0.clip"]
    pesq.update(status="done")
    assert publish_now(demo).number == first.number + 1
    shown = demo.versions.first().facts.recordings[0].sounds  # type: ignore[union-attr]
    assert {sound.scores.get("pesq_wb") for sound in shown} >= {1.25}


def test_a_page_that_is_refused_stays_as_hidden_as_it_was(demo: Demo, client: Client) -> None:
    publish_now(demo)
    change(demo, title="")
    client.force_login(demo.owner)
    client.post(f"/demos/{demo.pk}/", {"visibility": "public", "publish": "yes"})
    demo.refresh_from_db()
    assert demo.visibility == "private"


def test_only_figures_that_are_there_are_explained(demo: Demo, client: Client) -> None:
    Demo.objects.update(visibility="unlisted")
    explained = {"pesq_wb": "PESQ-WB (MOS-LQO): ITU-T P.862.2", "estoi": "ESTOI: Extended STOI"}
    for measures, expected in ((["pesq_wb", "estoi"], {"pesq_wb"}), (["estoi"], set())):
        change(demo, measures=measures)
        publish_now(demo)
        page = client.get(f"/d/{demo.token}/").content.decode()
        assert {slug for slug, words in explained.items() if words in page} == expected
        assert ("Figures are of this recording" in page) == bool(expected)


def test_a_system_has_one_column() -> None:
    content = drafts.parse_content({"systems": ["a", "b", "a"], "measures": ["kbps", "kbps"]})
    assert (content.systems, content.measures) == (["a", "b"], ["kbps"])


def test_what_is_missing_is_said_by_its_place(demo: Demo, alice: User) -> None:
    assert set(find_problems(drafts.new_demo(alice).draft, alice)) == {"title", "recordings", "systems"}
    row = demo.draft.recordings[0]
    for update, path in (
        ({"licence": ""}, "recordings.0.licence"),
        ({"start": 0.4, "end": 0.2}, "recordings.0.start"),
        ({"end": 9.0}, "recordings.0.start"),
    ):
        change(demo, recordings=[row.model_copy(update=update)])
        with pytest.raises(DemoProblem) as caught:
            publish(demo)
        assert set(caught.value.fields) == {path}
    assert not DemoVersion.objects.exists()


def test_a_failed_version_leaves_no_files_and_is_tried_again(
    demo: Demo, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> bytes:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "draw_cover", fail)
        version = publish(demo)
        publish_demo(version.pk)
    version.refresh_from_db()
    assert version.status == "failed"
    assert list(list_files("demos")) == []
    assert publish_now(demo).number == 1


def test_deleting_a_page_deletes_its_files(demo: Demo, django_capture_on_commit_callbacks: Any) -> None:
    version = publish_now(demo)
    assert default_storage.exists(version.picture.name)
    with django_capture_on_commit_callbacks(execute=True):
        delete_demo(demo)
    assert list(list_files("demos")) == []


@pytest.mark.parametrize(
    ("visibility", "stranger", "listed"),
    [("private", 404, False), ("unlisted", 200, False), ("public", 200, True)],
)
def test_who_sees_a_page(demo: Demo, bob: User, visibility: str, stranger: int, listed: bool) -> None:
    publish_now(demo)
    Demo.objects.update(visibility=visibility)
    addresses = [
        f"/d/{demo.token}/", f"/d/{demo.token}/v1/", f"/d/{demo.token}/embed/",
        f"/d/{demo.token}/v1/picture.png", f"/d/{demo.token}/v1/0-opus-9k.flac",
    ]  # fmt: skip
    nobody, other, owner = Client(), Client(), Client()
    other.force_login(bob)
    owner.force_login(demo.owner)
    for address in addresses:
        assert [client.get(address).status_code for client in (nobody, other, owner)] == [
            stranger, stranger, 200,
        ], address  # fmt: skip
    assert (demo in nobody.get("/gallery/").context["demos"]) is listed
    if stranger == 200:
        assert ("X-Robots-Tag" in nobody.get(addresses[0])) is not listed


def test_a_worker_packs_the_published_page(demo: Demo, client: Client, alice: User) -> None:
    client.force_login(alice)
    address = f"/demos/{demo.pk}/export.zip"
    assert client.get(address).status_code == 404
    version = publish_now(demo)
    content = fetch_made(client, client.get(address))
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        assert packed.testzip() is None
        assert "5.0\xa0kbit/s" in packed.read("index.html").decode()
    assert version.number == 1


def test_a_draft_is_its_authors_alone(demo: Demo, bob: User) -> None:
    other, script = Client(), script_of(bob)
    other.force_login(bob)
    for path in ("", "preview/", "preview/0-opus-9k.flac", "export.zip"):
        assert other.get(f"/demos/{demo.pk}/{path}").status_code == 404, path
        assert Client().get(f"/demos/{demo.pk}/{path}").status_code == 302, path
    for path in ("", "save/", "visibility/", "delete/"):
        assert other.post(f"/demos/{demo.pk}/{path}", {"title": "Mine"}).status_code == 404, path
    assert script.get(f"/api/demos/{demo.pk}").status_code == 404
    assert script.post(f"/api/demos/{demo.pk}/publish").status_code == 404
    assert script.delete(f"/api/demos/{demo.pk}").status_code == 404
    hidden = demo.draft.recordings[0].clip
    assert other.post("/demos/new/", {"clip": hidden}).status_code == 404
    assert script.post("/api/demos", {"clip": hidden}, content_type="application/json").status_code == 404
    # A clip that somebody else may not hear is not shown on their page either.
    mine = drafts.new_demo(bob)
    drafts.save_draft(mine, demo.draft)
    assert gather_facts(mine.draft, bob).recordings == []
    assert other.get(f"/demos/{mine.pk}/preview/0-original.flac").status_code == 404


def test_only_a_closed_study_shows_its_grades(alice: User, make_study: Callable[..., Study]) -> None:
    study = make_study(sound=True)
    scores = {"original": 100, "anchor35": 20, "anchor70": 40, "opus-9k": 60, "bpgan-2k": 80}
    for shift in (-4, 0, 6):
        listen(study, {slug: min(100, max(0, score + shift)) for slug, score in scores.items()})
    content = drafts.new_demo(alice, study=study).draft
    assert gather_facts(content, alice).grades is None
    assert "study" in find_problems(content, alice)
    close_study(study)
    grades = gather_facts(content, alice).grades
    assert grades is not None
    assert (grades.listeners, grades.method) == (3, "MUSHRA")
    (row,) = [row for row in grades.rows if row.system == "opus-9k"]
    means = np.array([56.0, 60.0, 66.0])
    half = stats.t.ppf(0.975, 2) * means.std(ddof=1) / np.sqrt(3)
    assert row.mean == pytest.approx(means.mean(), abs=1e-3)
    assert row.half_width == pytest.approx(half, abs=1e-3)
    Study.objects.update(sealed_until="2999-01-01T00:00:00Z")
    assert gather_facts(content, alice).grades is None


def test_the_editor_and_its_preview_say_why_no_grades_are_shown(
    alice: User, make_study: Callable[..., Study]
) -> None:
    study = make_study()
    close_study(study)
    demo = drafts.new_demo(alice, study=study)
    client = Client()
    client.force_login(alice)

    def said() -> str:
        found = find_problems(demo.draft, alice).get("study", "")
        assert escape(found) in client.get(f"/demos/{demo.pk}/").content.decode()
        assert escape(found) in client.get(f"/demos/{demo.pk}/preview/").content.decode()
        return found

    assert said().startswith("Nobody has finished the study")
    reopen_study(study)
    listen(study, {"original": 100, "anchor35": 20, "anchor70": 40, "opus-9k": 60, "bpgan-2k": 80})
    close_study(study)
    assert said() == ""
    Rating.objects.filter(stimulus__system="original").update(score=10)  # the rule of BS.1534-3
    assert said().startswith("The screening leaves out every listener")
    reopen_study(study)
    assert said().startswith("The study is not closed")


def test_the_editor_keeps_what_is_written_and_moves_rows(
    alice: User, demo: Demo, processed: MakeClip
) -> None:
    second = processed(alice, ["opus-9k"], title="Second")
    client = Client()
    client.force_login(alice)
    row = demo.draft.recordings[0]
    sent = {
        "title": " A  title\u202e ", "authors": "Ada; London\n\nGrace", "blind": "yes",
        "recording_clip": row.clip, "recording_title": "One", "recording_caption": "",
        "recording_licence": "CC0",
        "recording_start": "0,1", "recording_end": "", "system": ["original", "opus-9k"], "measure": "kbps",
        "section_heading": ["Method", ""], "section_text": ["*How*", ""], "section_place": ["above", "below"],
        "study": "",
    }  # fmt: skip
    page = f"/demos/{demo.pk}/"
    assert client.post(page, {**sent, "add_clip": str(second.pk)}).status_code == 302
    demo.refresh_from_db()
    assert demo.draft.title == "A title"
    assert [(a.name, a.affiliation) for a in demo.draft.authors] == [("Ada", "London"), ("Grace", "")]
    assert [(r.title, r.start) for r in demo.draft.recordings] == [("One", 0.1), ("Second", 0.0)]
    assert [(s.heading, s.above) for s in demo.draft.sections] == [("Method", True)]
    answer = client.post(f"{page}save/", {**sent, "recording_licence": ""}).json()
    assert [problem["at"] for problem in answer["problems"]] == ["recordings-0-licence"]
    assert client.post(f"{page}save/", {**sent, "paper": "javascript:alert(1)"}).status_code == 422
    client.post(page, {**sent, "raise_system": "opus-9k"})
    demo.refresh_from_db()
    assert demo.draft.systems == ["opus-9k", "original"]
    client.post(page, {**sent, "remove_recording": "0"})
    demo.refresh_from_db()
    assert demo.draft.recordings == []


def test_a_page_that_would_tell_the_listeners_of_an_open_study(alice: User, study: Study) -> None:
    content = drafts.new_demo(alice, study=study).draft
    assert drafts.open_studies_with(content) == [study]
    close_study(study)
    assert drafts.open_studies_with(content) == []


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<script>alert(1)</script>", "<p dir=\"auto\">&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("[a](javascript:alert(1))", '<p dir="auto">[a](javascript:alert(1))</p>'),
        ("[a](https://a.org)", '<p dir="auto"><a href="https://a.org" rel="nofollow noopener">a</a></p>'),
        ("![a](//a.org)", '<p dir="auto">!<a href="//a.org" rel="nofollow noopener">a</a></p>'),
        ("# One", '<h3 dir="auto">One</h3>'),
        ("a &amp; <b>", '<p dir="auto">a &amp; &lt;b&gt;</p>'),
    ],
)  # fmt: skip
def test_markdown_is_harmless(text: str, html: str) -> None:
    assert render_markdown(text).strip() == html


def test_titles_are_wrapped_and_cut() -> None:
    assert wrap("one two three", 2, 10, 6 * 7) == ["one two", "three"]
    assert wrap("one two three four", 2, 10, 6 * 7) == ["one two", "three…"]
    assert wrap("", 2, 10, 60) == []


def test_a_script_publishes(alice: User, clip: Clip) -> None:
    script = script_of(alice)
    made = script.post("/api/demos", {"clip": str(clip.pk)}, content_type="application/json").json()
    assert made["problems"] == {}
    address = f"/api/demos/{made['id']}"
    changed = {**made["content"], "title": "By script"}
    assert (
        script.patch(
            address, {"content": changed, "visibility": "public"}, content_type="application/json"
        ).status_code
        == 200
    )
    wrong = script.patch(
        address, {"content": {"recordings": [{"clip": "x"}]}}, content_type="application/json"
    )
    assert [row["path"] for row in wrong.json()["errors"]] == ["content.recordings.0.clip"]
    assert script.post(f"{address}/publish").json()["status"] == "queued"
    publish_demo(DemoVersion.objects.get().pk)
    found = script.get("/api/demos").json()["items"]
    assert [(row["title"], row["version"], row["visibility"]) for row in found] == [
        ("By script", 1, "public")
    ]
    assert "By script" in Client().get(found[0]["url"].removeprefix("http://localhost:8000")).content.decode()
    assert script.delete(address).status_code == 204


#: What a method calls its answers and means, the systems or pairs that have one, and the ends of its scale.
BRIEF = {
    "acr": ("grades", "MOS", (1, 5)),
    "dcr": ("grades", "DMOS", (1, 5)),
    "ccr": ("grades", "CMOS", (-3, 3)),
    "bs1116": ("grades", "diff grade", (-4, 1)),
    "abx": ("answers", "right answers", None),
    "ab": ("votes", "prefer the left one   |   prefer the right one", None),
}


@pytest.mark.parametrize("method", some(BRIEF, {"acr", "bs1116", "abx"}.__contains__))
def test_every_method_shows_what_its_listeners_gave(
    alice: User, hold: Callable[..., Study], method: str
) -> None:
    """The means and shares of the answers by QUALITY: Opus 4 and BPGAN 2 of 5, always told apart."""
    answer = {"abx": right, "ab": prefer}.get(method, grade)
    options: dict[str, Any] = {"abx": {"trials": 1}, "ab": {"pairs": "reference"}}.get(method, {})
    study = hold(method, answer, listeners=3, **options)
    close_study(study)
    content = drafts.new_demo(alice, study=study).draft
    if method == "ab":
        assert "computed" in find_problems(content, alice)["study"]
        make_analysis(Analysis.objects.get().pk)
    assert "study" not in find_problems(content, alice)
    shown = gather_facts(content, alice).grades
    assert shown is not None
    kind, measure, ends = BRIEF[method]
    assert (shown.kind, shown.measure, shown.listeners, shown.items) == (kind, measure, 3, 2)
    page = page_context(content, gather_facts(content, alice), lambda position, system: "/")
    assert "<svg" in page["grades_svg"]
    html = render_to_string("listening/demos/_page.html", page | {"root": "/", "level_note": ""})
    # What an interval of votes is over differs by pair, and stands in the study's results.
    over = "with its 95 % interval" if method == "ab" else "over listeners"
    assert over in html
    alone = [row.model_copy(update={"low": None, "high": None}) for row in shown.shares]
    one = shown.model_copy(update={"listeners": 1, "shares": alone if method == "ab" else shown.shares})
    facts = gather_facts(content, alice).model_copy(update={"grades": one})
    page_of_one = page_context(content, facts, lambda position, system: "/") | {"root": "/"}
    assert over not in render_to_string("listening/demos/_page.html", page_of_one)
    if ends is None:
        shares = {(row.left, row.right): (row.share, row.counts) for row in shown.shares}
        expected = {
            "abx": {
                ("Original – Opus 9k", ""): (1.0, "6 of 6"),
                ("Original – BPGAN 2k", ""): (1.0, "6 of 6"),
            },
            # The one at the left is preferred by everybody: nobody's share is at the right.
            "ab": {("Original", "Opus 9k"): (0.0, "6 : 0"), ("Original", "BPGAN 2k"): (0.0, "6 : 0")},
        }[method]
        assert shares == expected
        assert f"Listeners’ {kind}" in html
        return
    assert (shown.low, shown.high) == ends
    means = {row.system: row.mean for row in shown.rows}
    # The reference has 5; CCR goes down to -3.
    less = {"bs1116": 5, "ccr": 5}.get(method, 0)
    assert means["opus-9k"] == 4 - less
    assert means["bpgan-2k"] == max(2 - less, -3)
    assert f"{measure}: mean of listener means" in html
