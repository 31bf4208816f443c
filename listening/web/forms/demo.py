"""The form of a demo page: what its fields, many of them repeated, mean as the page's content."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest

from django.http import QueryDict
from django.utils.translation import gettext as _

from evaluation.columns import Json, JsonObject
from evaluation.models import Clip
from evaluation.texts import read_whole
from listening.columns.demos import DemoContent
from listening.demos.drafts import recording_of
from listening.demos.facts import DemoProblem

#: Fields of a recording, in the form with the prefix ``recording_``.
_RECORDING = ("clip", "title", "caption", "licence", "start", "end")
_SECTION = ("heading", "text", "place")


def read_content(sent: QueryDict, find_clip: Callable[[str], Clip | None]) -> JsonObject:
    """The content that was sent, not yet validated; the buttons that move, add and remove rows are obeyed.

    Raises:
        DemoProblem: a number is none.
    """
    recordings = [_recording(row, number) for number, row in enumerate(_rows(sent, "recording", _RECORDING))]
    sections: list[Json] = [
        {"heading": row["heading"], "text": row["text"], "above": row["place"] == "above"}
        for row in _rows(sent, "section", _SECTION)
        if row["heading"].strip() or row["text"].strip()
    ]
    wanted = sent.get("add_clip", "")
    added = find_clip(str(wanted)) if wanted else None
    if added is not None:
        recordings.append(recording_of(added))
    systems = _chosen_systems(sent)
    return {
        "title": sent.get("title", ""),
        "authors": read_authors(sent.get("authors", "")),
        "abstract": sent.get("abstract", ""),
        "paper": sent.get("paper", ""),
        "code": sent.get("code", ""),
        "bitstreams": sent.get("bitstreams", ""),
        "sections": sections,
        "recordings": list(_rearranged(recordings, sent)),
        "systems": list(systems),
        "measures": list(sent.getlist("measure")),
        "study": sent.get("study") or None,
        "blind": sent.get("blind") == "yes",
        "voice": sent.get("voice") == "yes",
    }


def _rows(sent: QueryDict, prefix: str, names: tuple[str, ...]) -> list[dict[str, str]]:
    columns = [sent.getlist(f"{prefix}_{name}") for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip_longest(*columns, fillvalue="")]


def _recording(row: dict[str, str], number: int) -> JsonObject:
    found: JsonObject = {name: row[name] for name in ("clip", "title", "caption", "licence")}
    for name in ("start", "end"):
        text = row[name].strip().replace(",", ".")
        if not text:
            continue
        try:
            found[name] = float(text)
        except ValueError:
            path = f"recordings.{number}.{name}"
            raise DemoProblem.of_field(path, _("must be a number of seconds.")) from None
    return found


def _rearranged(rows: list[JsonObject], sent: QueryDict) -> list[Json]:
    """The rows after a press on “remove” or “up”."""
    kept: list[Json] = list(rows)
    number = read_whole(sent.get("remove_recording", ""))
    if number is not None and number < len(kept):
        del kept[number]
    number = read_whole(sent.get("raise_recording", ""))
    if number is not None and 0 < number < len(kept):
        kept.insert(number - 1, kept.pop(number))
    return kept


def _chosen_systems(sent: QueryDict) -> list[str]:
    chosen = list(dict.fromkeys(sent.getlist("system")))
    earlier = sent.get("raise_system", "")
    if earlier in chosen[1:]:
        place = chosen.index(earlier)
        chosen.insert(place - 1, chosen.pop(place))
    return chosen


def read_authors(text: str) -> list[Json]:
    """Authors, one a line, each with an affiliation after a semicolon."""
    found: list[Json] = []
    for line in text.splitlines():
        name, _between, affiliation = (part.strip() for part in line.partition(";"))
        if name:
            found.append({"name": name, "affiliation": affiliation})
    return found


def write_authors(content: DemoContent) -> str:
    """The inverse of `read_authors`."""
    return "\n".join(
        f"{author.name}; {author.affiliation}" if author.affiliation else author.name
        for author in content.authors
    )
