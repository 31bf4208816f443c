"""Pages of a researcher's own systems: they work, they need signing in, and strangers find nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client

from evaluation import tasks
from evaluation.models import Clip, OutputBatch, Rendition, Score, UploadedSystem
from evaluation.outputs import batches as outputs
from tests.codec.speech import harvard_sentence
from tests.evaluation.conftest import make_speech, make_upload, make_wav


@pytest.fixture
def system(alice: User, make_clip: Callable[..., Clip]) -> UploadedSystem:
    make_clip(alice, make_speech(1.0), title="one", original_name="one.wav")
    return outputs.save_system(alice, "My codec", "version 3", 1.5)


@pytest.fixture
def page(alice: User, client: Client) -> Client:
    client.force_login(alice)
    return client


def test_making_and_changing_a_system(page: Client, alice: User) -> None:
    assert page.post("/systems/", {"title": "X", "kbps": "fast"}).status_code == 422
    answer = page.post("/systems/", {"title": "X", "kbps": "1,5", "note": "v1"}, follow=True)
    made = UploadedSystem.objects.get(owner=alice)
    assert (made.title, made.kbps, made.note) == ("X", 1.5, "v1")
    assert "1.50\xa0kbit/s stated" in answer.content.decode()
    page.post(f"/systems/{made.slug}/", {"title": "Y", "kbps": "", "note": ""})
    made.refresh_from_db()
    assert (made.title, made.kbps) == ("Y", None)
    assert b"not a bit rate" in page.post(f"/systems/{made.slug}/", {"title": "Y", "kbps": "x"}).content


def test_from_upload_to_output(page: Client, system: UploadedSystem) -> None:
    body = make_wav(make_speech(1.0))
    answer = page.post(f"/systems/{system.slug}/outputs/", {"file": [make_upload(body, "one.wav")]})
    batch = OutputBatch.objects.get()
    assert answer["Location"] == f"/outputs/{batch.pk}/"
    assert b"Checking: 0 of 1" in page.get(f"/outputs/{batch.pk}/").content
    tasks.handle_outputs(str(batch.pk))
    shown = page.get(f"/outputs/{batch.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "Fits the clip." in shown
    assert "<html" not in shown
    page.post(f"/outputs/{batch.pk}/confirm/", {"take": [batch.files.get().pk, "x"]})
    tasks.handle_outputs(str(batch.pk))
    assert b"1 output stored" in page.get(f"/outputs/{batch.pk}/").content
    rendition = Rendition.objects.get(system=system.slug)
    listed = page.get(f"/systems/{system.slug}/").content.decode()
    assert "one.wav" in listed
    assert "measuring" in listed
    measures = Score.objects.filter(rendition=rendition)
    measures.update(status="failed", error="It broke.")
    listed = page.get(f"/systems/{system.slug}/").content.decode()
    assert ("measuring" in listed, "It broke." in listed) == (False, True)
    measures.update(status="done", value=0.875)
    listed = page.get(f"/systems/{system.slug}/").content.decode()
    assert ("measuring" in listed, "0.875" in listed) == (False, True)
    clip = page.get(f"/clips/{rendition.clip_id}/").content.decode()
    assert "1.50 stated" in clip
    page.post(f"/systems/{system.slug}/outputs/{rendition.pk}/delete/")
    assert not Rendition.objects.exists()


def test_a_refused_upload_is_told_on_the_page(page: Client, system: UploadedSystem) -> None:
    answer = page.post(f"/systems/{system.slug}/outputs/", {"file": [make_upload(b"PK\x03\x04", "x.zip")]})
    assert answer.status_code == 422
    assert b"This zip cannot be opened" in answer.content


def test_strangers_find_nothing(client: Client, bob: User, system: UploadedSystem) -> None:
    batch = outputs.receive(system, [make_upload(make_wav(make_speech(1.0)), "one.wav")])
    addresses = [f"/systems/{system.slug}/", f"/outputs/{batch.pk}/"]
    for address in ["/systems/", *addresses]:
        assert "/signin/" in client.get(address)["Location"]
    client.force_login(bob)
    assert [client.get(address).status_code for address in addresses] == [404, 404]
    for address in (f"/systems/{system.slug}/delete/", f"/outputs/{batch.pk}/discard/"):
        assert client.post(address).status_code == 404
    assert UploadedSystem.objects.exists()


def test_discarding_and_deleting(page: Client, system: UploadedSystem) -> None:
    batch = outputs.receive(system, [make_upload(make_wav(make_speech(1.0)), "one.wav")])
    page.post(f"/outputs/{batch.pk}/discard/")
    assert not OutputBatch.objects.exists()
    page.post(f"/systems/{system.slug}/delete/")
    assert not UploadedSystem.objects.exists()


def test_a_delay_that_changes_is_drawn(page: Client, alice: User, make_clip: Callable[..., Clip]) -> None:
    speech = harvard_sentence(0)
    make_clip(alice, speech, title="two", original_name="two.wav")
    own = outputs.save_system(alice, "Late codec", "", None)
    half = speech.size // 2
    output = np.concatenate([speech[:half], np.zeros(800, np.float32), speech[half:]])
    batch = outputs.receive(own, [make_upload(make_wav(output), "two.wav")])
    tasks.handle_outputs(str(batch.pk))
    shown = page.get(f"/outputs/{batch.pk}/").content.decode()
    assert "Its delay changes" in shown
    assert shown.count("<circle") >= 6
    assert 'aria-label="Delay against the clip from second to second"' in shown
    assert 'name="shift"' not in shown
