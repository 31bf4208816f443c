"""Which pages make a study, by which method, and whether a key is one system: what a file leaves open."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from django.utils.translation import gettext_lazy as _

from listening.interchange.imports.content import Group, Page, group_pages
from listening.interchange.imports.doubts import Option
from listening.interchange.imports.naming import by_files, same_everywhere
from listening.interchange.imports.plan import Planning
from listening.interchange.imports.reading import ImportProblem, list_names
from listening.methods import METHODS

#: What a text says if listeners are to choose the one they like better, in the languages of listening tests.
_PREFERENCE = re.compile(
    r"\b(?:"
    r"prefer\w*|favou?r\w*|better|nicer|nicest|(?:sounds?|is|are|the|you like) (?:the )?best|"
    r"(?:like|enjoy|please)\w* \w* ?(?:more|most|best|better)\b|"
    r"(?:more|most) (?:pleasant|pleasing|natural|enjoyable|beautiful|appealing)|"
    r"(?:bevorzug|vorzieh|vorgezogen|lieblings?|präferenz|favorit)\w*|besser\w*|lieber|liebsten|am besten|"
    r"(?:angenehm|schön|natürlich)er\w*|gef[äa]ll\w*|zieh\w* [^.?!]{0,40}\bvor\b|"
    r"préf[éè]r\w*|favori\w*|mieux|meilleur\w*|pla[iî]t|plus (?:agréable|naturel)\w*|"
    r"prefi\w*|mejor\w*|gusta\w*|melhor\w*|gosta\w*|migliore|piac\w*|"
    r"voorkeur|beter|liever|mooier"
    r")\b|好き|好み|良い|よい|いい|喜欢|更好|偏好|تفضل|أفضل|الأفضل|मन ?पर|राम्रो",
    re.IGNORECASE,
)


class Meanings(Planning):
    """The step that finds the groups of pages."""

    def _groups(self) -> list[Group]:
        """The groups of pages, by their methods and the names of their systems."""
        methods = self._methods()
        kept = [page for page in self.configuration.pages if methods[page.line]]
        for page in self.configuration.pages:
            if not methods[page.line]:
                self._note(
                    "left_out",
                    page.line,
                    f"{page.id}: left out as you decided, or by default. With it: {page.elements}.",
                )
        names = self._names(kept, methods)
        return group_pages([(page, methods[page.line], names.get(page.line, {})) for page in kept])

    def _methods(self) -> dict[int, str]:
        """The method of each page, by its line; empty if it is left out."""
        found = {page.line: page.method for page in self.configuration.pages}
        pairs = [page for page in self.configuration.pages if page.kind == "paired_comparison"]
        if pairs:
            method = self._ask_about_pairs(pairs)
            found |= {page.line: method for page in pairs}
        for scale in ("dcr", ""):
            pages = [
                page
                for page in self.configuration.pages
                if page.kind.startswith("likert") and page.scale == scale
            ]
            if pages:
                method = self._ask_about_scale(pages, scale)
                found |= {page.line: method for page in pages}
        return found

    def _ask_about_pairs(self, pages: Sequence[Page]) -> str:
        sides = [
            page for page in pages if any(self._is_reference(page, path) for path in page.stimuli.values())
        ]
        why = []
        hint = self._find_preference(pages)
        if hint:
            why.append(f"{hint[0]} asks for a preference (“{hint[1]}”)")
        if sides:
            why.append(f"a recording of the page in line {sides[0].line} is the reference itself")
        said = f" But {' and '.join(why)}." if why else ""
        method = self._ask(
            "method:paired_comparison",
            pages[0].line,
            "Are listeners to say which recording is the reference, as "
            f"webMUSHRA asks on pages of this type?{said}",
            [
                Option(
                    "abx",
                    "ABX: which of A and B is X?",
                    "Shows whether a difference is heard, not which is better. "
                    "X is randomly the reference or "
                    "the system.",
                ),
                Option(
                    "ab",
                    "Paired preference: which of A and B do you prefer?",
                    "Shows which is liked better, the reference or the system, not whether it is recognised.",
                ),
            ],
            "ab" if why else "abx",
            quoted="\n\n".join(dict.fromkeys(page.content for page in pages[:3] if page.content)),
        )
        for page in pages:
            self._note_of(
                page,
                "changed",
                "imported as ABX; X is randomly the reference or the system, not always the first."
                if method == "abx"
                else "imported as a paired preference of the reference and each system; webMUSHRA asks which "
                "is the reference.",
            )
        return method

    def _find_preference(self, pages: Sequence[Page]) -> tuple[str, str] | None:
        """Where a text asks listeners of these pages what they prefer, and its words; None if none does."""
        lines = {page.line for page in pages}
        said = [
            *(
                (f"the text of the page in line {page.line}", text)
                for page in pages
                for text in (page.content, page.unforced, page.heading, page.id)
            ),
            *(
                (f"the text in line {page.line}", page.text)
                for page in self.configuration.text_pages
                if page.about & lines
            ),
            ("the name of the test", self.configuration.name),
            ("the id of the test", self.configuration.test_id),
        ]
        for where, text in said:
            # In names, words are joined: preference_test.
            if found := _PREFERENCE.search(text.replace("_", " ")):
                return where, found[0]
        return None

    def _ask_about_scale(self, pages: Sequence[Page], scale: str) -> str:
        first = pages[0]
        acr, dcr, leave = (
            Option(
                "acr",
                "Absolute category rating (ACR)",
                "Listeners read ACR's question and its words, Excellent to Bad, instead of the page's.",
            ),
            Option(
                "dcr",
                "Degradation category rating (DCR)",
                "Listeners hear the reference before each recording and grade its degradation.",
            ),
            Option("leave", "Leave these pages out", "No item is made of them."),
        )
        text = (
            "The words of the answers are those of a degradation scale. What are listeners to do?"
            if scale
            else "The words of the answers are not those of a scale that "
            "Earshot has. What is to become of them?"
        )
        answer = self._ask(
            f"method:{first.kind}:{first.line}",
            first.line,
            f"{list_names(page.id for page in pages)}: {text}",
            [dcr, acr, leave],
            "dcr" if scale else "leave",
        )
        if answer != "leave":
            title = METHODS[answer].title
            for page in pages:
                self._note_of(page, "changed", f"graded by {title}, in its words, not in the page's.")
        return "" if answer == "leave" else answer

    def _names(self, pages: Sequence[Page], methods: Mapping[int, str]) -> dict[int, Mapping[str, str]]:
        """Other names of systems than the keys, by page's line, where a key is not one system."""
        found: dict[int, Mapping[str, str]] = {}
        sets: dict[tuple[str, tuple[str, ...]], list[Page]] = {}
        for page in pages:
            sets.setdefault((methods[page.line], tuple(sorted(page.stimuli))), []).append(page)
        for (_method, keys), same in sets.items():
            if len(same) < 2 or same_everywhere(same):
                continue
            other = by_files(same)
            if all(dict(names) == {key: key for key in names} for names in other.names.values()):
                continue
            first, line = keys[0], same[0].line
            shown = "; ".join(f"{page.id}: {page.stimuli[first]}" for page in same[:3])
            answer = self._ask(
                f"names:{line}",
                line,
                f"Is {list_names(keys)} the same system on {len(same)} pages? "
                "The names of the files do not say so: "
                f"{first} is {shown}{' …' if len(same) > 3 else ''}.",
                [
                    Option(
                        "keys", f"Yes: {list_names(keys)}", "Grades of all these pages are compared by key."
                    ),
                    Option(
                        "files",
                        f"No: name systems by their files: {list_names(other.all_names)}",
                        "Pages with different systems become different studies.",
                    ),
                ],
                "files" if other.likely else "keys",
            )
            for page in same:
                if answer == "keys":
                    self._note_of(page, "taken", "its keys are taken as names of systems.")
                    continue
                names = found[page.line] = other.names[page.line]
                said = ", ".join(f"{key} is {name}" for key, name in names.items())
                self._note_of(page, "changed", f"systems are named by their files: {said}.")
        return found

    def _choose(self, wanted: str) -> Group | None:
        groups = self.plan.groups
        if not groups:
            self._problem(_("No page is left to import: answer the questions about them differently."), 0)
            return None
        found = next((group for group in groups if group.key == wanted), None)
        if found is None and wanted and self.strict:
            raise ImportProblem.of_field(
                "group",
                _("This configuration has no group %(group)r. Its groups: %(known)s."),
                group=wanted[:100],
                known=", ".join(group.key for group in groups),
            )
        return found or groups[0]

    def _leave_others_out(self, chosen: Group) -> None:
        for other in self.plan.groups:
            if other.key == chosen.key:
                continue
            for page in other.pages:
                self._note(
                    "left_out",
                    page.line,
                    f"{page.id}: a page of {METHODS[other.method].title} with "
                    f"{list_names(other.systems)}; a study has "
                    "one method and the same systems for all items. Import the file again for it. "
                    f"With it: {page.elements}.",
                )
