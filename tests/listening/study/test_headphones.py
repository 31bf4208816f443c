"""The headphone screening: what the signals are, and how answers are judged."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
from django.test import Client
from django.urls import reverse

from listening.models import Session, Stage, Study
from listening.session.sessions import current_step, start_session, take_step
from listening.study import headphones
from listening.study.headphones import GAP_SECONDS, INTERVAL_SECONDS, RATE, ROUNDS, TESTS
from listening.study.studies import close_study

HUGGINS = {"test": "huggins", "pass": 5, "attempts": 1}
ANTIPHASE = {"test": "antiphase", "pass": 5, "attempts": 1}


def intervals(wav: bytes) -> list[np.ndarray]:
    """The three intervals of a round, float (samples, 2), as a browser decodes them."""
    audio, rate = soundfile.read(io.BytesIO(wav))
    assert rate == RATE
    assert audio.shape == (round((3 * INTERVAL_SECONDS + 2 * GAP_SECONDS) * RATE), 2)
    length, period = round(INTERVAL_SECONDS * RATE), round((INTERVAL_SECONDS + GAP_SECONDS) * RATE)
    for start in (length, length + period):
        assert not audio[start : start + round(GAP_SECONDS * RATE)].any()
    return [audio[start : start + length] for start in (0, period, 2 * period)]


@pytest.fixture
def screened(study: Study) -> Callable[..., Session]:
    """Start a session of a study with these tests, at its first round."""

    def start(*tests: dict[str, object], **more: object) -> Session:
        Study.objects.filter(pk=study.pk).update(headphones={"tests": list(tests), **more})
        study.refresh_from_db()
        session = start_session(study)
        take_step(session, "volume", {})
        assert current_step(session).kind == "headphones"
        return session

    return start


def answer(client: Client, session: Session, right: bool = True, **changes: object) -> None:
    """Answer the current round."""
    current = headphones.current_round(session)
    assert current
    interval = headphones.plan_of(session, current)[0]
    chosen = interval if right else (interval + 1) % 3
    sent = {"test": current.stage, "number": current.number, "answer": chosen + 1} | changes
    response = client.post(reverse("session_headphones", args=[session.token]), sent)
    assert response.headers["Location"] == reverse("session", args=[session.token])


def attempt(client: Client, session: Session, right: int) -> None:
    """A whole attempt with so many right answers."""
    for number in range(ROUNDS):
        answer(client, session, number < right)


@pytest.mark.parametrize("target", [0, 1, 2])
def test_huggins_turns_the_band_of_one_interval_in_one_ear(target: int) -> None:
    wav = headphones.stereo_wav(headphones.huggins_signal((target, -1), np.random.default_rng(target)))
    for number, burst in enumerate(intervals(wav)):
        left, right = burst.T
        # The steady part, a whole number of periods of every whole frequency.
        steady = slice(RATE // 4, RATE // 4 + RATE // 2)
        spectra = [np.fft.rfft(channel[steady] * np.hanning(RATE // 2)) for channel in (left, right)]
        cross = spectra[0] * spectra[1].conj()
        hertz = np.fft.rfftfreq(RATE // 2, 1 / RATE)
        inside = np.abs(hertz - 600) <= 600 * 0.06 - 4
        outside = (np.abs(hertz - 600) >= 600 * 0.06 + 4) & (hertz > 20)

        def coherence(where: np.ndarray, cross: np.ndarray = cross) -> float:
            return float(cross[where].real.sum() / np.abs(cross[where]).sum())

        assert coherence(outside) > 0.999
        assert coherence(inside) == pytest.approx(-1 if number == target else 1, abs=0.01)
        if number != target:
            np.testing.assert_array_equal(left, right)
        # Neither ear alone has a cue: equal levels, in the band too.
        for where in (inside, outside):
            power = [float((np.abs(spectrum[where]) ** 2).sum()) for spectrum in spectra]
            assert 10 * np.log10(power[1] / power[0]) == pytest.approx(0, abs=0.2)
        assert np.sqrt(np.mean(left**2)) == pytest.approx(headphones.NOISE_RMS, rel=0.05)
        assert np.abs(burst).max() < 0.5
    first, second, third = (burst[:, 0] for burst in intervals(wav))
    for a, b in ((first, second), (second, third)):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.02  # fresh noise in each


@pytest.mark.parametrize("plan", TESTS["antiphase"].plans)
def test_antiphase_has_one_softer_and_one_turned_tone(plan: tuple[int, int]) -> None:
    softest, turned = plan
    wav = headphones.stereo_wav(headphones.antiphase_signal(plan, np.random.default_rng(0)))
    tones = intervals(wav)
    level = [20 * np.log10(np.sqrt(np.mean(tone[:, 0] ** 2))) for tone in tones]
    for number, tone in enumerate(tones):
        left, right = tone.T
        spectrum = np.abs(np.fft.rfft(left))
        assert spectrum.argmax() == 200  # Hz: the interval is one second long
        np.testing.assert_allclose(right, -left if number == turned else left, atol=1.1 / 32767)
        other = next(n for n in range(3) if n != softest)
        assert level[number] - level[other] == pytest.approx(-6 if number == softest else 0, abs=0.01)
        # In the air the turned tone goes, and the softest is not the softest any more.
        together = 20 * np.log10(np.sqrt(np.mean((left + right) ** 2)) + 1e-9)
        assert (together < -80) == (number == turned)


def test_rounds_are_balanced_and_follow_from_the_secret(screened: Callable[..., Session]) -> None:
    sessions = [screened(HUGGINS), screened(HUGGINS)]
    plans = []
    for session in sessions:
        rounds = [headphones.Round(TESTS["huggins"], 1, number, 1) for number in range(1, ROUNDS + 1)]
        plans.append([headphones.plan_of(session, each)[0] for each in rounds])
        assert Counter(plans[-1]) == {0: 2, 1: 2, 2: 2}
        first = headphones.round_wav(session, rounds[0])
        assert first == headphones.round_wav(session, rounds[0])
        assert first != headphones.round_wav(session, rounds[1])
    many = [[headphones.plan_of(Session(), each)[0] for each in rounds] for _ in range(40)]
    assert len({tuple(plan) for plan in many}) > 20  # 90 are possible
    softest = [
        headphones.plan_of(sessions[0], headphones.Round(TESTS["antiphase"], 1, n, 1)) for n in range(1, 7)
    ]
    assert len(set(softest)) == 6


def test_nothing_but_the_sound_tells_the_answer(client: Client, screened: Callable[..., Session]) -> None:
    """Address, headers, size and page are the same whatever is right."""
    seen = set()
    for _ in range(2):
        session = screened(HUGGINS, ANTIPHASE)
        while current := headphones.current_round(session):
            html = client.get(reverse("session", args=[session.token])).content.decode()
            url = reverse("round_sound", args=[session.token, current.stage, current.number])
            assert url in html
            assert "right" not in url
            sound = client.get(url, headers={"X-Request-ID": "the-same-name"})
            headers = {key: value for key, value in sound.items() if key != "Content-Length"}
            seen.add((str(sorted(headers.items())), len(sound.content)))
            page = html.replace(session.token, "").replace(session.assessor.code, "")
            for n in range(1, 4):
                assert page.count(f'value="{n}"') >= 1
            answer(client, session)
            for later in (current.number - 1, current.number, current.number + 2):
                old = reverse("round_sound", args=[session.token, current.stage, max(later, 1)])
                assert client.get(old).status_code == 404
    assert len(seen) == 1


def test_all_right_goes_on(client: Client, screened: Callable[..., Session]) -> None:
    session = screened(HUGGINS, ANTIPHASE)
    attempt(client, session, 6)
    assert current_step(session).kind == "headphones"
    attempt(client, session, 5)
    assert current_step(session).kind == "instructions"
    kept = {stage.name: stage.data for stage in session.stages.exclude(name="volume")}
    assert {name: (data["correct"], data["passed"]) for name, data in kept.items()} == {
        "huggins-1": (6, True),
        "antiphase-1": (5, True),
    }
    assert [len(data["answers"]) for data in kept.values()] == [6, 6]


def test_failing_ends_the_session_kindly_and_keeps_the_answers(
    client: Client, screened: Callable[..., Session]
) -> None:
    session = screened(HUGGINS, ANTIPHASE)
    attempt(client, session, 4)
    session.refresh_from_db()
    assert session.screened_out
    data = Stage.objects.get(session=session, name="huggins-1").data
    assert (data["correct"], data["passed"], len(data["answers"])) == (4, False, 6)
    for _ in range(2):
        html = client.get(reverse("session", args=[session.token])).content.decode()
        assert "Thank you for trying" in html
        assert session.completion_code not in html
    client.post(reverse("session_begin", args=[session.token]))
    session.refresh_from_db()
    assert session.instructed is None
    assert current_step(session).kind == "screened_out"


def test_the_pass_mark_is_the_researchers(client: Client, screened: Callable[..., Session]) -> None:
    session = screened(HUGGINS | {"pass": 6})
    attempt(client, session, 5)
    session.refresh_from_db()
    assert session.screened_out
    session = screened(HUGGINS | {"pass": 3})
    attempt(client, session, 3)
    assert current_step(session).kind == "instructions"


def test_a_second_attempt_has_other_rounds_and_may_pass(
    client: Client, screened: Callable[..., Session]
) -> None:
    session = screened(HUGGINS | {"attempts": 2})
    first = headphones.current_round(session)
    assert first
    sound = headphones.round_wav(session, first)
    attempt(client, session, 0)
    again = headphones.current_round(session)
    assert again
    assert (again.attempt, again.number) == (2, 1)
    assert headphones.round_wav(session, again) != sound
    assert "try once more" in client.get(reverse("session", args=[session.token])).content.decode()
    attempt(client, session, 6)
    session.refresh_from_db()
    assert not session.screened_out
    assert current_step(session).kind == "instructions"
    assert Stage.objects.filter(session=session, name__startswith="huggins").count() == 2


def test_a_failure_may_only_be_noted(client: Client, screened: Callable[..., Session]) -> None:
    session = screened(HUGGINS, on_fail="go_on")
    attempt(client, session, 0)
    assert current_step(session).kind == "instructions"
    assert Stage.objects.get(session=session, name="huggins-1").data["passed"] is False


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 2}, {"number": 0}, {"number": ""}, {"number": "x"}, {"number": "²"},
        {"answer": 0}, {"answer": 4}, {"answer": ""}, {"answer": "1.0"},
        {"test": "huggins-2"}, {"test": "antiphase-1"}, {"test": ""}, {"test": "volume"},
    ],
)  # fmt: skip
def test_a_forged_answer_changes_nothing(
    client: Client, screened: Callable[..., Session], changes: dict[str, object]
) -> None:
    session = screened(HUGGINS)
    answer(client, session, **changes)
    current = headphones.current_round(session)
    assert current
    assert current.number == 1
    assert not Stage.objects.filter(name__startswith="huggins").exists()


def test_a_repeated_answer_counts_once(client: Client, screened: Callable[..., Session]) -> None:
    session = screened(HUGGINS)
    current = headphones.current_round(session)
    assert current
    right = headphones.plan_of(session, current)[0] + 1
    url = reverse("session_headphones", args=[session.token])
    for chosen in (right, right % 3 + 1, right):  # a double click, and thinking again in another tab
        client.post(url, {"test": "huggins-1", "number": 1, "answer": chosen})
    [kept] = Stage.objects.get(name="huggins-1").data["answers"]
    assert (kept["answer"], kept["right"]) == (right, right)


def test_answers_to_a_closed_study_are_not_taken(client: Client, screened: Callable[..., Session]) -> None:
    session = screened(HUGGINS)
    close_study(session.study)
    answer(client, session)
    assert not Stage.objects.filter(name="huggins-1").exists()


def test_programs_are_not_screened(study: Study) -> None:
    Study.objects.update(headphones={"tests": [HUGGINS]})
    study.refresh_from_db()
    session = start_session(study, kind=Session.Kind.SIMULATED)
    assert headphones.current_round(session) is None


def test_the_example_is_a_real_tone_in_both_ears(client: Client, screened: Callable[..., Session]) -> None:
    session = screened(HUGGINS)
    sound = client.get(reverse("headphones_example", args=[session.token]))
    audio, _rate = soundfile.read(io.BytesIO(sound.content))
    np.testing.assert_array_equal(audio[:, 0], audio[:, 1])
    noise, tone = audio[:RATE, 0], audio[-RATE:, 0]
    levels = [np.abs(np.fft.rfft(part))[590:611].max() for part in (noise, tone)]
    assert levels[1] > 10 * levels[0]
