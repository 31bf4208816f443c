"""``python -m codec``: list systems, encode, decode, train and measure."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from tqdm import tqdm

from codec import __version__
from codec.audio import write_wav
from codec.base import CodecError, CodecUnavailable, Encoded, Progress, channels_of, gettext_noop
from codec.container import read_ear, write_ear
from codec.recordings.formats import NAMED
from codec.registry import SYSTEMS, get_system, load
from codec.threads import use_threads
from codec.working import conversions, read_working_copy, version_for

_BAR = "{desc}: {percentage:3.0f} % |{bar}| {n_fmt} of {total_fmt} s, {remaining} left"


def main(argv: Sequence[str] | None = None, prog: str = "python -m codec") -> int:
    """Run the command line; returns the exit status: 0, 2 for errors the user can fix, 130 for Ctrl-C.

    `prog` is what the help calls it.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        options = build_parser(arguments, prog).parse_args(arguments)
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except KeyboardInterrupt:
        print("codec: interrupted", file=sys.stderr)
        return 130
    except CodecError as error:
        print(f"codec: {error}", file=sys.stderr)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        print(f"codec: {name}{error.strerror or error}", file=sys.stderr)
    return 2


def build_parser(arguments: Sequence[str], prog: str = "python -m codec") -> argparse.ArgumentParser:
    """Build the parser for `arguments`; a sub-command that needs torch is imported only if they name it."""
    parser = argparse.ArgumentParser(prog=prog, description="Speech to bits and back, by any system.")
    parser.add_argument("--version", action="version", version=f"Earshot codec {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    systems = commands.add_parser(
        "systems", help="list the systems and whether they work here", description="List the systems."
    )
    systems.add_argument("--json", action="store_true", help="one JSON list instead of a table")
    systems.set_defaults(run=_systems)

    encode = commands.add_parser(
        "encode",
        help="audio file to bitstream",
        description="Encode a recording, converted to what the system takes: mono at 16 kHz for speech.",
    )
    encode.add_argument(
        "--system", required=True, metavar="S", help="slug of a system, as listed by `systems`"
    )
    encode.add_argument("input", type=Path, help=NAMED)
    encode.add_argument("output", type=Path, help="bitstream to write (.ear)")
    encode.add_argument(
        "--max-kbps",
        type=float,
        metavar="RATE",
        help="never more than that, headers included (default: what the system takes)",
    )
    _offer_json(encode)
    encode.set_defaults(run=_encode)

    decode = commands.add_parser(
        "decode", help="bitstream to WAV", description="Decode a bitstream, which names its own system."
    )
    decode.add_argument("input", type=Path, help="bitstream that `encode` wrote (.ear)")
    decode.add_argument("output", type=Path, help="16-bit WAV to write")
    _offer_json(decode)
    decode.set_defaults(run=_decode)

    for name, (module, description) in _TORCH_COMMANDS.items():
        command = commands.add_parser(name, help=description, description=f"{description.capitalize()}.")
        if name in arguments:
            _add_torch_command(command, module)
    return parser


def _offer_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print what was made as one JSON object")


#: Sub-commands that need torch: the module with their `add_arguments` and `run`, and what they do.
_TORCH_COMMANDS = {
    "train": ("training.train", "train a BPGAN model on folders of speech"),
    "calibrate": ("training.calibrate", "fit a model's probability tables and bit rates to searched speech"),
    "configure": ("training.configure", "change what the receiver of a model does with what was sent"),
    "ceilings": (
        "reports.ceilings",
        "measure what each step of the chain costs, and accuracy against naturalness",
    ),
    "search-report": (
        "reports.search_report",
        "measure the search and the entropy coder on a folder of speech",
    ),
}


def _add_torch_command(parser: argparse.ArgumentParser, name: str) -> None:
    try:
        module = import_module(f"codec.bpgan.{name}")
    except ImportError as error:
        raise CodecUnavailable(
            gettext_noop("This is not available here: %(error)s. Try: pip install 'earshot[train]'"),
            error=str(error),
        ) from error
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)


def _systems(options: argparse.Namespace) -> int:
    rows = []
    for system in SYSTEMS.values():
        try:
            load(system.slug)
            reason = ""
        except CodecError as error:
            reason = str(error)
        rows.append(
            {
                "system": system.slug,
                "title": system.title,
                "family": system.family,
                "nominal_kbps": system.nominal_kbps,
                "available": not reason,
                "reason": reason,
                "note": system.note,
            }
        )
    if options.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    print(f"{'system':<16}{'kbit/s':>8}  {'title':<18}remarks")
    for row in rows:
        remarks = row["note"] if row["available"] else row["reason"]
        print(f"{row['system']:<16}{row['nominal_kbps']:>8g}  {row['title']:<18}{remarks}".rstrip())
    return 0


def _encode(options: argparse.Namespace) -> int:
    takes = get_system(options.system).takes
    recording = read_working_copy(options.input)
    rate, channels = takes.fit(recording.rate, channels_of(recording.audio))
    notes = [*recording.notes, *conversions(recording.audio, recording.rate, rate, channels)]
    for note in notes:
        print(f"{options.input.name}: {note}", file=sys.stderr)
    codec = load(options.system, sample_rate=rate)
    if options.max_kbps is not None:
        codec = codec.limit_rate(options.max_kbps)
    audio = version_for(recording.audio, recording.rate, rate, channels)
    use_threads(searching=True)
    started = time.perf_counter()
    with _bar("encoding", rate) as progress:
        encoded = codec.encode(audio, progress)
    seconds = time.perf_counter() - started
    write_ear(options.output, encoded)
    if options.json:
        _print_made(options.output, encoded, encode_seconds=seconds)
        return 0
    print(
        f"{options.output}: {encoded.seconds:.2f} s by {options.system}, {encoded.payload_bits} bits, "
        f"{encoded.kbps:.2f} kbit/s, encoded in {seconds:.2f} s"
    )
    return 0


def _print_made(output: Path, encoded: Encoded, **seconds: float) -> None:
    made = {
        "output": str(output),
        "system": encoded.system,
        "seconds": encoded.seconds,
        "payload_bits": encoded.payload_bits,
        "kbps": encoded.kbps,
        **{name: round(value, 3) for name, value in seconds.items()},
    }
    print(json.dumps(made, indent=2, ensure_ascii=False))


@contextmanager
def _bar(what: str, sample_rate: int) -> Iterator[Progress]:
    """Show a bar in seconds of audio on the terminal, for codecs that report progress and take a while."""
    with tqdm(desc=what, unit="s", disable=None, delay=0.5, miniters=1, leave=False, bar_format=_BAR) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = round(total / sample_rate)
            bar.update(round(done / sample_rate) - bar.n)

        yield progress


def _decode(options: argparse.Namespace) -> int:
    encoded = read_ear(options.input)
    codec = load(encoded.system, sample_rate=encoded.sample_rate)
    use_threads(seconds=encoded.seconds)
    started = time.perf_counter()
    with _bar("decoding", encoded.sample_rate) as progress:
        audio = codec.decode(encoded, progress)
    seconds = time.perf_counter() - started
    write_wav(options.output, audio, encoded.sample_rate)
    if options.json:
        _print_made(options.output, encoded, decode_seconds=seconds)
        return 0
    print(f"{options.output}: {encoded.seconds:.2f} s by {encoded.system}, decoded in {seconds:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
