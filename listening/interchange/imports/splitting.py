"""Names that hold both item and system, such as ``005-codecA.wav``: how they are split."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from codec.recordings.formats import without_suffix

#: Ways to split a name into item and system.
RULES = {
    "first-": "item before the first hyphen",
    "last-": "item before the last hyphen",
    "first_": "item before the first underscore",
    "last_": "item before the last underscore",
    "-first": "system before the first hyphen",
    "-last": "system before the last hyphen",
    "_first": "system before the first underscore",
    "_last": "system before the last underscore",
    "whole": "one item, each file a system",
}


def split_names(
    names: Iterable[str], rule: str = "", knows: Callable[[Collection[str]], bool] | None = None
) -> tuple[str, dict[str, tuple[str, str]]]:
    """Item and system of each name by `rule`; without one, by the first that gives every item every system.

    Where no rule does, each name is a system of one item.

    Args:
        names: each once.
        rule: a key of `RULES`, or empty.
        knows: whether some of a set of names are surely systems; a rule that makes such systems comes first.
    """
    stems = {name: without_suffix(name) for name in names}
    fitting: list[tuple[str, dict[str, tuple[str, str]]]] = []
    for tried in [rule] if rule in RULES else list(RULES):
        found = {name: _split(stem, tried) for name, stem in stems.items()}
        items = {item for item, _system in found.values()}
        systems = {system for _item, system in found.values()}
        whole = all(item and system for item, system in found.values())
        complete = whole and len(items) * len(systems) == len(set(found.values())) == len(found)
        # Systems are compared within items: one system alone, or an item for each, is a wrong cut.
        if tried in (rule, "whole") or (
            complete and len(systems) > 1 and (tried[0] not in "-_" or len(items) > 1)
        ):
            fitting.append((tried, found))
    if knows is not None:
        for tried, found in fitting:
            if tried != "whole" and knows({system for _item, system in found.values()}):
                return tried, found
    return fitting[0]


def _split(stem: str, rule: str) -> tuple[str, str]:
    if rule == "whole":
        return "Item 1", stem
    mark = "-" if "-" in rule else "_"
    before, _mark, after = stem.partition(mark) if "first" in rule else stem.rpartition(mark)
    if not (before and after):
        return stem, "(none)"
    return (after, before) if rule.startswith(mark) else (before, after)
