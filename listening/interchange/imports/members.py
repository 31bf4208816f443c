"""What becomes of the pages of a group: items and training, systems, blocks and the options of the method."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from evaluation.columns import Json, parse
from listening.interchange.imports.content import Group, Page
from listening.interchange.imports.doubts import Option
from listening.interchange.imports.plan import PlannedItem, Planning
from listening.interchange.imports.reading import list_names
from listening.methods import METHODS, AnyMethod
from listening.study.design import propose_systems_per_trial, room_for_systems

#: Names of systems that suggest a hidden reference or an anchor.
_REFERENCE_NAME = re.compile(
    r"(hidden|open)?[-_ ]?(ref|reference|referenz|original|orig|hidden)", re.IGNORECASE
)
_ANCHOR_NAME = re.compile(
    r"((low|mid)[-_ ]?)?(anchor|anker|lp|lowpass)[-_ ]?(35|3[.,]5|3500|70|7|7000)?(k|hz|khz)?", re.IGNORECASE
)


class Members(Planning):
    """The steps that choose items and systems."""

    _systems_left: set[str]

    def _plan_items(self, group: Group) -> None:
        roles = self._roles(group)
        for page in group.pages:
            role = roles[page.line]
            if role == "leave":
                self._note(
                    "left_out", page.line, f"{page.id}: left out as you decided. With it: {page.elements}."
                )
            else:
                self.plan.notes.extend(self.page_notes[page.line])
        heard = [page for page in group.pages if roles[page.line] != "leave"]
        self._systems_left = self._use(group, heard)
        for page in heard:
            stimuli = {
                label: path for label, path in group.stimuli(page).items() if label in self._systems_left
            }
            training = roles[page.line] == "training"
            self.plan.items.append(PlannedItem(page, training, stimuli))
            self._note("taken", page.line, f"{page.id}: an item with {', '.join(stimuli)}.")
            if training:
                self._note(
                    "changed",
                    page.line,
                    f"{page.id}: a training item: before all others, its grades are not used.",
                )
        self.plan.systems = [label for label in group.systems if label in self._systems_left]
        if heard and not self.plan.systems:
            self._problem(
                _("No system is left: all are the reference or anchors, or left out."), group.pages[0].line
            )
        self._note_fixed_orders()
        for page in heard:
            self._note_equal(page, group)

    def _note_fixed_orders(self) -> None:
        """Name the pages that webMUSHRA shows in the order of their list: those of a list that it does not
        shuffle, wherever that list is. Training keeps its order here."""
        lists: dict[tuple[int, ...], dict[int, list[Page]]] = {}
        for item in self.plan.items:
            if item.training:
                continue
            for depth, place in enumerate(item.page.places):
                if not place.shuffled:
                    where = tuple(outer.at for outer in item.page.places[:depth])
                    lists.setdefault(where, {}).setdefault(place.at, []).append(item.page)
        for where, entries in lists.items():
            if len(entries) > 1:
                parts = [_name_entry(pages) for pages in entries.values()]
                pages = next(iter(entries.values()))
                within = any(place.shuffled for place in pages[0].places[: len(where)])
                self._note(
                    "changed",
                    pages[0].line,
                    f"webMUSHRA shows {list_names(parts, 60)} in this order"
                    f"{', together,' if within else ''} to every listener; items come in a balanced random "
                    "order here, each by itself.",
                )

    def _note_equal(self, page: Page, group: Group) -> None:
        """Say which systems of a page are the same recording."""
        same: dict[str, list[str]] = {}
        for label, path in group.stimuli(page).items():
            same.setdefault(self._sound(path), []).append(label)
        for labels in same.values():
            if len(labels) > 1:
                self._note(
                    "taken",
                    page.line,
                    f"{page.id}: {list_names(labels)} are the same recording, as in the file.",
                )

    def _roles(self, group: Group) -> dict[int, str]:
        """What each page becomes: ``graded``, ``training`` or ``leave``."""
        only_practice = all(page.practice for page in group.pages)
        found = {}
        for page in group.pages:
            default = "training" if page.practice and not only_practice else "graded"
            why = f" “{page.practice}” suggests that listeners practise on it." if page.practice else ""
            if page.practice and only_practice:
                why += " So does every other page, and a study needs one that is graded."
            found[page.line] = self._ask(
                f"page:{page.line}",
                page.line,
                f"{page.id}: {list_names(group.stimuli(page))}.{why}",
                [
                    Option("graded", "Graded", "Its grades are results."),
                    Option("training", "Training", "It comes first, and its grades are not used."),
                    Option("leave", "Leave out", "No item is made of it."),
                ],
                default,
                kind="role",
            )
        return found

    def _use(self, group: Group, pages: Sequence[Page]) -> set[str]:
        """The systems that are compared; asks about those that may be the reference or an anchor."""
        method = METHODS[group.method]
        suspects: dict[str, tuple[str, str]] = {}
        for label in group.systems:
            if found := self._suspect(group, pages, label, method):
                suspects[label] = found
        room = room_for_systems(method) if method.side_by_side else len(group.systems)
        certain = [label for label in group.systems if suspects.get(label, ("", "keep"))[1] == "keep"]
        crowded = len(certain) > room
        kept = set()
        for label in group.systems:
            if label not in suspects and not crowded:
                kept.add(label)
                continue
            text, default = suspects.get(label, (label, "keep"))
            line = next((page.line for page in pages), group.pages[0].line)
            answer = self._ask(
                f"use:{label}",
                line,
                text,
                [
                    Option("keep", "Under test", "It is graded, ranked and counted like the others."),
                    Option(
                        "leave",
                        "Leave out",
                        "Nothing is made of it; the reference and the anchors "
                        "of the method are there anyway.",
                    ),
                ],
                default,
                kind="meaning" if label in suspects else "system",
            )
            if answer == "keep":
                kept.add(label)
                if label in suspects:
                    self._note("taken", line, f"{label}: a system under test. {text}")
            else:
                for page in pages:
                    lines = {group.labels.get((page.line, key), key): at for key, at in page.lines.items()}
                    self._note(
                        "left_out",
                        lines.get(label, page.line),
                        f"{page.id}: {text if label in suspects else f'{label}: left out as you decided.'}",
                    )
        return kept

    def _suspect(
        self, group: Group, pages: Sequence[Page], label: str, method: AnyMethod
    ) -> tuple[str, str] | None:
        """A sentence about a system that may be the reference or an anchor, and what to do by default."""
        paths = [(page, group.stimuli(page)[label]) for page in pages]
        if not paths:
            return None
        same = [page for page, path in paths if self._is_reference(page, path)]
        if len(same) == len(paths):
            return f"{label} is the reference itself on every page.", "leave"
        if same:
            lines = list_names(str(page.line) for page in same)
            return f"{label} is the reference itself on some pages only (lines {lines}).", "keep"
        for slug, title in (("anchor35", "3.5 kHz"), ("anchor70", "7 kHz")):
            like = [
                page
                for page, path in paths
                if path in self.recordings and self.recordings[path].like.get(page.reference) == slug
            ]
            if slug in method.always and len(like) == len(paths):
                return (
                    f"{label} is the reference below {title}, like the anchor that every trial has.",
                    "leave",
                )
            if slug in method.always and like:
                lines = list_names(str(page.line) for page in like)
                return f"{label} is the reference below {title} on some pages only (lines {lines}).", "keep"
        if _REFERENCE_NAME.fullmatch(label):
            return f"{label} is called like a reference, but its recording is another one.", "keep"
        if _ANCHOR_NAME.fullmatch(label) and "anchor35" in method.always:
            return (
                f"{label} is called like an anchor, but its recording is not one that Earshot makes.",
                "keep",
            )
        return None

    def _plan_blocks(self) -> None:
        plan, method = self.plan, self.plan.method
        room = room_for_systems(method) if method.side_by_side else None
        count = len(plan.systems)
        if room is None or count <= room:
            return
        size = propose_systems_per_trial(count, room)
        line = plan.items[0].page.line if plan.items else 0
        answer = self._ask(
            "blocks",
            line,
            f"{count} systems are more than the {room} that a trial of "
            f"{method.title} has room for beside hidden "
            "reference and anchors.",
            [
                Option(
                    "divide",
                    f"Divide them: {size} systems in each trial",
                    "Each listener compares only some of the systems with "
                    "each other; blocks are balanced over "
                    "listeners, so more listeners are needed.",
                ),
                Option("stop", "Do not divide them", "Nothing is imported until you leave some of them out."),
            ],
            "divide",
        )
        if answer == "stop":
            self._problem(
                _("%(count)s systems do not fit into a trial, which has room for %(room)s: leave some out."),
                line,
                count=count,
                room=room,
            )
        else:
            self._note(
                "changed",
                line,
                f"{count} systems are divided into balanced blocks of {size}; a listener does not hear all.",
            )

    def _plan_options(self, group: Group) -> None:
        plan, pages = self.plan, [item.page for item in self.plan.items]
        options: dict[str, Json] = dict(plan.method.webmushra_options or {})
        offered = [page for page in pages if page.unforced]
        for page in pages:
            if page.unforced_line and not page.unforced:
                self._note(
                    "taken", page.unforced_line, "unforced: empty: there is no other answer here either."
                )
        if group.method == "ab":
            options = {"pairs": "reference", "no_preference": bool(offered)}
            for page in offered:
                self._note(
                    "taken",
                    page.unforced_line,
                    f"{page.id}: unforced: “{page.unforced}” is the answer “No preference”.",
                )
            without = [page for page in pages if not page.unforced]
            if offered and without:
                self._note(
                    "changed",
                    without[0].line,
                    f"{list_names(page.id for page in without)}: “No preference” is an answer "
                    "here, too: the whole study has it or not.",
                )
        else:
            for page in offered:
                self._note(
                    "left_out",
                    page.unforced_line,
                    f"{page.id}: unforced: {plan.method.title} has no answer like “{page.unforced}”.",
                )
        if group.method == "acr":
            hidden = len(plan.systems) < len(group.systems)
            options = {"hidden_reference": hidden}
            self._note(
                "changed",
                pages[0].line if pages else 0,
                "The reference is graded, too, hidden."
                if hidden
                else "The reference is not heard in ACR; the study's settings can add it, hidden.",
            )
        if any(page.kind == "likert_multi_stimulus" for page in pages):
            self._note(
                "changed", pages[0].line, "Recordings are graded one at a time, not together on a page."
            )
        if any(page.scale == "acr" for page in pages) and group.method == "acr":
            self._note(
                "changed",
                pages[0].line,
                "Listeners read ACR's question: “How good is the quality of this speech?”",
            )
        plan.options = parse(plan.method.Options, options, "method_options")


def _name_entry(pages: Sequence[Page]) -> str:
    """The pages of an entry of a list of pages."""
    names = list_names(page.id for page in pages)
    return names if len(pages) == 1 else f"({names})"
