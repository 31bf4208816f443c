"""A visitor's own voice: consent, what is taken in, what is heard, who finds it, and that nothing stays."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from evaluation.clips.removal import list_files
from listening.columns.demos import DemoContent
from listening.demos import voices
from listening.models import Demo, DemoVersion, VoiceSound, VoiceTrial
from listening.tasks import hear_voice, remove_voices
from listening.web import throttling
from tests.evaluation.conftest import RATE, make_speech, make_upload, make_wav

pytestmark = pytest.mark.django_db(transaction=True)

SYSTEMS = ["opus-6k", "codec2-2.4k"]


@pytest.fixture(autouse=True)
def two_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voices, "SYSTEMS", tuple(SYSTEMS))


def send(client: Client, content: bytes | None = None, **fields: str) -> Any:
    content = make_wav(make_speech(0.5)) if content is None else content
    sent = {"consent": "yes", "file": make_upload(content, "voice.wav")} | fields
    return client.post("/voice/", sent, headers={"Accept": "application/json"})


def taken(client: Client, content: bytes | None = None, **fields: str) -> VoiceTrial:
    answer = send(client, content, **fields)
    assert answer.status_code == 201, answer.content
    return VoiceTrial.objects.get(token=answer.json()["url"].split("/")[-2])


def test_a_voice_is_heard_through_every_system_by_its_link(client: Client, media: Path) -> None:
    stereo = np.stack([make_speech(0.5, 44_100)] * 2, axis=1)
    trial = taken(client, content=make_wav(stereo, 44_100))
    state = client.get(f"/voice/{trial.token}/state/").json()
    assert [(row["slug"], bool(row["audio_url"])) for row in state["systems"]] == [
        ("original", True), ("opus-6k", False), ("codec2-2.4k", False),
    ]  # fmt: skip
    assert not state["finished"]
    hear_voice(str(trial.pk))
    state = client.get(f"/voice/{trial.token}/state/").json()
    assert state["finished"]
    for row in state["systems"]:
        answer = client.get(row["audio_url"])
        assert answer["Cache-Control"] == "private, no-store"
        heard = media / f"heard-{row['slug']}.wav"
        heard.write_bytes(b"".join(answer))  # type: ignore[arg-type]
        assert soundfile.info(heard).frames == RATE // 2
        assert (soundfile.info(heard).samplerate, soundfile.info(heard).channels) == (RATE, 1)
    assert 2.3 < state["systems"][2]["kbps"] < 2.6  # by its name
    # As a stranger sees it, who has the link and nothing else.
    page = Client().get(f"/voice/{trial.token}/")
    assert page["X-Robots-Tag"] == "noindex"
    assert "no-store" in page["Cache-Control"]
    assert f"{state['systems'][2]['kbps']:.1f}\xa0kbit/s" in page.content.decode()
    # Of what was sent, nothing is kept but what is heard.
    assert len(list(list_files("voices"))) == len(list(list_files(""))) - 3 == 3


@pytest.mark.parametrize(
    ("content", "fields", "said"),
    [
        (None, {"consent": ""}, "consent"),
        (b"", {}, "empty"),
        (b"not a recording" * 10, {}, "text file"),
        (make_wav(make_speech(8.1)), {}, "8.1 s is longer than the 8 s"),
        (make_wav(make_speech(0.2)), {}, "shorter than"),
        (make_wav(np.zeros(RATE)), {}, "muted"),
        (make_wav(np.zeros(voices.MAX_BYTES // 2)), {}, "more than 10 MB"),
        (None, {"demo": "nothing"}, "not found"),
    ],
)
def test_nothing_is_kept_of_what_is_refused(
    client: Client, content: bytes | None, fields: dict[str, str], said: str
) -> None:
    answer = send(client, content, **fields)
    assert answer.status_code in (404, 422)
    assert said in answer.content.decode().lower() or said in answer.json()["detail"]
    assert not VoiceTrial.objects.exists()
    assert not list(list_files("voices"))


def test_exactly_eight_seconds_are_taken(client: Client) -> None:
    assert taken(client, content=make_wav(make_speech(8.0))).seconds == 8.0


def test_after_a_day_nothing_is_left(client: Client) -> None:
    trial, other = taken(client), taken(client)
    assert timedelta(hours=23, minutes=59) < trial.expires - timezone.now() <= timedelta(days=1)
    hear_voice(str(trial.pk))
    VoiceTrial.objects.filter(pk=trial.pk).update(expires=timezone.now())
    # The link is dead before the job comes.
    for address in ("", "state/", "original.wav", "opus-6k.wav"):
        assert client.get(f"/voice/{trial.token}/{address}").status_code == 404
    assert len(list(list_files("voices"))) == 4
    remove_voices()
    assert list(VoiceTrial.objects.all()) == [other]
    assert list(VoiceSound.objects.values_list("trial", flat=True)) == [other.pk]
    assert list(list_files("voices")) == [f"voices/{other.pk}/original.wav"]


def test_a_file_whose_worker_was_killed_goes_too(client: Client, media: Path) -> None:
    trial = taken(client)
    old, young = media / f"voices/{trial.pk}/old.wav", media / f"voices/{trial.pk}/young.wav"
    other = media / "clips/old.wav"
    other.parent.mkdir()
    for path in (old, young, other):
        path.write_bytes(b"RIFF")
    hours_ago = timezone.now().timestamp() - 2 * 3600
    for path in (old, other, media / f"voices/{trial.pk}/original.wav"):
        os.utime(path, (hours_ago, hours_ago))
    remove_voices()
    assert {path.name for path in old.parent.iterdir()} == {"original.wav", "young.wav"}
    assert other.exists()


def test_whoever_has_the_link_deletes_at_once(client: Client) -> None:
    trial = taken(client)
    assert client.get(f"/voice/{trial.token}/delete/").status_code == 302
    assert "Deleted" in client.post(f"/voice/{trial.token}/delete/").content.decode()
    assert client.get(f"/voice/{trial.token}/").status_code == 404
    assert not VoiceTrial.objects.exists()
    assert not list(list_files("voices"))


def test_what_is_deleted_while_a_system_is_at_work_leaves_nothing(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = taken(client)
    really = voices.process

    def process(*arguments: Any, **named: Any) -> Any:
        done = really(*arguments, **named)
        voices.remove(trial)
        return done

    monkeypatch.setattr(voices, "process", process)
    hear_voice(str(trial.pk))
    assert not VoiceSound.objects.exists()
    assert not list(list_files("voices"))


def test_a_system_that_refuses_does_not_stop_the_next(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voices, "SYSTEMS", ("no-such-system", "opus-6k"))
    trial = taken(client)
    hear_voice(str(trial.pk))
    rows = client.get(f"/voice/{trial.token}/state/").json()["systems"]
    assert "no-such-system" in rows[1]["problem"]
    assert rows[1]["audio_url"] is None
    assert rows[2]["audio_url"]


def test_recordings_are_limited_by_address_and_in_all(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttling, "VOICE_ADDRESS", throttling.Limit("voice address", 2, 60))
    monkeypatch.setattr(throttling, "VOICE", throttling.Limit("voice", 3, 60))
    for address, status, said in (
        ("192.0.2.1", 422, ""), ("192.0.2.1", 422, ""), ("192.0.2.1", 429, "from here"),
        ("192.0.2.2", 422, ""), ("192.0.2.3", 429, "Too many people"),
    ):  # fmt: skip
        answer = client.post("/voice/", {}, headers={"Accept": "application/json"}, REMOTE_ADDR=address)
        assert (answer.status_code, said in answer.json()["detail"]) == (status, True)


def test_a_visitor_waits_for_one_slow_system_at_most() -> None:
    chosen = ["bpgan-4k", "opus-9k", "original", "bpgan-2k", "opus-64k", "codec2-2.4k", "own-1"]
    version = DemoVersion(content={"systems": chosen})
    # Those of speech; the slow one last.
    assert voices.systems_of(version) == ["opus-9k", "codec2-2.4k", "bpgan-4k"]


def test_no_account_sees_or_retries_anothers_voice(client: Client, alice: User) -> None:
    trial = taken(client)
    VoiceTrial.objects.update(status="failed")
    client.force_login(alice)
    assert trial.token not in client.get("/home/").content.decode()
    assert client.get(f"/jobs/voicetrial/{trial.pk}/").status_code == 404


@pytest.mark.parametrize("allowed", [True, False])
def test_a_demo_page_records_where_its_owner_allows_it(client: Client, alice: User, allowed: bool) -> None:
    content = DemoContent(
        title="Mine", systems=["original", "own-1", "bpgan-2k", "amrnb-4.75k"], voice=allowed
    )
    demo = Demo.objects.create(owner=alice, visibility="unlisted", draft=content)
    DemoVersion.objects.create(demo=demo, number=1, content=content, status="done", finished=timezone.now())
    page = client.get(f"/d/{demo.token}/")
    assert ("data-recorder" in page.content.decode()) == allowed
    assert ("microphone=(self)" in page["Permissions-Policy"]) == allowed
    frame = client.get(f"/d/{demo.token}/embed/")
    assert "microphone=()" in frame["Permissions-Policy"]
    assert "data-recorder" not in frame.content.decode()
    if allowed:
        # Its own systems that a visitor need not wait for, the quickest first.
        assert taken(client, demo=demo.token).systems == ["amrnb-4.75k", "bpgan-2k"]
    else:
        assert send(client, demo=demo.token).status_code == 422


def test_whoever_runs_the_site_can_switch_it_off(client: Client, alice: User, settings: Any) -> None:
    content = DemoContent(title="Mine", systems=["original", "opus-6k"], voice=True)
    demo = Demo.objects.create(owner=alice, visibility="unlisted", draft=content)
    DemoVersion.objects.create(demo=demo, number=1, content=content, status="done", finished=timezone.now())
    before = taken(client)
    settings.OWN_VOICE = False
    for address in ("/", f"/d/{demo.token}/"):
        page = client.get(address)
        assert page.status_code == 200
        assert "data-recorder" not in page.content.decode()
        assert "#voice" not in page.content.decode()
        assert "microphone=()" in page["Permissions-Policy"]
    for sent in ({}, {"demo": demo.token}):
        answer = send(client, **sent)
        assert (answer.status_code, answer.json()["detail"]) == (422, "This site takes no recordings.")
    assert client.get(f"/voice/{before.token}/").status_code == 200  # until its day is over
    # The author's tick survives a save meanwhile.
    client.force_login(alice)
    assert (
        '<input type="hidden" name="voice" value="yes">' in client.get(f"/demos/{demo.pk}/").content.decode()
    )
