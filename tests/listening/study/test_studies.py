"""The researcher's pages: for their owner, for strangers, and for those who are not signed in."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evaluation.models import Clip, Job, Rendition
from listening.models import Preparation, Session, Study
from listening.session.sessions import begin, start_session
from listening.study.errors import StudyError
from listening.study.selectors import find_studies
from listening.study.studies import (
    archive_study,
    close_study,
    duplicate_study,
    excerpts_of,
    reopen_study,
    restore_study,
)
from listening.tasks import prepare_study
from listening.web.forms.what import MUSIC_SYSTEMS, PAPER_SYSTEMS
from tests.evaluation.conftest import script_of
from tests.listening.conftest import SYSTEMS, grade, listen

READ = ["study", "study_progress", "results", "ratings_csv", "mushra_csv"]
WRITE = [
    "study_retry",
    "study_open",
    "study_pilot",
    "study_close",
    "study_reopen",
    "study_listed",
    "study_delete",
    "study_restore",
    "study_duplicate",
]


@pytest.fixture
def owner(client: Client, alice: User) -> Client:
    client.force_login(alice)
    return client


@pytest.mark.parametrize("name", READ)
def test_pages_are_for_their_owner_alone(
    client: Client, study: Study, alice: User, bob: User, name: str
) -> None:
    url = reverse(name, args=[study.pk])
    assert client.get(url).headers["Location"].startswith(reverse("signin"))
    client.force_login(bob)
    assert client.get(url).status_code == 404
    client.force_login(alice)
    assert client.get(url).status_code == 200
    assert client.post(url).status_code == 405


@pytest.mark.parametrize("name", WRITE)
def test_changes_are_for_their_owner_alone_and_never_by_get(
    client: Client, study: Study, alice: User, bob: User, name: str
) -> None:
    url = reverse(name, args=[study.pk])
    assert client.post(url).headers["Location"].startswith(reverse("signin"))
    client.force_login(bob)
    assert client.post(url).status_code == 404
    client.force_login(alice)
    assert client.get(url).status_code == 302
    assert Study.objects.filter(status=Study.Status.OPEN, listed=False).count() == 1
    assert client.post(url).status_code == 302


@pytest.mark.parametrize("name", ["studies", "study_new"])
def test_lists_need_signing_in(client: Client, bob: User, study: Study, name: str) -> None:
    assert client.get(reverse(name)).status_code == 302
    client.force_login(bob)
    page = client.get(reverse(name)).content.decode()
    assert study.name not in page
    assert "Clip 0" not in page


def test_the_list_counts_listeners_and_puts_the_newest_first(
    owner: Client, make_study: Callable[..., Study]
) -> None:
    first, second = make_study(clips=1), make_study(clips=1)
    listen(second)
    begin(start_session(second))
    start_session(second)  # has not read the instructions: has not begun
    rows = list(owner.get(reverse("studies")).context["studies"])
    assert rows == [second, first]
    assert (rows[0].item_count, rows[0].finished_count, rows[0].started_count) == (1, 1, 2)


def checked(html: str) -> set[str]:
    """Values of the ticked boxes."""
    return set(re.findall(r'type="checkbox"[^>]* value="([^"]+)"[^>]* checked>', html))


def test_the_form_starts_with_the_papers_systems_and_the_clip_of_the_link(
    owner: Client, alice: User, processed: Callable[..., Clip]
) -> None:
    clip, other = processed(alice, title="Chosen"), processed(alice, title="Other")
    html = owner.get(reverse("study_new"), {"clip": str(clip.pk)}).content.decode()
    assert checked(html) == set(PAPER_SYSTEMS)
    assert re.findall(r'name="items-clip" value="([^"]+)"', html) == [str(clip.pk)]
    assert f'name="clip" value="{other.pk}"' in html


def test_the_form_starts_with_systems_for_music_where_the_clip_is_music(
    owner: Client, alice: User, processed: Callable[..., Clip]
) -> None:
    clip = processed(alice, list(MUSIC_SYSTEMS), rate=48_000, channels=2, speech=False)
    html = owner.get(reverse("study_new"), {"clip": str(clip.pk)}).content.decode()
    assert checked(html) == set(MUSIC_SYSTEMS)


def test_the_form_offers_own_and_public_clips_only(
    owner: Client, alice: User, bob: User, processed: Callable[..., Clip]
) -> None:
    offered = [processed(alice), processed(bob, public=True)]
    processed(bob)
    queued = processed(alice)
    Rendition.objects.filter(clip=queued).update(status=Rendition.Status.QUEUED)
    html = owner.get(reverse("study_new")).content.decode()
    assert set(re.findall(r'name="clip" value="([^"]+)"', html)) == {str(clip.pk) for clip in offered}


def what(clips: list[Clip], **changes: Any) -> dict[str, Any]:
    """The first step, sent with whole clips, the first of them for training, too."""
    return {
        "basics-name": "New",
        "basics-method": "mushra",
        "basics-sample_rate": "16000",
        "items-clip": [str(clip.pk) for clip in clips],
        "items-start": ["0"] * len(clips),
        "items-end": [str(clip.seconds) for clip in clips],
        "items-role": ["both", *["graded"] * len(clips)][: len(clips)],
        "items-name": [""] * len(clips),
        "items-sent": "1",
        "systems-sent": "1",
        "systems-chosen": SYSTEMS,
    } | changes


@pytest.mark.parametrize(
    ("clips", "heard"),
    [
        ([(16_000, 1)], (16_000, 1)),
        ([(44_100, 2), (16_000, 1)], (44_100, 2)),
        ([(48_000, 1)], (48_000, 1)),
        ([(8_000, 1)], (16_000, 1)),
        ([(11_025, 1)], (16_000, 1)),
        ([(37_800, 2)], (44_100, 2)),
    ],
)
def test_a_new_study_hears_what_its_clips_have(
    owner: Client,
    alice: User,
    processed: Callable[..., Clip],
    clips: list[tuple[int, int]],
    heard: tuple[int, int],
) -> None:
    """By the form and by the API; MUSHRA not below 16 kHz."""
    made = [processed(alice, rate=rate, channels=channels) for rate, channels in clips]
    owner.post(reverse("study_new"), what(made, **{"basics-sample_rate": "", "basics-channels": ""}))
    study = Study.objects.get()
    assert (study.sample_rate, study.channels) == heard
    sent = {"name": "By a program", "clips": [str(clip.pk) for clip in made], "systems": SYSTEMS}
    answer = script_of(alice).post("/api/studies", sent, content_type="application/json").json()
    assert (answer["sample_rate"], answer["channels"]) == heard


def test_a_study_may_hear_less_and_say_so_later(
    owner: Client, alice: User, processed: Callable[..., Clip]
) -> None:
    clip = processed(alice, rate=48_000, channels=2)
    owner.post(reverse("study_new"), what([clip], **{"basics-sample_rate": "16000", "basics-channels": "1"}))
    study = Study.objects.get()
    assert (study.sample_rate, study.channels) == (16_000, 1)
    script = script_of(alice)
    address = f"/api/studies/{study.pk}"
    refused = script.patch(address, {"channels": 3}, content_type="application/json")
    assert refused.status_code == 400
    assert "in mono or in stereo" in refused.content.decode()
    changed = script.patch(address, {"channels": 2}, content_type="application/json").json()
    assert (changed["sample_rate"], changed["channels"]) == (16_000, 2)


def contents(study: Study) -> list[tuple[Any, ...]]:
    return list(study.items.values_list("clip", "start", "end", "training", "name"))


def test_the_first_step_makes_a_study_that_waits_to_be_opened(
    owner: Client, processed: Callable[..., Clip], alice: User, django_capture_on_commit_callbacks: Any
) -> None:
    clip, training = processed(alice, sound=True), processed(alice, sound=True)
    sent = what(
        [training, clip],
        **{
            "items-role": ["training", "graded"],
            "items-start": ["0", "0.0"],
            "items-name": ["", "First  word"],
        },
    )
    answer = owner.post(reverse("study_new"), sent | {"then": "who"})
    study = Study.objects.get()
    assert answer.headers["Location"] == reverse("study_setup", args=[study.pk, "who"])
    assert (study.name, study.systems, study.status) == ("New", SYSTEMS, Study.Status.PREPARING)
    assert contents(study) == [
        (training.pk, 0.0, training.seconds, True, ""),
        (clip.pk, 0.0, clip.seconds, False, "First word"),
    ]
    prepare_study(str(study.pk))
    study.refresh_from_db()
    assert study.status == Study.Status.READY
    Client().post(reverse("join", args=[study.token]), {"consent": "yes"})
    assert not study.sessions.exists()
    owner.post(reverse("study_open", args=[study.pk]))
    study.refresh_from_db()
    assert study.status == Study.Status.OPEN


def test_without_scripts_ticked_clips_become_whole_items(
    owner: Client, alice: User, processed: Callable[..., Clip]
) -> None:
    clips = [processed(alice), processed(alice)]
    owner.post(reverse("study_new"), what([]) | {"clip": [str(clip.pk) for clip in clips]})
    first, second = clips
    assert [row[0::3] for row in contents(Study.objects.get())] == [
        (first.pk, True),
        (first.pk, False),
        (second.pk, False),
    ]


def test_a_refused_step_keeps_what_was_sent(
    owner: Client, alice: User, processed: Callable[..., Clip]
) -> None:
    clip = processed(alice, title="Harvard 1")
    sent = what(
        [clip], **{"basics-name": "Kept <i>", "systems-chosen": ["opus-9k", "opus-12k"], "items-end": ["0.5"]}
    )
    answer = owner.post(reverse("study_new"), sent)
    assert answer.status_code == 400
    html = answer.content.decode()
    assert 'Harvard 1</bdi>: <bdi dir="auto">Opus 12k</bdi></li>' in html
    assert 'value="Kept &lt;i&gt;"' in html
    assert checked(html) == {"opus-9k", "opus-12k"}
    assert 'name="items-end" inputmode="decimal" value="0.5"' in html
    assert not Study.objects.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"items-end": ["x"]}, "needs a start and an end"),
        ({"items-end": ["nan"]}, "needs a start and an end"),
        ({"items-start": ["9"]}, "is not inside"),
        ({"items-role": ["judge"]}, "is not a role of an item"),
        ({"items-role": ["training"]}, "at least one in the test"),
        ({"items-role": []}, "arrived incomplete"),
        ({"items-role": ["out"]}, "at least one clip"),
        ({"basics-name": " "}, "required"),
        ({"basics-method": "guess"}, "valid choice"),
        ({"systems-chosen": ["mp3"]}, "There is no system “mp3”"),
        ({"systems-chosen": []}, "at least one system"),
    ],
)
def test_a_step_says_what_is_wrong(
    owner: Client, alice: User, processed: Callable[..., Clip], changes: dict[str, Any], message: str
) -> None:
    answer = owner.post(reverse("study_new"), what([processed(alice)], **changes))
    assert answer.status_code == 400
    assert message in html_text(answer)
    assert not Study.objects.exists()


def html_text(answer: Any) -> str:
    return unescape(answer.content.decode())


def test_strangers_clips_and_forged_ids_are_refused(
    owner: Client, bob: User, alice: User, processed: Callable[..., Clip]
) -> None:
    for value in (str(processed(bob).pk), "1", "x' OR 1=1"):
        for name in ("items-clip", "clip"):
            answer = owner.post(reverse("study_new"), what([processed(alice)], **{name: [value]}))
            assert "no longer exists" in html_text(answer)
    assert not Study.objects.exists()


def test_steps_can_be_gone_through_again_until_somebody_takes_part(
    owner: Client, study: Study, alice: User, processed: Callable[..., Clip]
) -> None:
    url = reverse("study_setup", args=[study.pk, "what"])
    first, second = (item.clip for item in study.items.filter(training=False))
    html = owner.get(url).content.decode()
    assert re.findall(r'name="items-clip" value="([^"]+)"', html) == [str(first.pk), str(second.pk)]
    assert checked(html) == set(SYSTEMS)
    third = processed(alice)
    assert owner.post(url, what([first, third], **{"systems-chosen": ["bpgan-2k"]})).status_code == 302
    study.refresh_from_db()
    assert (study.name, study.systems) == ("New", ["bpgan-2k"])
    assert [row[0] for row in contents(study)] == [first.pk, first.pk, third.pk]

    study = make_open(study)
    start_session(study)
    before = contents(study)
    html = owner.get(url).content.decode()
    assert "A listener has begun" in html
    answer = owner.post(url, what([third], **{"basics-name": "Renamed", "systems-chosen": SYSTEMS}))
    assert answer.status_code == 302
    study.refresh_from_db()
    assert (study.name, study.systems, contents(study)) == ("Renamed", ["bpgan-2k"], before)


def make_open(study: Study) -> Study:
    Study.objects.filter(pk=study.pk).update(status=Study.Status.OPEN)
    study.refresh_from_db()
    return study


def test_limits_may_change_whenever(owner: Client, study: Study) -> None:
    listen(study)
    url = reverse("study_setup", args=[study.pk, "who"])
    sent = {"limits-listed": "on", "limits-max_sessions": "20", "limits-closes": "2099-01-01T12:00"}
    assert owner.post(url, sent).status_code == 302
    study.refresh_from_db()
    assert (study.listed, study.max_sessions, study.closes.year) == (True, 20, 2099)
    answer = owner.post(url, sent | {"limits-opens": "2099-01-02T12:00"})
    assert "would close before it opens" in html_text(answer)

    # A seal is set before there is anything to see.
    refused = owner.post(url, sent | {"limits-sealed_until": "2099-01-02T12:00"})
    assert "could be seen" in html_text(refused)
    Study.objects.update(sealed_until=timezone.now() + timedelta(days=1))
    assert "can only be prolonged" in html_text(owner.post(url, sent))
    # A program's seconds are not in the page, and the page's silence about them moves nothing.
    moment = timezone.now().replace(second=31, microsecond=5)
    Study.objects.update(sealed_until=moment)
    assert owner.post(url, sent | {"limits-sealed_until": f"{moment:%Y-%m-%dT%H:%M}"}).status_code == 302
    study.refresh_from_db()
    assert study.sealed_until == moment
    Study.objects.update(sealed_until=moment - timedelta(days=1))
    answer = owner.post(url, sent | {"limits-sealed_until": "2099-01-02T12:00"})
    assert "could be seen" in html_text(answer)


def test_a_pilot_keeps_its_sessions_apart(owner: Client, study: Study) -> None:
    Study.objects.update(status=Study.Status.READY)
    owner.post(reverse("study_pilot", args=[study.pk]), {"pilot": "yes"})
    study.refresh_from_db()
    assert (study.status, study.pilot) == (Study.Status.OPEN, True)
    session = start_session(study)
    Session.objects.filter(pk=session.pk).update(kind=Session.Kind.PILOT)
    owner.post(reverse("study_pilot", args=[study.pk]), {"pilot": "no"})
    study.refresh_from_db()
    assert (study.status, study.pilot) == (Study.Status.READY, False)

    url = reverse("study_setup", args=[study.pk, "what"])
    first = study.items.first().clip
    refused = owner.post(url, what([first]))
    assert "discard the pilot sessions" in html_text(refused)
    assert study.sessions.count() == 1
    assert owner.post(url, what([first]) | {"discard": "on"}).status_code == 302
    assert study.sessions.count() == 0


def test_the_page_shows_link_code_design_and_progress(owner: Client, study: Study, settings: Any) -> None:
    session = listen(study)
    begun = start_session(study)
    begin(begun)
    grade(begun.trials.get(position=1))
    html = owner.get(reverse("study", args=[study.pk])).content.decode()
    assert f'value="{settings.SITE_URL}{reverse("join", args=[study.token])}"' in html
    assert "<title>Listener link as a QR code</title>" in html
    assert session.assessor.code in html
    assert session.completion_code in html
    assert begun.completion_code not in html  # not earned yet
    assert "1 of 3 trials" in html
    assert "1 of 2 finished" in html


def test_browsers_keep_no_copy_of_a_researchers_pages(owner: Client, study: Study) -> None:
    for url in (reverse("studies"), reverse("study_new"), reverse("study", args=[study.pk])):
        assert "no-store" in owner.get(url).headers["Cache-Control"]


def test_a_training_clip_that_is_an_item_too_is_said_to_be(owner: Client, study: Study) -> None:
    page = reverse("study", args=[study.pk])
    assert "also graded as an item" in owner.get(page).content.decode()
    study.items.filter(training=False).order_by("position")[0].delete()
    assert "also graded as an item" not in owner.get(page).content.decode()


def test_researcher_and_listener_are_told_the_same_minutes(owner: Client, study: Study) -> None:
    study.items.update(end=21.0)  # three trials of 30 s and five signals thrice
    assert "about 18\xa0min per listener" in owner.get(reverse("study", args=[study.pk])).content.decode()
    assert "about 18 minutes" in Client().get(reverse("join", args=[study.token])).content.decode()
    session = start_session(study)
    begin(session)
    assert "about 18\xa0min left" in Client().get(reverse("session", args=[session.token])).content.decode()


def test_minutes_follow_the_design(owner: Client, make_study: Callable[..., Study]) -> None:
    study = make_study(clips=6)
    study.items.update(end=10.0)  # a trial of 30 s and five signals thrice: 3 min
    for design, minutes in (({}, 21), ({"items_per_session": 2}, 9)):
        Study.objects.update(design=design)
        shown = owner.get(reverse("study", args=[study.pk])).content.decode()
        assert f"about {minutes}\xa0min per listener" in shown
        asked = Client().get(reverse("join", args=[study.token])).content.decode()
        assert f"about {minutes} minutes" in asked


def test_long_items_are_pointed_out(owner: Client, study: Study) -> None:
    url = reverse("study", args=[study.pk])
    assert "longer than 12" not in owner.get(url).content.decode()
    study.items.filter(position=1).update(end=12.5)
    assert "1 item is longer than 12\xa0s" in owner.get(url).content.decode()


def test_preparing_polls_failing_offers_retry(owner: Client, study: Study) -> None:
    url = reverse("study", args=[study.pk])
    assert "hx-get" not in owner.get(url).content.decode()
    Study.objects.update(status=Study.Status.PREPARING)
    Preparation.objects.update(status=Job.Status.RUNNING)
    html = owner.get(url).content.decode()
    assert "hx-get" in html
    assert "Rendering the stimuli: 0 of 15 cut, aligned and matched in loudness." in html
    Preparation.objects.update(status=Job.Status.FAILED, error="Opus fell over <b>", log="line 1")
    html = owner.get(url).content.decode()
    assert "hx-get" not in html
    assert "The stimuli could not be rendered: Opus fell over &lt;b&gt;" in html
    assert '<pre dir="ltr">line 1</pre>' in html
    assert reverse("job_retry", args=["preparation", study.pk]) in html
    owner.post(reverse("study_retry", args=[study.pk]))
    study.refresh_from_db()
    assert study.error == ""
    assert "Waiting for a worker." in owner.get(url).content.decode()


def test_close_reopen_list_delete(owner: Client, study: Study) -> None:
    def post(name: str, **data: str) -> Study | None:
        owner.post(reverse(name, args=[study.pk]), data)
        return Study.objects.filter(pk=study.pk).first()

    assert post("study_close").status == "closed"
    assert post("study_close").status == "closed"
    assert post("study_reopen").status == "open"
    assert post("study_listed", listed="yes").listed
    assert not post("study_listed", listed="no").listed
    listen(study)
    assert post("study_delete") is None
    assert "have been deleted" in owner.get(reverse("studies")).content.decode()


@pytest.mark.parametrize(
    ("button", "sent", "page", "place"),
    [
        ("study_listed", {"listed": "yes"}, "study", "link"),
        ("study_rename", {"name": "Another"}, "study", "design"),
        ("study_metrics", {"measure": "lsd"}, "study_metrics", "metrics"),
    ],
)
def test_a_button_in_the_middle_of_the_page_leads_back_to_its_place(
    owner: Client, study: Study, button: str, sent: dict[str, str], page: str, place: str
) -> None:
    address = owner.post(reverse(button, args=[study.pk]), sent)["Location"]
    assert address == f"{reverse(page, args=[study.pk])}#{place}"
    assert re.search(rf'<\w+[^>]* id="{place}" tabindex="-1"', owner.get(address).content.decode())


def test_a_copy_has_contents_and_settings_but_no_listeners(study: Study) -> None:
    told = {"language": "de", "other_languages": ["ja"], "texts": {"thanks": "Danke"}, "max_sessions": 7}
    told |= {"questionnaire": [{"name": "age", "type": "number", "label": "Age", "when": "after"}]}
    left_out = {"pilot": True, "listed": True, "opens": timezone.now(), "closes": timezone.now()}
    for name, value in {**told, **left_out}.items():
        setattr(study, name, value)
    study.save()
    start_session(study, kind=Session.Kind.SIMULATED)
    made = duplicate_study(study)
    made.refresh_from_db()
    assert made.name == "Speech at 2 kbit/s (copy)"
    assert excerpts_of(made) == excerpts_of(study)
    same = {*told, "method", "method_options", "systems", "sample_rate", "channels", "design"}
    assert [name for name in same if getattr(made, name) != getattr(study, name)] == []
    assert (made.pilot, made.listed, made.opens, made.closes, made.version) == (False, False, None, None, 1)
    assert (made.status, made.open_when_ready) == (Study.Status.PREPARING, False)
    assert made.seed != study.seed
    assert made.token != study.token
    assert made.sessions.count() == 0


def test_an_archived_study_is_in_no_list_until_it_is_needed_again(study: Study, alice: User) -> None:
    with pytest.raises(StudyError, match="Close the test"):
        archive_study(study)
    close_study(study)
    archive_study(study)
    assert [list(find_studies(alice, "SPEECH", archived=where)) for where in (False, True)] == [[], [study]]
    assert list(find_studies(alice, "music", archived=True)) == []
    for back in (restore_study, reopen_study):
        back(study)
        assert list(find_studies(alice)) == [study], back
        close_study(study)
        archive_study(study)


def test_the_pages_search_rename_copy_and_put_away(owner: Client, study: Study) -> None:
    owner.post(reverse("study_rename", args=[study.pk]), {"name": " Speech\nat night "})
    owner.post(reverse("study_duplicate", args=[study.pk]))
    copy = Study.objects.exclude(pk=study.pk).get()
    assert copy.name == "Speech at night (copy)"
    owner.post(reverse("study_archive", args=[copy.pk]))

    def listed(**query: str) -> list[str]:
        html = owner.get(reverse("studies"), query).content.decode()
        assert 'href="/api/docs"' in html
        return [name for name in ("Speech at night (copy)", "Speech at night") if f">{name}</bdi>" in html]

    assert listed() == ["Speech at night"]
    assert listed(archived="yes") == ["Speech at night (copy)"]
    assert (listed(search="NIGHT"), listed(search="day")) == (["Speech at night"], [])
    refused = owner.post(reverse("study_archive", args=[study.pk]))
    assert (refused.status_code, "Close the test" in refused.content.decode()) == (400, True)


def test_publishing_stores_what_the_page_shows(owner: Client, study: Study) -> None:
    """What was changed on the review is not lost on the way out of it."""
    Study.objects.update(status=Study.Status.READY)
    sent = {"limits-max_sessions": "12", "then": "open"}
    answer = owner.post(reverse("study_setup", args=[study.pk, "check"]), sent)
    study.refresh_from_db()
    assert answer.headers["Location"] == reverse("study", args=[study.pk])
    assert study.status == Study.Status.OPEN
