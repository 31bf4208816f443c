"""The sentences that `make demo` loads: real speech, cut where nobody speaks."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
import soundfile

from evaluation.clips import demo_clips

pytest.importorskip("mcvqoe", reason="mcvqoe-mouth2ear is not installed (pip install 'earshot[demo]')")


@pytest.fixture(scope="module")
def clips() -> list[demo_clips.DemoClip]:
    return demo_clips.demo_clips()


def test_there_are_at_least_five_and_the_first_four_talkers_differ(clips):
    assert len(clips) >= 5
    assert len({clip.title.partition(", ")[2] for clip in clips[:4]}) == 4
    assert len({hashlib.sha256(clip.wav).digest() for clip in clips}) == len(clips)


def test_they_are_wide_band_as_the_papers_originals_of_256_kbit_s(clips):
    for clip in clips:
        heard = soundfile.info(io.BytesIO(clip.wav))
        assert heard.samplerate * heard.channels * 16 == 256_000


def test_every_clip_names_source_and_licence(clips):
    for clip in clips:
        assert "ublic domain" in clip.credit


def test_sentences_begin_and_end_in_short_silence_and_have_no_long_gap(clips):
    for clip in clips[:8]:
        audio, rate = soundfile.read(io.BytesIO(clip.wav))
        level = np.sqrt(np.mean(np.square(audio[: audio.size // 480 * 480].reshape(-1, 480)), axis=1))
        loud = np.flatnonzero(level > 10 ** (-50 / 20)) * 480 / rate
        assert 1.0 < audio.size / rate < 5.0, clip.name
        assert 0.1 <= loud[0] <= 0.3, clip.name
        assert 0.1 <= audio.size / rate - loud[-1] <= 0.3, clip.name
        assert np.diff(loud).max() < 0.5, clip.name  # the inserted gap is 0.74 s
        assert abs(audio[0]) < 1e-4
        assert abs(audio[-1]) < 1e-4


def test_the_same_bytes_every_time_so_that_a_second_demo_finds_its_clips(clips):
    assert [clip.wav for clip in demo_clips.demo_clips()] == [clip.wav for clip in clips]


def test_split_finds_the_longest_pause():
    rate = 8000
    tone = np.sin(np.arange(rate) * 0.5).astype(np.float32) * 0.3
    short, long = np.zeros(rate // 5, np.float32), np.zeros(rate, np.float32)
    first, second = demo_clips.split_sentences(np.concatenate([tone, short, tone, long, tone]), rate)
    assert first.size == pytest.approx(rate * (2.2 + 0.4), abs=rate * 0.1)
    assert second.size == pytest.approx(rate * (1.0 + 0.4), abs=rate * 0.1)
