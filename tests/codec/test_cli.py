"""``python -m codec`` as a person runs it: in a process of its own where that matters."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import codec
from codec import registry
from codec.__main__ import _TORCH_COMMANDS, main
from codec.audio import write_wav
from codec.container import read_ear
from codec.registry import SYSTEMS
from tests.codec.speech import harvard_sentence
from tests.conftest import ROOT


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    path = tmp_path / "in.wav"
    write_wav(path, harvard_sentence(0), 16_000)
    return path


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "codec", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_encode_and_decode(speech: Path, tmp_path: Path) -> None:
    encoded = run("encode", "--system", "opus-6k", speech, tmp_path / "out.ear")
    assert (encoded.returncode, encoded.stderr) == (0, "")
    assert "kbit/s" in encoded.stdout
    assert read_ear(tmp_path / "out.ear").system == "opus-6k"
    decoded = run("decode", tmp_path / "out.ear", tmp_path / "out.wav")
    assert (decoded.returncode, decoded.stderr) == (0, "")
    audio, rate = sf.read(tmp_path / "out.wav")
    assert (audio.size, rate) == (harvard_sentence(0).size, 16_000)


def test_original_is_bit_exact(speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encode", "--system", "original", str(speech), str(tmp_path / "out.ear")]) == 0
    assert main(["decode", str(tmp_path / "out.ear"), str(tmp_path / "out.wav")]) == 0
    before, after = (sf.read(path, dtype="int16")[0] for path in (speech, tmp_path / "out.wav"))
    assert np.array_equal(before, after)
    capsys.readouterr()
    for words in (["encode", "--system", "original", speech], ["decode", tmp_path / "out.ear"]):
        output = tmp_path / f"{words[0]}.out"
        assert main([*map(str, words), str(output), "--json"]) == 0
        made = json.loads(capsys.readouterr().out)
        assert (made["output"], made["system"]) == (str(output), "original")
        # 16 bits a sample, and 16 000 samples a second.
        assert (made["payload_bits"], made["kbps"]) == (16 * len(before), pytest.approx(256))
        assert made["seconds"] == len(before) / 16_000


@pytest.mark.rest
def test_a_limit_of_the_rate_is_kept_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The limit knows nothing of how symbols are searched.
    monkeypatch.setattr(registry.load("bpgan-2k", sample_rate=16_000), "search", "instant")
    write_wav(tmp_path / "in.wav", harvard_sentence(0)[8_000:16_000], 16_000)
    arguments = ["encode", str(tmp_path / "in.wav"), str(tmp_path / "out.ear"), "--max-kbps"]
    assert main([*arguments, "1.7", "--system", "bpgan-2k"]) == 0
    assert read_ear(tmp_path / "out.ear").kbps <= 1.7
    assert main([*arguments, "1.7", "--system", "opus-9k"]) == 2
    assert "opus-9k has no way to keep each file below a bit rate" in capsys.readouterr().err


def test_what_was_done_to_the_input_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sf.write(tmp_path / "stereo.wav", np.zeros((44_100, 2)), 44_100)
    assert (
        main(["encode", "--system", "celp-4k", str(tmp_path / "stereo.wav"), str(tmp_path / "out.ear")]) == 0
    )
    told = capsys.readouterr().err
    for note in ("2 channels mixed to mono (mean)", "resampled from 44100 Hz", "silent"):
        assert note in told


def test_systems(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["systems"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(SYSTEMS)
    assert main(["systems", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["system"] for row in rows] == list(SYSTEMS)
    assert all(row["available"] for row in rows if row["family"] != "bpgan")
    assert all(bool(row["reason"]) != row["available"] for row in rows)


@pytest.mark.parametrize(
    "command", [[], ["systems"], ["encode"], ["decode"], *([name] for name in _TORCH_COMMANDS)]
)
def test_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main([*command, "--help"])
    assert exit_info.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m codec")
    if command and command[0] in _TORCH_COMMANDS:
        assert "--out" in out  # an option of the command's own module


def test_help_and_encoding_do_not_import_torch(speech: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from codec.__main__ import main; "
        f"main(['encode', '--system', 'codec2-2.4k', {str(speech)!r}, {str(tmp_path / 'out.ear')!r}]); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["encode", "--system", "nope", "{speech}", "{tmp}/o.ear"],
            "There is no system 'nope'. Known: original",
        ),
        (["encode", "--system", "original", "{tmp}/none.wav", "{tmp}/o.ear"], "No such file"),
        (["encode", "--system", "original", "{text}", "{tmp}/o.ear"], "text file"),
        (["encode", "--system", "original", "{speech}", "{tmp}/none/o.ear"], "No such file"),
        (["encode", "--system", "original", "{tmp}", "{tmp}/o.ear"], "directory"),
        (["decode", "{speech}", "{tmp}/o.wav"], "not an Earshot bitstream"),
        (["decode", "{tmp}/none.ear", "{tmp}/o.wav"], "No such file"),
    ],
)
def test_mistakes_end_with_a_message(
    arguments: list[str], message: str, speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.wav").write_text("not a recording")
    places = {"speech": speech, "tmp": tmp_path, "text": tmp_path / "text.wav"}
    assert main([argument.format(**places) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("codec: ")
    assert message in captured.err
    assert "Traceback" not in captured.err


def test_damaged_bitstream_ends_with_a_message(
    speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ear = tmp_path / "out.ear"
    assert main(["encode", "--system", "amrnb-4.75k", str(speech), str(ear)]) == 0
    ear.write_bytes(ear.read_bytes()[:-5])
    assert main(["decode", str(ear), str(tmp_path / "out.wav")]) == 2
    assert "truncated or damaged" in capsys.readouterr().err
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("arguments", [[], ["fly"], ["encode"], ["encode", "--system"]])
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert codec.__version__ in capsys.readouterr().out
