"""Whether a key is one system on several pages, judged by the names of its files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from listening.interchange.imports.content import Page


@dataclass(frozen=True)
class FileNames:
    """Names of systems taken from files.

    Attributes:
        names: by page's line and key.
        likely: whether they rather than the keys tell the systems apart.
    """

    names: Mapping[int, Mapping[str, str]]
    likely: bool

    @property
    def all_names(self) -> list[str]:
        return list(dict.fromkeys(name for names in self.names.values() for name in names.values()))


def same_everywhere(pages: Sequence[Page]) -> bool:
    """Whether the files of each key have something in their names on all pages that other keys' do not.

    A key that is in the names of its own files is one system, too, and so is the reference itself.
    """
    own = [_own_parts(page, pieces=True) for page in pages]
    cores: dict[str, frozenset[str]] = {}
    for key in pages[0].stimuli:
        # Without parts of its own a file is the reference itself.
        parts = [each[key] for each in own if each[key]]
        if not parts or len({page.stimuli[key] for page in pages}) == 1:
            continue
        if all(key.casefold() in each for each in parts):
            cores[key] = frozenset({key.casefold()})
        else:
            cores[key] = frozenset.intersection(*map(frozenset, parts))
    return all(cores.values()) and len(set(cores.values())) == len(cores)


def by_files(pages: Sequence[Page]) -> FileNames:
    """Name the systems of pages by the parts of their files' names that come up on several pages."""
    own = {page.line: _own_parts(page) for page in pages}
    counts = Counter(
        part for parts in own.values() for part in {one for each in parts.values() for one in each}
    )
    names: dict[int, dict[str, str]] = {}
    keys_of: dict[str, set[str]] = {}
    for page in pages:
        found = {}
        for key, path in page.stimuli.items():
            parts = own[page.line][key]
            again = [part for part in parts if counts[part] > 1]
            for part in again:
                keys_of.setdefault(part, set()).add(key)
            chosen = again or list(parts)
            found[key] = "-".join(parts[part] for part in chosen) if chosen else PurePosixPath(path).stem
        distinct = len({name.casefold() for name in found.values()}) == len(found)
        names[page.line] = found if distinct else {key: key for key in page.stimuli}
    swapped = any(len(keys) > 1 for keys in keys_of.values())
    return FileNames(names, swapped or all(len(page.stimuli) == 1 for page in pages))


def _own_parts(page: Page, *, pieces: bool = False) -> dict[str, dict[str, str]]:
    """By key, the words of its file's path that neither the reference's has nor all other files' have.

    They are in lower case, each with how it is written; with `pieces`, their letters and numbers as well.
    """
    files = {key: _parts(path, pieces) for key, path in page.stimuli.items()}
    common = set(_parts(page.reference, pieces))
    if len(files) > 1:
        common |= set.intersection(*(set(parts) for parts in files.values()))
    return {
        key: {part: written for part, written in parts.items() if part not in common}
        for key, parts in files.items()
    }


def _parts(path: str, pieces: bool) -> dict[str, str]:
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", path)
    words = [word for word in re.split(r"[\W_]+", stem) if word]
    if pieces:
        words += [piece for word in words for piece in re.findall(r"[^\W\d_]+|\d+", word)]
    return {word.casefold(): word for word in words}
