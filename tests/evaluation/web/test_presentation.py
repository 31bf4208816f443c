"""What people and programs are shown of a clip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from codec import registry
from evaluation.analysis.recordings import describe_source, encoding_words, kilohertz
from evaluation.models import Clip, Job, Rendition, Score
from evaluation.web.presentation import clip_status, pesq_word, prefetch_results, rendition_rows
from evaluation.work.pipeline import METRICS

Q, R, D, F = (status.value for status in Job.Status)
LETTERS = {"q": Q, "r": R, "d": D, "f": F}
MakeClip = Callable[..., Clip]


def add(clip: Clip, system: str, status: str, scores: str = "", **fields: Any) -> Rendition:
    """A rendition with a score for each letter: q, r, d or f."""
    rendition = Rendition.objects.create(clip=clip, system=system, status=status, **fields)
    for metric, letter in zip(METRICS, scores, strict=False):
        Score.objects.create(
            rendition=rendition, metric=metric, status=LETTERS[letter], value=3.6, error="no"
        )
    return rendition


@pytest.mark.parametrize(
    ("renditions", "expected"),
    [
        ([], Q),
        ([(Q, ""), (Q, "")], Q),
        ([(Q, ""), (R, "")], R),
        ([(Q, ""), (D, "ddd")], R),
        ([(D, "ddd"), (D, "ddq")], R),
        ([(D, "ddd"), (D, "ddr")], R),
        ([(D, "ddd"), (D, "ddd")], D),
        ([(D, "ddd"), (F, "")], D),
        ([(F, ""), (F, "")], F),
        ([(F, ""), (Q, "")], R),
        ([(D, "ddf")], F),
    ],
)
def test_clip_status(
    alice: User, make_clip: MakeClip, renditions: list[tuple[str, str]], expected: str
) -> None:
    clip = make_clip(alice)
    for number, (status, scores) in enumerate(renditions):
        add(clip, f"s{number}", status, scores)
    assert clip_status(clip) == expected


@pytest.mark.parametrize(
    ("status", "scores", "expected"),
    [
        (Q, "", Q),
        (R, "", R),
        (F, "", F),
        (D, "qqq", R),
        (D, "dqd", R),
        (D, "ddr", R),
        (D, "ddd", D),
        (D, "dfd", F),
    ],
)
def test_rendition_is_done_when_its_scores_are_final(
    alice: User, make_clip: MakeClip, status: str, scores: str, expected: str
) -> None:
    clip = make_clip(alice)
    add(clip, "original", status, scores)
    assert [row["status"] for row in rendition_rows(clip)] == [expected]


def test_rows_are_in_the_registrys_order(alice: User, make_clip: MakeClip) -> None:
    clip = make_clip(alice)
    for slug in ["gone-1k", *sorted(registry.SYSTEMS)]:
        add(clip, slug, Q)
    assert [row["system"] for row in rendition_rows(clip)] == [*registry.SYSTEMS, "gone-1k"]


def test_row_of_a_measured_rendition(alice: User, make_clip: MakeClip) -> None:
    clip = make_clip(alice)  # 1.0 s
    rendition = add(
        clip, "celp-8k", D, "ddd", kbps=8.1, encode_seconds=0.5, decode_seconds=0.25, log="line\n"
    )
    (row,) = rendition_rows(clip)
    assert row == {
        "id": rendition.pk,
        "system": "celp-8k",
        "title": "CELP 8k (Speex)",
        "family": "celp",
        "kind": "registry",
        "status": D,
        "unavailable": False,
        "error": "",
        "percent": None,
        "log": "line\n",
        "kbps": 8.1,
        "pesq_nb": 3.6,
        "pesq_wb": 3.6,
        "stoi": 3.6,
        "pesq_word": "Good",
        "encode_rtf": 0.5,
        "decode_rtf": 0.25,
        "audio_url": f"/renditions/{rendition.pk}/audio.wav",
        "bitstream_url": f"/renditions/{rendition.pk}/bitstream.ear",
        "silence": None,
        "retry_url": None,
        "note": "narrow-band codec, 8 kHz inside",
        "stated_kbps": None,
        "others": {},
    }


def test_failed_rendition_shows_nothing_of_an_earlier_one(alice: User, make_clip: MakeClip) -> None:
    clip = make_clip(alice)
    rendition = add(clip, "opus-6k", F, kbps=6.0, encode_seconds=1.0, unavailable=True)
    Rendition.objects.update(error="Install libopus.")
    (row,) = rendition_rows(Clip.objects.get())
    assert (row["error"], row["unavailable"]) == ("Install libopus.", True)
    assert row["retry_url"] == f"/renditions/{rendition.pk}/retry/"
    for key in ("kbps", "pesq_nb", "encode_rtf", "audio_url", "bitstream_url"):
        assert row[key] is None


def test_failed_score_is_named_and_can_be_retried(alice: User, make_clip: MakeClip) -> None:
    clip = make_clip(alice)
    add(clip, "original", D, "dfd")
    (row,) = rendition_rows(clip)
    assert row["error"] == "PESQ-WB: no"
    assert (row["pesq_nb"], row["pesq_wb"]) == (3.6, None)
    assert row["retry_url"] is not None
    assert row["audio_url"] is not None


def test_metric_without_an_answer_says_why(alice: User, make_clip: MakeClip) -> None:
    clip = make_clip(alice)
    add(clip, "bpgan-2k", D, "ddd")
    Score.objects.filter(metric="stoi").update(value=None, note="the reference is silent")
    (row,) = rendition_rows(clip)
    assert row["stoi"] is None
    assert row["note"] == "STOI: the reference is silent"


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (4.64, "Excellent"), (4.0, "Excellent"), (3.99, "Good"), (3.5, "Good"), (3.2, "Fair"), (3.0, "Fair"),
        (2.9, "Poor"), (2.0, "Poor"), (1.996, "Poor"), (1.994, "Bad"), (1.0, "Bad"), (None, ""),
    ],
)  # fmt: skip
def test_pesq_word(value: float | None, word: str) -> None:
    assert pesq_word(value) == word


def test_any_number_of_clips_takes_the_same_queries(
    alice: User, make_clip: MakeClip, django_assert_num_queries: Any
) -> None:
    for _ in range(3):
        clip = make_clip(alice)
        for slug in registry.SYSTEMS:
            add(clip, slug, D, "ddd")
    with django_assert_num_queries(3):
        for clip in prefetch_results(Clip.objects.all()):
            clip_status(clip)
            rendition_rows(clip)


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ("WAV, PCM_16", "WAV, 16-bit"),
        ("FLAC, PCM_24", "FLAC, 24-bit"),
        ("M4A, AAC", "M4A, AAC"),
        ("WAV", "WAV"),
    ],
)
def test_what_an_upload_was_is_said_in_words(stored: str, words: str) -> None:
    assert encoding_words(stored) == words


def test_a_source_is_its_encoding_rate_and_channels() -> None:
    assert describe_source("WAV, PCM_16", 16_000, 1) == "WAV, 16-bit, 16 kHz, mono"
    assert describe_source("FLAC, PCM_24", 44_100, 2) == "FLAC, 24-bit, 44.1 kHz, 2 channels"


def test_rates_keep_what_is_behind_the_point() -> None:
    assert [kilohertz(rate) for rate in (16_000, 44_100, 11_025)] == ["16 kHz", "44.1 kHz", "11.025 kHz"]
