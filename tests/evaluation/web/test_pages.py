"""The pages around clips: who sees them, what they say, what they refuse."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils.html import escape, strip_tags

from codec import registry
from evaluation.analysis.words import keep_units
from evaluation.metrics import METRICS
from evaluation.models import Clip, Job, Rendition, Score
from evaluation.web.player_data import player_data, status_text, table_rows
from listening.models import Item, Study
from tests.evaluation.conftest import SPEECH_SYSTEMS, make_speech, make_upload, make_wav

pytestmark = pytest.mark.django_db

MakeClip = Callable[..., Clip]
HOSTILE = '</script><script>alert("x")</script>'


@pytest.fixture
def clip(alice: User, make_clip: MakeClip) -> Clip:
    return make_clip(alice, title="Two sentences")


@pytest.fixture
def signed_in(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


def done(clip: Clip, system: str, **scores: float) -> Rendition:
    """A finished rendition with files and scores."""
    rendition = Rendition(clip=clip, system=system, status=Job.Status.DONE, kbps=8.125, payload_bits=8125)
    rendition.encode_seconds = rendition.decode_seconds = 0.1
    rendition.audio.save("audio.wav", ContentFile(make_wav(make_speech(1.0))), save=False)
    rendition.bitstream.save("bits.ear", ContentFile(b"EAR1"), save=False)
    rendition.save()
    for metric, value in scores.items():
        Score.objects.create(rendition=rendition, metric=metric, value=value, status=Job.Status.DONE)
    return rendition


def data_of(html: str) -> dict[str, Any]:
    found = re.search(r'<script id="player-data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


class TestList:
    def test_shows_own_clips_only(
        self, signed_in: Client, clip: Clip, bob: User, make_clip: MakeClip
    ) -> None:
        make_clip(bob, title="Of bob", public=True)
        html = signed_in.get(reverse("clips")).content.decode()
        assert "Two sentences" in html
        assert "Of bob" not in html

    def test_needs_login(self, client: Client) -> None:
        for response in (client.get(reverse("clips")), client.post(reverse("clips"))):
            assert response.status_code == 302
            assert response["Location"].startswith(reverse("signin"))

    def test_newest_first(self, signed_in: Client, alice: User, make_clip: MakeClip) -> None:
        made = [make_clip(alice) for _ in range(6)]
        assert signed_in.get(reverse("clips")).context["clips"] == made[::-1]

    def test_a_fragment_has_its_page_reloaded_to_sign_in(self, client: Client) -> None:
        answer = client.get(reverse("clips"), headers={"HX-Request": "true"})
        assert (answer.status_code, answer.headers["HX-Refresh"]) == (204, "true")

    def test_says_how_far_each_clip_is(self, signed_in: Client, clip: Clip) -> None:
        done(clip, "opus-9k", pesq_wb=3.0)
        measured_in_part = done(clip, "opus-6k", pesq_wb=2.0)
        Score.objects.create(rendition=measured_in_part, metric="stoi")
        Rendition.objects.create(clip=clip, system="celp-8k", status=Job.Status.FAILED, error="no")
        Rendition.objects.create(clip=clip, system="bpgan-2k", status=Job.Status.FAILED, unavailable=True)
        Rendition.objects.create(clip=clip, system="original")
        response = signed_in.get(reverse("clips"))
        [row] = response.context["clips"]
        assert (row.status, row.done, row.failed, row.unavailable, row.total) == ("running", 1, 1, 1, 5)
        assert "every 2s" in response.content.decode()

    def test_stops_asking_when_all_is_settled(self, signed_in: Client, clip: Clip) -> None:
        done(clip, "opus-9k", pesq_wb=3.0)
        response = signed_in.get(reverse("clips"))
        assert response.context["clips"][0].status == "done"
        assert "every 2s" not in response.content.decode()

    def test_htmx_gets_the_rows_alone(self, signed_in: Client, clip: Clip) -> None:
        html = signed_in.get(reverse("clips"), headers={"HX-Request": "true"}).content.decode()
        assert html.lstrip().startswith("<tbody")
        assert "Two sentences" in html

    def test_queries_do_not_grow_with_clips(
        self, signed_in: Client, alice: User, make_clip: MakeClip, django_assert_num_queries: Any
    ) -> None:
        for _ in range(3):
            done(make_clip(alice), "opus-9k", pesq_wb=3.0)
        # Session, user, favourites, how many clips, which of them on this page, and these with their counts.
        with django_assert_num_queries(6):
            signed_in.get(reverse("clips"))

    def test_shows_a_page_of_them_and_finds_all(self, signed_in: Client, alice: User, bob: User) -> None:
        def of(owner: User, number: int) -> Clip:
            return Clip(
                owner=owner, sha256=f"{number:064}", title=f"Sentence {number:03}", seconds=1.0,
                source_rate=16_000, source_channels=1, source_format="WAV",
            )  # fmt: skip

        Clip.objects.bulk_create([of(alice, number) for number in range(205)])
        Clip.objects.bulk_create([of(bob, 203)])

        def shown(query: str) -> list[str]:
            return sorted(row.title for row in signed_in.get(reverse("clips") + query).context["clips"])

        pages = [shown(query) for query in ("", "?page=2", "?page=3")]
        assert [len(page) for page in pages] == [100, 100, 5]
        assert len({title for page in pages for title in page}) == 205
        assert [shown("?page=99"), shown("?page=none")] == [pages[2], pages[0]]
        assert shown("?search=tence+20") == [f"Sentence {number}" for number in range(200, 205)]
        assert shown("?search=%00tence+200") == ["Sentence 200"]  # which PostgreSQL refuses to look for
        html = signed_in.get(reverse("clips") + "?page=2&search=sentence").content.decode()
        assert 'href="?page=1&amp;search=sentence"' in html
        assert 'href="?page=3&amp;search=sentence"' in html
        assert "101 to 200 of 205" in html
        assert "No clip has" in signed_in.get(reverse("clips") + "?search=music").content.decode()

    def test_polling_fetches_what_changed(
        self, signed_in: Client, alice: User, make_clip: MakeClip, clip: Clip
    ) -> None:
        other = make_clip(alice)
        rows = [Rendition.objects.create(clip=each, system="opus-9k") for each in (clip, other)]

        def poll(html: str) -> Any:
            seen = re.findall(r'name="seen" value="([^"]+)"', html)
            query = {"changes": "yes", "seen": seen}
            return signed_in.get(reverse("clips"), query, headers={"HX-Request": "true"})

        page = signed_in.get(reverse("clips")).content.decode()
        assert len(re.findall('name="seen"', page)) == 2
        assert (poll(page).status_code, poll(page).content) == (204, b"")
        Rendition.objects.filter(pk=rows[0].pk).update(status=Job.Status.FAILED)
        answer = poll(page)
        html = answer.content.decode()
        assert (answer.status_code, html.count("<tr"), html.count('hx-swap-oob="true"')) == (200, 1, 1)
        assert f'id="row-{clip.pk}"' in html
        assert "HX-Trigger" not in answer
        Rendition.objects.filter(pk=rows[1].pk).update(status=Job.Status.FAILED)
        assert (poll(page).status_code, poll(page).content.count(b"<tr")) == (286, 2)  # and asks no more
        Rendition.objects.create(clip=make_clip(alice), system="opus-9k")  # by another window
        assert poll(page)["HX-Trigger"] == "refresh"


class TestUpload:
    def test_form_takes_several_and_names_the_refused(self, signed_in: Client, media: Path) -> None:
        files = [
            make_upload(make_wav(make_speech(1.0)), "one.wav"),
            make_upload(b"this is text", "two.wav"),
            make_upload(make_wav(make_speech(1.0, seed=1)), "three.wav"),
        ]
        response = signed_in.post(reverse("clips"), {"file": files}, follow=True)
        assert sorted(Clip.objects.values_list("title", flat=True)) == ["one", "three"]
        texts = [str(message) for message in response.context["messages"]]
        assert len(texts) == 3
        assert texts[1].startswith("two.wav: ")

    def test_form_without_a_file(self, signed_in: Client) -> None:
        response = signed_in.post(reverse("clips"), follow=True)
        assert "No file arrived" in response.content.decode()

    def test_script_gets_json(self, signed_in: Client, media: Path) -> None:
        wav = make_wav(make_speech(1.0))
        accept = {"Accept": "application/json"}
        first = signed_in.post(reverse("clips"), {"file": make_upload(wav)}, headers=accept)
        again = signed_in.post(reverse("clips"), {"file": make_upload(wav)}, headers=accept)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json()["url"] == reverse("clip", args=[Clip.objects.get().pk])
        assert (first.json()["created"], again.json()["created"]) == (True, False)
        assert Rendition.objects.count() == len(SPEECH_SYSTEMS)

    def test_script_gets_the_reason(self, signed_in: Client, media: Path, settings: Any) -> None:
        accept = {"Accept": "application/json"}
        text = signed_in.post(reverse("clips"), {"file": make_upload(b"text", "a.wav")}, headers=accept)
        none = signed_in.post(reverse("clips"), headers=accept)
        settings.UPLOAD_MAX_BYTES = 1000
        large = signed_in.post(reverse("clips"), {"file": make_upload(bytes(2000), "a.wav")}, headers=accept)
        assert [r.status_code for r in (text, none, large)] == [422, 422, 413]
        assert all(r.json()["error"] for r in (text, none, large))
        assert not Clip.objects.exists()

    def test_hostile_file_name_is_only_text(self, signed_in: Client, media: Path) -> None:
        upload = make_upload(make_wav(make_speech(1.0)), "..\\..\\<script>alert(1)<script>.wav")
        signed_in.post(reverse("clips"), {"file": upload})
        html = signed_in.get(reverse("clips")).content.decode()
        assert "&lt;script&gt;alert(1)" in html
        assert "<script>alert" not in html


class TestClipPage:
    def test_owner_sees_every_system_in_order(self, signed_in: Client, clip: Clip) -> None:
        done(clip, "opus-9k", pesq_wb=3.018, pesq_nb=3.4, stoi=0.945)
        done(clip, "anchor35", pesq_wb=3.6, pesq_nb=4.5, stoi=0.99)
        Rendition.objects.create(clip=clip, system="bpgan-2k")
        response = signed_in.get(reverse("clip", args=[clip.pk]))
        assert [row["system"] for row in response.context["rows"]] == ["anchor35", "opus-9k", "bpgan-2k"]
        html = response.content.decode()
        for text in ("8.13", "3.02", "Fair", "0.945", "2 of 3 systems done, 1 queued", "Delete clip"):
            assert text in html

    def test_shows_error_log_and_retry_to_the_owner(self, signed_in: Client, clip: Clip) -> None:
        failed = Rendition.objects.create(
            clip=clip, system="celp-8k", status=Job.Status.FAILED, error="Speex said <no>", log="exit code 1"
        )
        html = signed_in.get(reverse("clip", args=[clip.pk])).content.decode()
        assert "Speex said &lt;no&gt;" in html
        assert "exit code 1" in html
        assert reverse("rendition_retry", args=[failed.pk]) in html

    def test_failed_measurement_keeps_the_sound_and_the_other_figures(
        self, signed_in: Client, clip: Clip
    ) -> None:
        made = done(clip, "opus-9k", pesq_wb=3.018)
        Score.objects.create(rendition=made, metric="stoi", status=Job.Status.FAILED, error="It broke.")
        html = signed_in.get(reverse("clip", args=[clip.pk])).content.decode()
        for text in ("It broke.", "3.02", reverse("rendition_retry", args=[made.pk])):
            assert text in html
        assert reverse("rendition_audio", args=[made.pk]) in html

    def test_private_clip_is_nobody_elses(self, client: Client, clip: Clip, bob: User) -> None:
        addresses = [reverse(name, args=[clip.pk]) for name in ("clip", "clip_rows")]
        assert [client.get(url).status_code for url in addresses] == [404, 404]
        client.force_login(bob)
        assert [client.get(url).status_code for url in addresses] == [404, 404]

    def test_public_clip_is_for_all_but_not_to_change(self, client: Client, clip: Clip) -> None:
        Clip.objects.update(public=True)
        Rendition.objects.create(clip=clip, system="celp-8k", status=Job.Status.FAILED, error="no")
        response = client.get(reverse("clip", args=[clip.pk]))
        assert response.status_code == 200
        html = response.content.decode()
        assert "Delete clip" not in html
        assert "Retry" not in html

    def test_title_and_credit_stay_text(self, signed_in: Client, clip: Clip) -> None:
        Clip.objects.update(title=HOSTILE, credit=HOSTILE)
        html = signed_in.get(reverse("clip", args=[clip.pk])).content.decode()
        assert "<script>alert" not in html
        # Title, heading, credit, and the fields in which both are edited.
        assert html.count("&lt;/script&gt;&lt;script&gt;alert") == 5

    def test_rows_are_a_fragment_that_is_never_cached(self, signed_in: Client, clip: Clip) -> None:
        done(clip, "opus-9k", pesq_wb=3.0)
        response = signed_in.get(reverse("clip_rows", args=[clip.pk]))
        html = response.content.decode()
        assert response["Cache-Control"] == "no-store"
        assert "<html" not in html
        assert 'data-system="opus-9k"' in html
        assert data_of(html)["finished"] is True

    def test_queries_do_not_grow_with_systems(
        self, signed_in: Client, clip: Clip, django_assert_num_queries: Any
    ) -> None:
        for slug in registry.SYSTEMS:
            done(clip, slug, pesq_wb=3.0, pesq_nb=3.0, stoi=0.9)
        with django_assert_num_queries(6):  # session, user, clip, renditions, scores, mean rates
            signed_in.get(reverse("clip", args=[clip.pk]))

    def test_rate_stands_beside_the_mean_of_the_clips_one_may_see(
        self, client: Client, signed_in: Client, clip: Clip, alice: User, make_clip: Any
    ) -> None:
        fields = (("bpgan-2k", 2.06, 1.9, 9.0), ("original", 256.0, 256.0, 256.0))
        other, music = make_clip(alice), make_clip(alice, speech=False)
        for system, *rates in fields:
            for each, kbps in zip((clip, other, music), rates, strict=True):
                done(each, system)
                Rendition.objects.filter(clip=each, system=system).update(kbps=kbps)
        url = reverse("clip", args=[clip.pk])
        assert re.findall(r"mean [\d.]+", signed_in.get(url).content.decode()) == ["mean 1.98"]
        Clip.objects.filter(pk=clip.pk).update(public=True)
        client.logout()
        assert not re.findall(r"mean [\d.]+", client.get(url).content.decode())

    def test_get_and_post_where_they_belong(self, signed_in: Client, clip: Clip) -> None:
        assert signed_in.post(reverse("clip", args=[clip.pk])).status_code == 405
        assert signed_in.post(reverse("clip_rows", args=[clip.pk])).status_code == 405
        assert signed_in.get(reverse("clip_delete", args=[clip.pk])).status_code == 302
        assert signed_in.put(reverse("clips")).status_code == 405


class TestDelete:
    @pytest.fixture
    def files(self, clip: Clip, media: Path) -> Callable[[], list[Path]]:
        done(clip, "opus-9k", pesq_wb=3.0)
        return lambda: [path for path in media.rglob("*") if path.is_file()]

    def test_takes_rows_and_files(
        self,
        signed_in: Client,
        clip: Clip,
        files: Callable[[], list[Path]],
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        assert len(files()) == 4
        with django_capture_on_commit_callbacks(execute=True):
            response = signed_in.post(reverse("clip_delete", args=[clip.pk]))
        assert response["Location"] == reverse("clips")
        assert not Clip.objects.exists()
        assert files() == []

    def test_refused_while_a_study_uses_it(
        self, signed_in: Client, alice: User, clip: Clip, files: Callable[[], list[Path]]
    ) -> None:
        study = Study.objects.create(owner=alice, name="Study", systems=["opus-9k"], seed=1)
        Item.objects.create(study=study, clip=clip, position=1, end=1.0)
        response = signed_in.post(reverse("clip_delete", args=[clip.pk]), follow=True)
        assert "part of a study" in response.content.decode()
        assert Clip.objects.filter(pk=clip.pk).exists()
        assert len(files()) == 4

    def test_is_the_owners_alone(self, client: Client, clip: Clip, bob: User) -> None:
        Clip.objects.update(public=True)
        url = reverse("clip_delete", args=[clip.pk])
        assert client.post(url)["Location"].startswith(reverse("signin"))
        client.force_login(bob)
        assert client.post(url).status_code == 403
        assert Clip.objects.exists()


class TestPlayerData:
    def test_original_can_be_heard_before_any_work(self, clip: Clip) -> None:
        for slug in registry.SYSTEMS:
            Rendition.objects.create(clip=clip, system=slug)
        data = player_data(table_rows(clip))
        heard = {system["slug"]: system["audio_url"] for system in data["systems"] if system["audio_url"]}
        assert heard == {"original": reverse("clip_audio", args=[clip.pk])}
        assert data["start"] == "original"
        assert data["finished"] is False

    def test_opens_with_the_papers_codec(self, clip: Clip) -> None:
        done(clip, "original")
        done(clip, "bpgan-2k")
        assert player_data(table_rows(clip))["start"] == "bpgan-2k"

    def test_says_what_failed_and_what_is_not_there(self, clip: Clip) -> None:
        done(clip, "original")
        Rendition.objects.create(clip=clip, system="celp-8k", status=Job.Status.FAILED)
        Rendition.objects.create(clip=clip, system="bpgan-2k", status=Job.Status.FAILED, unavailable=True)
        assert status_text(table_rows(clip)) == "1 of 3 systems done, 1 failed, 1 not available here"


class TestFront:
    def test_stranger_gets_a_player(self, client: Client, clip: Clip) -> None:
        Clip.objects.update(public=True)
        for slug in ("original", "opus-9k", "amrwb-6.6k", "bpgan-2k", "codec2-2.4k"):
            done(clip, slug, pesq_wb=3.0)
        html = client.get(reverse("front")).content.decode()
        assert 'id="listen"' in html
        played = [system["slug"] for system in data_of(html)["systems"]]
        assert played == ["original", "opus-9k", "amrwb-6.6k", "bpgan-2k"]

    def test_works_without_any_clip(self, client: Client) -> None:
        response = client.get(reverse("front"))
        assert response.status_code == 200
        assert 'id="listen"' not in response.content.decode()


def test_the_page_of_metrics_says_of_each_what_for_and_how(signed_in: Client) -> None:
    shown = signed_in.get("/metrics/").content.decode()
    for metric in METRICS.values():
        assert escape(keep_units(metric.note)) in shown
        assert escape(keep_units(metric.domain.usual)) in shown
        assert metric.command in shown or metric.missing
    assert (
        "speech, mono, from 16 kHz, compared at 16 kHz, with sound above 5 kHz, 0.25 s or more."
        in shown.replace("\xa0", " ")
    )
    assert METRICS["pesq_wb"].version in shown


def test_a_score_outside_a_domain_is_a_reason(signed_in: Client, clip: Clip) -> None:
    rendition = done(clip, "anchor35")
    reason = "the recording ends at 3.9 kHz; ViSQOL needs one that goes beyond 5 kHz"
    Score.objects.create(rendition=rendition, metric="visqol", status="done", value=None, note=reason)
    shown = signed_in.get(f"/clips/{clip.pk}/").content.decode()
    assert f"none</summary>{keep_units(reason)}</details>" in shown  # not only in a tooltip


def test_what_a_metric_lacks_here_is_text(
    signed_in: Client, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(clip, "anchor35")
    monkeypatch.setitem(sys.modules, "distillmos", None)  # as Python marks what cannot be imported
    shown = strip_tags(signed_in.get(f"/clips/{clip.pk}/").content.decode())
    assert "DistillMOS needs distillmos: install Earshot with the extra [metrics]." in shown


@pytest.mark.parametrize(
    ("button", "sent", "place"),
    [
        ("clip_metrics", {"metric": "lsd"}, "other-metrics"),
        ("clip_systems", {"system": "opus-12k"}, "systems"),
        ("clip_describe", {"title": "Another"}, "about"),
        ("clip_kind", {"speech": "no"}, "kind"),
    ],
)
def test_a_button_in_the_middle_of_the_page_leads_back_to_its_place(
    signed_in: Client, clip: Clip, button: str, sent: dict[str, str], place: str
) -> None:
    """The focus, too: a browser gives it to the element that a fragment names, if that can have it."""
    done(clip, "original")
    done(clip, "opus-9k")
    address = signed_in.post(reverse(button, args=[clip.pk]), sent)["Location"]
    assert address == f"{reverse('clip', args=[clip.pk])}#{place}"
    assert re.search(rf'<\w+[^>]* id="{place}" tabindex="-1"', signed_in.get(address).content.decode())


def test_a_refusal_is_told_at_the_top_of_the_page(signed_in: Client, clip: Clip) -> None:
    done(clip, "original")
    answer = signed_in.post(reverse("clip_metrics", args=[clip.pk]), {"metric": []}, follow=True)
    assert answer.redirect_chain == [(reverse("clip", args=[clip.pk]), 302)]
    assert "There is nothing new to measure." in answer.content.decode()
