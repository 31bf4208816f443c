"""What people wrote stands in elements with ``dir="auto"`` on every page, whatever language it is in."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from evaluation.models import Clip, UploadedSystem
from evaluation.outputs import batches
from evaluation.templatetags.isolation import sentence
from listening.models import ImportDraft, Session, Study
from listening.session.comments import save_comment
from listening.session.sessions import begin, start_session
from listening.study.removal import delete_session
from listening.study.studies import create_study, update_study
from tests.evaluation.conftest import make_speech, make_upload, make_wav
from tests.listening.conftest import SYSTEMS, grade, open_unrendered
from tests.listening.web.addresses import page_addresses

#: Each text has the mark, and says where it comes from.
MARK = "نص"
_EMPTY = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
#: What browsers show as plain text: no element can stand in it.
_PLAIN = frozenset({"title", "script", "style"})


class _Directions(HTMLParser):
    """Collects marked texts whose nearest element with a direction has another one than ``auto``."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, str | None]] = []
        self.found = 0
        self.wrong: list[str] = []
        self.own: list[list[str]] = []  # what stands in the open elements that take their own direction

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and MARK in (given.get("value") or "") and given.get("type") in (None, "text"):
            self.check(given.get("dir"), f"<input name={given.get('name')}>", given["value"] or "")
        if tag not in _EMPTY:
            # SVG has no dir; its texts take the direction of their words by a property.
            own = "auto" if given.get("unicode-bidi") == "plaintext" else None
            self.open.append((tag, given.get("dir", own)))
            if given.get("dir") == "auto":
                self.own.append([])

    def handle_endtag(self, tag: str) -> None:
        while self.open:
            closed, direction = self.open.pop()
            if direction == "auto" and self.own:
                text = " ".join(self.own.pop())
                # Three words of ours with a name make a sentence, which runs as the page does.
                if tag != "textarea" and MARK in text and len(re.findall(r"\b[A-Za-z]{2,}\b", text)) > 2:
                    self.wrong.append(f"sentence in <{closed} dir=auto>: {' '.join(text.split())[:80]}")
            if closed == tag:
                break

    def handle_data(self, data: str) -> None:
        for texts in self.own:
            texts.append(data)
        tags = [tag for tag, _ in self.open]
        if MARK not in data or _PLAIN & set(tags):
            return
        inside = self.open[tags.index("svg") :] if "svg" in tags else self.open
        nearest = next((direction for _, direction in reversed(inside) if direction), None)
        if "pre" in tags and nearest == "ltr":  # code and logs run from left to right
            nearest = "auto"
        self.check(nearest, " ".join(tag for tag, _ in self.open[-4:]), data)

    def check(self, direction: str | None, where: str, text: str) -> None:
        self.found += 1
        if direction != "auto":
            self.wrong.append(f"{where}: {' '.join(text.split())[:80]}")


def directions(html: str) -> _Directions:
    parser = _Directions()
    parser.feed(html)
    return parser


@pytest.fixture
def written(alice: User, processed: Callable[..., Clip]) -> Study:
    """A study in which everything that a person can write is Arabic."""
    own = batches.save_system(alice, f"{MARK} نظام", f"{MARK} ملاحظة", 1.5)
    systems = [*SYSTEMS, own.slug]
    clips = [
        processed(
            alice, systems, title=f"{MARK} مقطع {n}", original_name=f"{MARK} {n}.wav", credit=f"{MARK} ك"
        )
        for n in range(2)
    ]
    made = create_study(alice, f"{MARK} دراسة", clips, systems, seed=1, listed=True)
    open_unrendered(made)
    made.refresh_from_db()
    made.texts = {name: f"{MARK} {name}" for name in ("consent", "instructions", "thanks")}  # type: ignore[assignment]
    choices = [{"value": f"{MARK} {n}", "label": f"{MARK} خيار {n}"} for n in "ab"]
    made.questionnaire = [
        {"name": f"q{when}", "type": kind, "label": f"{MARK} سؤال", "help": f"{MARK} عون", "when": when,
         "required": False, **more}
        for when, kind, more in (("before", "text", {}), ("after", "single", {"choices": choices}))
    ]  # type: ignore[assignment]  # fmt: skip
    return update_study(made, ["texts", "questionnaire"])


def check(pages: dict[str, str]) -> int:
    read = {address: directions(html) for address, html in pages.items()}
    wrong = [f"{address} {text}" for address, page in read.items() for text in page.wrong]
    assert not wrong, "\n" + "\n".join(sorted(set(wrong)))
    return sum(page.found for page in read.values())


def html_of(client: Client, address: str) -> str:
    answer = client.get(address)
    shown = answer.status_code < 500 and answer.get("Content-Type", "").startswith("text/html")
    return answer.content.decode() if shown and not answer.streaming else ""


def test_what_people_wrote_takes_its_own_direction_for_researchers(
    alice: User, written: Study, media: Path
) -> None:
    system = UploadedSystem.objects.get()
    for _ in range(2):
        session = start_session(written)
        begin(session)
        for trial in session.trials.all():
            grade(trial, comment=f"{MARK} تعليق", scores={system.slug: 90, "original": 100})
        session.answers.create(question="qbefore", value=f"{MARK} جواب")
    delete_session(start_session(written), f"{MARK} سبب")
    client = Client()
    client.force_login(alice)
    batch = batches.receive(system, [make_upload(make_wav(make_speech(0.5)), f"{MARK} ملف.wav")])
    table = f"listener,item,system,score\n1,{MARK} s,{MARK} A,20\n1,{MARK} s,{MARK} B,35\n"
    sent = client.post("/import/", {"file": SimpleUploadedFile(f"{MARK}.csv", table.encode())})
    assert sent.status_code == 302, sent.content
    draft = ImportDraft.objects.get()
    steps = ("what", "how", "who", "check")
    known: dict[str, list[Any]] = {
        "study_id": [written.pk], "draft_id": [draft.pk], "slug": [system.slug], "step": list(steps),
        "clip": [Clip.objects.first()],
    }  # fmt: skip
    pages: dict[str, str] = {}
    for address in (each.template for each in page_addresses()):
        if address.startswith(("/s/", "/t/", "/sign")) or "delete" in address or "." in address:
            continue
        values = dict(known)
        if address.startswith("/clips/"):
            values["pk"] = list(Clip.objects.values_list("pk", flat=True))
        elif address.startswith("/outputs/"):
            values["pk"] = [batch.pk]
        names = re.findall(r"{(\w+)}", address)
        if not all(name in values for name in names):
            continue
        for turn in range(max((len(values[name]) for name in names), default=1)):
            each = address.format(**{name: values[name][turn % len(values[name])] for name in names})
            pages[each] = html_of(client, each)
    pages["front"] = html_of(Client(), "/")
    assert len([page for page in pages.values() if MARK in page]) > 12
    headline = re.search(r'id="answer">(.*?)</p>', pages[f"/studies/{written.pk}/results/"])
    assert headline is not None
    assert f'<bdi dir="auto">{system.title}</bdi> has ' in headline[1]
    assert check(pages) > 60


def test_what_people_wrote_takes_its_own_direction_for_listeners(written: Study) -> None:
    client = Client()
    pages = {"consent": html_of(client, f"/t/{written.token}/")}
    session = start_session(written)
    address = f"/s/{session.token}/"
    pages["before"] = html_of(client, address)
    session.answers.create(question="qbefore", value=f"{MARK} جواب")
    pages["draft"] = html_of(client, address)
    session.stages.create(name="before", data={})
    pages["volume"] = html_of(client, address)
    session.stages.create(name="volume", data={})
    pages["instructions"] = html_of(client, address)
    pages["withdraw"] = html_of(client, f"{address}withdraw/")
    begin(session)
    for trial in session.trials.all():
        save_comment(trial, f"{MARK} تعليق")
        pages[f"trial {trial.position}"] = html_of(client, address)
        grade(trial, comment=f"{MARK} تعليق")
    pages["after"] = html_of(client, address)
    session.stages.create(name="after", data={})
    Session.objects.update(finished="2026-01-01T00:00:00Z")
    pages["thanks"] = html_of(client, address)
    Study.objects.update(status=Study.Status.CLOSED)
    pages["closed"] = html_of(client, f"/t/{written.token}/")
    assert all(MARK in page for page in pages.values())
    assert check(pages) > 20


@pytest.mark.parametrize("method", ["acr", "dcr", "ccr", "bs1116", "abx", "ab"])
def test_the_page_of_every_method_keeps_the_name_apart(
    alice: User, processed: Callable[..., Clip], method: str
) -> None:
    study = create_study(alice, f"{MARK} دراسة", [processed(alice)], SYSTEMS, seed=1, method=method)
    open_unrendered(study)
    session = start_session(study)
    begin(session)
    assert check({method: html_of(Client(), f"/s/{session.token}/")}) >= 1
    client = Client()
    client.force_login(alice)
    assert check({f"results of {method}": html_of(client, f"/studies/{study.pk}/results/")}) >= 1


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"{MARK} 1 has a mean of 3.5, B 2.", "[نص 1] has a mean of 3.5, B 2."),
        (f"{MARK} أ, {MARK} ب and C (2.5)", "[نص أ], [نص ب] and C (2.5)"),
        (f"Is “{MARK} v2 (new)” training? “A” is.", "Is “[نص v2 (new)]” training? “A” is."),
        (f"The column {MARK}: 12 rows; <b>", "The column [نص]: 12 rows; &lt;b&gt;"),
        ("No name at all: 3.5, “A”.", "No name at all: 3.5, “A”."),
        (None, ""),
    ],
)
def test_names_in_a_sentence_stand_apart(said: str | None, shown: str) -> None:
    assert sentence(said).replace('<bdi dir="auto">', "[").replace("</bdi>", "]") == shown
