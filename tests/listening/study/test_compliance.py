"""The list M1 to M30: computed from the study, not recited."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from evaluation.models import Clip
from listening.models import Session, Stimulus, Study
from listening.session.sessions import start_session
from listening.study import compliance
from listening.study.compliance import DUTY, MET, NOT_MET
from listening.study.compliance.measurements import measure_filter, player_constants
from listening.study.studies import ALWAYS, create_study
from tests.conftest import ROOT
from tests.listening.conftest import listen

DOCUMENT = ROOT / "docs" / "compliance.md"


def rule(study: Study, name: str) -> compliance.Rule:
    return next(each for each in compliance.checklist(study) if each.id == name)


def test_every_rule_is_there_in_order_and_says_something(study: Study) -> None:
    rules = compliance.checklist(study)
    assert [each.id for each in rules] == [f"M{number}" for number in range(1, 31)]
    assert all(each.state in (MET, NOT_MET, DUTY) and len(each.evidence) > 15 for each in rules)
    assert sum(compliance.count_states(rules).values()) == 30


def test_a_study_without_an_anchor_is_not_called_mushra(client: Client, study: Study, alice: User) -> None:
    assert compliance.method_title(study) == "MUSHRA"
    assert (rule(study, "M1").state, rule(study, "M3").state) == (MET, MET)
    Stimulus.objects.filter(item=study.items.last(), system="anchor70").delete()
    assert compliance.method_title(study) == "Multiple-stimulus (not MUSHRA)"
    assert "Not in every item: Anchor 7 kHz" in rule(study, "M1").evidence
    assert (rule(study, "M1").state, rule(study, "M3").state) == (NOT_MET, NOT_MET)
    client.force_login(alice)
    for url in (
        reverse("study", args=[study.pk]),
        reverse("study_setup", args=[study.pk, "check"]),
        reverse("study_setup", args=[study.pk, "who"]),
    ):
        assert "· MUSHRA ·" not in client.get(url).content.decode()
        assert "Multiple-stimulus (not MUSHRA)" in client.get(url).content.decode()


def test_a_hidden_reference_that_got_a_gain_is_not_the_reference(study: Study) -> None:
    assert rule(study, "M2").state == MET
    Stimulus.objects.filter(system="original").update(gain_db=0.5)
    assert rule(study, "M2").state == NOT_MET


@pytest.mark.parametrize("rate", [16_000, 22_050, 32_000, 44_100, 48_000])
def test_the_filter_is_measured_against_the_mask(study: Study, rate: int) -> None:
    Study.objects.update(sample_rate=rate)
    study.refresh_from_db()
    found = rule(study, "M4")
    assert found.state == MET
    for cutoff in (3500.0, 7000.0):
        figures = measure_filter(cutoff, rate)
        assert figures is not None
        assert figures[0] <= 0.1
        assert figures[1] >= 25
        assert figures[2] >= 50
    assert f"Measured at {rate} Hz" in found.evidence


def test_a_filter_that_misses_the_mask_is_found(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    import scipy.signal

    import codec.reference

    short = scipy.signal.firwin(97, 3750, fs=16_000)  # what others use: 45 dB at 4.5 kHz
    measure_filter.cache_clear()
    monkeypatch.setattr(codec.reference, "lowpass_taps", lambda cutoff, rate: short)
    try:
        assert rule(study, "M4").state == NOT_MET
    finally:
        measure_filter.cache_clear()


def test_the_players_constants_are_read_from_the_player(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert player_constants() == {"FADE_SECONDS": 0.005, "MIN_LOOP_SECONDS": 0.5}
    assert (rule(study, "M8").state, rule(study, "M9").state) == (MET, MET)
    monkeypatch.setattr(
        "listening.study.compliance.rules.player_constants",
        lambda: {"FADE_SECONDS": 0.005, "MIN_LOOP_SECONDS": 0.2},
    )
    assert (rule(study, "M8").state, rule(study, "M9").state) == (NOT_MET, MET)


def test_lengths_items_and_training_are_looked_at(study: Study) -> None:
    assert rule(study, "M5").state == DUTY
    assert "2 items of 2 are shorter than 5 s (0.5 s in all)" in rule(study, "M5").evidence
    study.items.update(end=10.0)
    assert rule(study, "M5").state == MET
    study.items.filter(position=1).update(end=12.5)
    assert rule(study, "M5").state == DUTY
    assert "1 item of 2 is longer than 12 s" in rule(study, "M5").evidence
    assert rule(study, "M17").state == NOT_MET  # two items
    assert "5 or more are asked for" in rule(study, "M17").evidence
    assert rule(study, "M14").state == MET
    Stimulus.objects.filter(item__training=True, system="bpgan-2k").delete()
    assert "Training lacks BPGAN 2k" in rule(study, "M14").evidence
    study.items.filter(training=True).delete()
    assert rule(study, "M14").state == NOT_MET


def test_gains_have_a_sign_that_is_a_minus_and_no_hyphen(study: Study) -> None:
    gains = iter([-0.44, 1.23])
    for stimulus in Stimulus.objects.filter(item__study=study):
        stimulus.gain_db = next(gains, 0.0)
        stimulus.save()
    assert "by gains of −0.4 to +1.2 dB" in rule(study, "M18").evidence


def test_enough_items_leave_the_choice_of_material_to_the_researcher(
    make_study: Callable[..., Study],
) -> None:
    assert rule(make_study(clips=5), "M17").state == DUTY


def test_a_blocked_design_is_reported(alice: User, processed: Callable[..., Clip]) -> None:
    from codec.registry import SYSTEMS as KNOWN

    ten = [slug for slug in KNOWN if slug not in ALWAYS][:10]
    study = create_study(alice, "Many", [processed(alice, ten)], ten)
    assert rule(study, "M6").state == MET
    assert "10 systems are shared out in 10 balanced blocks of 9" in rule(study, "M6").evidence
    assert "2 training trials before the test with all 13 signals" in rule(study, "M14").evidence
    Study.objects.update(design={"systems_per_trial": 10})  # as nobody can from the page
    study.refresh_from_db()
    assert rule(study, "M6").state == NOT_MET


def test_recording_is_checked_trial_by_trial(study: Study) -> None:
    """Of the trials whose grades count: a log of training is none of a grade, and its lack is no lack."""
    session = listen(study)
    training, first, second = session.trials.all()
    assert training.item.training
    training.events.create(sequence=1, kind="play", milliseconds=5)
    first.events.create(sequence=1, kind="play", milliseconds=5)
    first.events.create(sequence=2, kind="pause", milliseconds=9)
    assert rule(study, "M30").state == NOT_MET
    assert "1 of 2 finished trials have an event log" in rule(study, "M30").evidence
    second.events.create(sequence=1, kind="play", milliseconds=5)
    training.events.all().delete()
    assert rule(study, "M30").state == MET
    assert "2 of 2 finished trials have an event log" in rule(study, "M30").evidence
    assert "1 assessor finished so far" in rule(study, "M20").evidence


def test_the_languages_that_a_listener_may_choose_are_named(study: Study) -> None:
    assert rule(study, "M10").evidence.endswith("Words are in the study's language (en).")
    study.other_languages = ["de", "ja"]
    assert rule(study, "M10").evidence.endswith("(en) or in one that the listener chose (de, ja).")


def test_only_what_listeners_were_given_counts_as_orders(study: Study) -> None:
    start_session(study, kind=Session.Kind.SIMULATED)
    start_session(study, kind=Session.Kind.PILOT)
    assert "order" not in rule(study, "M16").evidence
    start_session(study)
    # One trial for each of the two items; training is no part of the test.
    assert "So far listeners were given 2 orders, 2 different." in rule(study, "M16").evidence
    assert rule(study, "M1").evidence.startswith("All items (2) have")


def test_other_methods_have_no_such_list(study: Study) -> None:
    Study.objects.update(method="abx", method_options={"pairs": "reference", "trials": 4})
    study.refresh_from_db()
    assert compliance.checklist(study) == []
    assert compliance.method_title(study) == "ABX"


def test_the_list_is_shown_before_the_study_is_opened(client: Client, study: Study, alice: User) -> None:
    Study.objects.update(status=Study.Status.READY)
    client.force_login(alice)
    html = client.get(reverse("study_setup", args=[study.pk, "check"])).content.decode()
    open_rules, folded = html.split('id="rules-met"')
    assert "badge done" not in open_rules[open_rules.index('id="compliance"') :]
    assert "badge failed" not in folded
    shown = re.findall(r'class="rule-id">M(\d+)<', html)
    assert sorted(map(int, shown)) == list(range(1, 31))
    assert ">Publish<" in html
    assert "you can still publish" in html
    Study.objects.update(status=Study.Status.OPEN)
    html = client.get(reverse("study_setup", args=[study.pk, "check"])).content.decode()
    assert "not met</a>: the report lists" in html
    assert "you can still publish" not in html


def test_the_document_has_every_rule_and_points_at_files_that_exist() -> None:
    text = DOCUMENT.read_text()
    rows = re.findall(r"^\| (M\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    assert [(row[0], row[1].strip()) for row in rows] == [
        (name, requirement) for name, (requirement, _pages) in compliance.REQUIREMENTS.items()
    ]
    for name, _requirement, *where in rows:
        paths = re.findall(r"`([\w./-]+\.\w+)(?:::(\w+))?`", " ".join(where))
        assert paths, name
        for path, function in paths:
            assert (ROOT / path).is_file(), f"{name}: {path}"
            assert not function or f"def {function}(" in (ROOT / path).read_text(), f"{name}: {function}"


def test_the_instructions_say_that_something_must_get_100(client: Client, study: Study) -> None:
    session = start_session(study)
    html = client.get(reverse("session", args=[session.token])).content.decode()
    for _ in range(3):  # past what comes before the instructions
        if "must be graded 100" in html:
            break
        session.stages.get_or_create(name="volume")
        html = client.get(reverse("session", args=[session.token])).content.decode()
    assert "must be graded 100" in html
    assert "need not be" in html
