"""webMUSHRA's YAML configuration: its pages, texts and questions, and what becomes of every other element.

Nothing is decided here that depends on what the researcher wants: `planning` does that. Each element is
either part of a `Page`, `TextPage` or `AskedQuestion`, or a `Note` says with its line what becomes of it.
What no reader has taken is named at the end (`yaml_lines.find_unread`), so no unknown element gets lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from django.utils.translation import gettext_lazy as _

from evaluation.analysis import words
from evaluation.texts import clean_line
from listening.interchange.imports.content import Configuration, Note, NothingToImport, Page, Place, TextPage
from listening.interchange.imports.known import OF_OPINION, OF_SWITCHING, OF_TEST, OF_TEXTS, Fates, fate_of
from listening.interchange.imports.plain import count_lost, plain_text
from listening.interchange.imports.practice import practice_in_name, practice_in_text
from listening.interchange.imports.questionnaires import QUESTIONNAIRES, QuestionnaireReader
from listening.interchange.imports.reading import ImportProblem
from listening.interchange.imports.yaml_lines import (
    Map,
    Node,
    Scalar,
    Seq,
    describe,
    discard,
    find_unread,
    load,
)
from listening.methods import find_method
from listening.study.languages import LANGUAGES

#: The words of scales, as people write them, from the worst.
_SCALES = {
    "acr": (r"bad|schlecht", r"poor|dürftig|mäßig", r"fair|ordentlich", r"good|gut",
            r"excellent|ausgezeichnet|sehr gut"),
    "dcr": (r"very annoying|sehr störend", r"annoying|störend", r"slightly annoying|etwas störend",
            r".*not annoying|.*nicht störend", r"imperceptible|.*inaudible|unhörbar|nicht hörbar"),
}  # fmt: skip
#: What becomes of a page without recordings, by its type.
_PAGES = {
    "consent": "the page of consent here.",
    "volume": "the volume is set on Earshot's own page.",
    "questionnaire": "its questions are asked here.",
    "finish": "the last page here.",
}
#: Of a page; it becomes the name of an item.
MAX_ID = 200
#: Longer names and identifiers of a test are cut.
MAX_NAME_OF_TEST, MAX_TEST_ID = 200, 30
_NO_REFERENCE = (
    "it has no reference. Every method here compares with, or measures against, the unprocessed recording: "
    "add it to the page as `reference`."
)


def read_configuration(text: str) -> Configuration:
    """Read a configuration.

    Raises:
        ImportProblem: it is not YAML; if it has no page that can be imported, a `NothingToImport`.
    """
    root, mended = load(text)
    pages = root.take_list("pages") if isinstance(root, Map) else None
    if not isinstance(root, Map) or pages is None:
        raise ImportProblem(_("This is not a webMUSHRA configuration: it has no list of pages."), 1, 1)
    return _Reader(root, pages, mended).read()


def _count_refused(refused: Sequence[str]) -> str:
    shown = ", ".join(refused[:8])
    return shown if len(refused) <= 8 else f"{shown} and {len(refused) - 8} more"


class _Reader(QuestionnaireReader):
    """Reads the tree of a configuration; `refused` says for each page that cannot be imported why."""

    def __init__(self, root: Map, pages: Seq, mended: Sequence[str]) -> None:
        self.root, self.pages = root, pages
        self.refused: list[str] = []
        self.names: dict[str, int] = {}
        #: Lines of what is left out as a whole or has no place, and pages without recordings.
        self._left_out: set[int] = set()
        self._texts: list[Map] = []
        root.title = "the test"
        self.found = Configuration(
            name=clean_line(plain_text(root.take_text("testname"))) or "Imported test",
            test_id=clean_line(root.take_text("testId")),
        )
        for said in mended:
            self.found.note("changed", 0, said)

    def read(self) -> Configuration:
        found = self.found
        self._read_head()
        self._read_list(self.pages, ())
        self._find_what_texts_are_about(self.pages, top=True)
        for left in find_unread(self.root):
            what = left.title or "the test"
            inside = describe(left.value)
            held = f" With it: {inside}." if inside else ""
            if left.key:
                why = "is not expected there" if left.key in _EXPECTED else "is not known here"
                found.note("left_out", left.line, f"{what}: the setting {left.key} {why}.{held}")
            else:
                shown = f" {left.value.text[:40]!r}" if isinstance(left.value, Scalar) else ""
                found.note(
                    "left_out", left.line, f"{what}: the entry{shown} of a list is not known here.{held}"
                )
        if not found.pages:
            problem = NothingToImport(
                _("No page of this configuration can be imported. It has %(refused)s.")
                if self.refused
                else _("No page of this configuration can be imported. It has no page with recordings."),
                refused=_count_refused(self.refused),
            )
            problem.notes = self._leave_everything_out()
            raise problem
        return found

    def _leave_everything_out(self) -> list[Note]:
        """What a report says if nothing can be imported: every element is left out."""
        whole = [
            note
            if note.kind == "left_out" or not note.line
            else Note("left_out", note.line, "a random list.")
            for note in self.found.notes
            if note.line == 0 or note.line in self._left_out
        ]
        why = "not imported, because no page with recordings can be."
        head = ", ".join(
            f"{key} ({line}{f': {held}' if (held := describe(self.root.entries[key])) else ''})"
            for key, line in self.root.lines.items()
            if key != "pages"
        )
        rest = [
            Note("left_out", page.line, f"{page.title}: {why} With it: {describe(page)}.")
            for page in self._texts
        ]
        if head:
            rest.append(Note("left_out", min(self.root.lines.values()), f"the test: {why} With it: {head}."))
        return [*whole, *rest]

    def _read_head(self) -> None:
        root, found = self.root, self.found
        for key, text, what, most in (
            ("testname", found.name, "the name of the study, unless you give it another", MAX_NAME_OF_TEST),
            ("testId", found.test_id, "part of the titles of systems", MAX_TEST_ID),
        ):
            if isinstance(root.get(key), Scalar) and text:
                cut = f" (its first {most} characters)" if len(text) > most else ""
                found.note(
                    "changed" if cut else "taken", root.lines[key], f"{key}: {what}{cut}: {text[:most]}."
                )
        found.name, found.test_id = found.name[:MAX_NAME_OF_TEST], found.test_id[:MAX_TEST_ID].strip()
        if "language" in root and (wanted := root.take_text("language").strip()):
            code = wanted.lower().replace("_", "-").split("-")[0]
            found.language = code if code in LANGUAGES else "en"
            said = f"language: {wanted[:20]}: listeners' pages are in {LANGUAGES[found.language].english}"
            known = code in LANGUAGES
            why = "." if known else f"; {wanted[:20]} is not available."
            found.note("taken" if known else "changed", root.lines["language"], f"{said}{why}")
        self._read_settings(root, OF_TEST)

    # -- The list of pages

    def _read_list(self, entries: Seq, places: tuple[Place, ...]) -> None:
        """Read pages in order from nested lists; a shuffled list begins with the element ``random``.

        Args:
            places: of the list in those around it.
        """
        first = entries.items[0] if entries.items else None
        random = isinstance(first, Scalar) and first.text.strip() == "random"
        if random:
            entries.take(0)
            self._left_out.add(first.line if first else entries.line)
            self.found.note(
                "changed",
                first.line if first else entries.line,
                "a random list: items come in a balanced random order in every session here"
                + (", across this list's borders." if places else "."),
            )
        for place, entry in enumerate(entries.items):
            if random and place == 0:
                continue
            here = (*places, Place(place, random))
            if isinstance(entry, Seq):
                entries.take(place)
                self._read_list(entry, here)
            elif isinstance(entry, Map):
                entries.take(place)
                self._read_page(entry, here)
            else:
                entries.take(place)
                shown = entry.text[:40] if isinstance(entry, Scalar) else ""
                self._left_out.add(entry.line)
                self.found.note("left_out", entry.line, f"{shown!r} in the list of pages is not a page.")

    def _read_page(self, page: Map, places: tuple[Place, ...]) -> None:
        kind_node = page.get("type")
        kind = kind_node.text.strip() if isinstance(kind_node, Scalar) else ""
        title = self._title(page, kind)
        page.title = title
        if find_method(kind):
            self._read_trial(page, kind, title, places)
        elif kind in OF_TEXTS:
            page.take("type")
            self._texts.append(page)
            self._read_text_page(page, kind, title)
        else:
            shown = kind or "unknown"
            reason = f"A page of type {shown}: Earshot has no page like this."
            if kind == "headphone_check":
                reason += " Choose its own headphone screening in the study's set-up."
            self._leave_out(page, shown, reason, title)

    def _title(self, page: Map, kind: str) -> str:
        """How people know a page; nothing counts as read."""
        for key in ("id", "name"):
            node = page.get(key)
            if isinstance(node, Scalar) and (text := clean_line(plain_text(node.text))):
                return text[:MAX_ID]
        return kind or "page"

    def _leave_out(self, page: Map, refused: str, reason: str, title: str = "") -> None:
        """Leave out a page as a whole: the note names everything in it."""
        self.refused.append(f"{refused} (line {page.line})")
        if "stimuli" in page:
            self.found.others.append(page.line)
        named = f" It is called {title}." if title and title not in (refused, "page") else ""
        held = f" With it: {inside}." if (inside := describe(page)) else ""
        self._left_out.add(page.line)
        self.found.note("left_out", page.line, f"{reason}{named}{held}")
        discard(page)

    # -- Pages with recordings

    def _read_trial(self, page: Map, kind: str, title: str, places: tuple[Place, ...]) -> None:
        method = find_method(kind)
        assert method is not None  # noqa: S101 -- the caller has asked
        line, likert, elements = page.line, kind.startswith("likert"), describe(page)
        stimuli, reference = page.get("stimuli"), page.get("reference")
        if not isinstance(stimuli, Map) or not stimuli.entries:
            wrong = (
                " without stimuli"
                if stimuli is None or isinstance(stimuli, Scalar)
                else " whose stimuli have no names"
            )
            self._leave_out(page, kind + wrong, f"{title}: it has no stimuli with names.")
            return
        answers = page.get("response")
        if likert:
            count = len(answers) if isinstance(answers, Seq) else 0
            if isinstance(answers, Seq) and any(isinstance(each, Seq) for each in answers):
                self._leave_out(
                    page,
                    f"{kind} with {words.count(count, 'scale')}",
                    f"{title}: several scales on a page; a method has one.",
                )
                return
            if count != 5:
                self._leave_out(
                    page,
                    f"{kind} with {words.count(count, 'answer')}",
                    f"{title}: a scale of {words.count(count, 'answer')}; "
                    "the methods with words here have five.",
                )
                return
        if not isinstance(reference, Scalar) or not reference.text.strip():
            self._leave_out(page, f"{kind} without a reference", f"{title}: {_NO_REFERENCE}")
            return
        if not any(isinstance(node, Scalar) and node.text.strip() for node in stimuli.entries.values()):
            self._leave_out(page, f"{kind} without stimuli", f"{title}: none of its stimuli has a file.")
            return
        before = len(self.found.notes)
        for key in ("type", "reference", "stimuli", *(("response",) if likert else ())):
            page.take(key)
        called = clean_line(plain_text(page.take_text("id")))
        if len(called or clean_line(plain_text(page.take_text("name")))) > MAX_ID:
            key = "id" if called else "name"
            self._say("changed", page.lines[key], f"{title}: its {key} is cut to {MAX_ID} characters.")
        paths: dict[str, str] = {}
        lines: dict[str, int] = {}
        for key, node in stimuli.entries.items():
            name = clean_line(key)
            if isinstance(node, Scalar) and node.text.strip() and name and name not in paths:
                stimuli.take(key)
                paths[name], lines[name] = node.text.strip(), stimuli.lines[key]
            elif isinstance(node, Scalar):
                stimuli.take(key)
                self._say(
                    "left_out", stimuli.lines[key], f"{title}: {key!r} has no file or no name of its own."
                )
        item = self._name_item(title, line)
        name = self._heading(page, title)
        content, content_line = self._content(page, title)
        anchors = self._anchors(page, kind, title)
        unforced, unforced_line = "", 0
        if kind == "paired_comparison" and "unforced" in page:
            unforced, unforced_line = plain_text(page.take_text("unforced")), page.lines["unforced"]
        self._read_settings(page, OF_OPINION if likert else OF_SWITCHING)
        self._read_questionnaire(page, title, line)
        scale = self._scale(answers, title) if likert and isinstance(answers, Seq) else ""
        stored = page.get("storeResults")
        practice = practice_in_name(title) or practice_in_name(name) or practice_in_text(content)
        if not practice and isinstance(stored, Scalar) and stored.flag is False:
            practice = "storeResults"
        notes = tuple(self.found.notes[before:])
        del self.found.notes[before:]
        self.found.pages.append(
            Page(
                kind, method.slug, item, line, reference.text.strip(), paths, lines, anchors, name, content,
                content_line, places, practice, unforced, unforced_line, scale, elements, notes,
                page.lines["reference"],
            )
        )  # fmt: skip

    def _name_item(self, title: str, line: int) -> str:
        """The item's name: the page's, with a number if another page is called the same."""
        if title not in self.names:
            self.names[title] = line
            return title
        number = 2
        while (name := f"{title[:190]} ({number})") in self.names:
            number += 1
        self.names[name] = line
        self._say("changed", line, f"{name}: called like the page in line {self.names[title]}.")
        return name

    def _heading(self, page: Map, title: str) -> str:
        """The heading of a page with recordings, which is not shown here."""
        name = clean_line(plain_text(page.take_text("name")))
        if name and name[:MAX_ID] != title:
            self._say("left_out", page.lines["name"], f"{title}: its heading “{name}”; items have none here.")
        return name

    def _content(self, page: Map, title: str) -> tuple[str, int]:
        text = page.take_text("content")
        line = page.lines.get("content", page.line)
        if lost := count_lost(text):
            self._say("left_out", line, f"{title}: {lost} in its text.")
        return plain_text(text), line

    def _anchors(self, page: Map, kind: str, title: str) -> frozenset[str]:
        """The anchors that a page asks for."""
        found: dict[str, int] = {}
        for name in ("35", "70"):
            key = f"createAnchor{name}"
            node = page.get(key)
            if not isinstance(node, Scalar) or (node.text and node.flag is None):
                continue
            page.take(key)
            shown, line = f"{key}: {node.text or 'empty'}", page.lines[key]
            if node.flag:
                found[name] = line
                if kind == "mushra":
                    self._say("taken", line, f"{shown}: MUSHRA has both anchors here.")
                else:
                    self._say("left_out", line, f"{title}: {shown}: {kind} has no anchors here.")
            elif kind == "mushra":
                self._say("changed", line, f"{shown}: the anchor is added all the same.")
            else:
                self._say("taken", line, f"{shown}: the same here.")
        if kind == "mushra" and len(found) < 2:
            self._say(
                "changed", page.line, f"{title}: both anchors are added; without them it would not be MUSHRA."
            )
        return frozenset(found)

    def _scale(self, answers: Seq, title: str) -> str:
        """Whose words five answers are; all of them count as read."""
        words: list[str] = []
        for answer in answers.take_each():
            if isinstance(answer, Map):
                label = plain_text(answer.take_text("label"))
                value = plain_text(answer.take_text("value"))
                words.append((label or value).casefold())
                answer.title = f"{title}, the answer “{label or value}”"
                for key in ("img", "imgSelected", "imgHigherResponseSelected"):
                    if key in answer:
                        answer.take(key)
                        self._say("left_out", answer.lines[key], f"{key}: answers have no pictures here.")
            elif isinstance(answer, Scalar):
                words.append(answer.text.casefold())
        for slug, patterns in _SCALES.items():
            for order in (patterns, patterns[::-1]):
                pairs = zip(order, words, strict=False)
                if len(words) == 5 and all(re.fullmatch(rf"(?:{one})", word) for one, word in pairs):
                    return slug
        return ""

    # -- Other pages

    def _read_text_page(self, page: Map, kind: str, title: str) -> None:
        found, elements = self.found, describe(page, but=QUESTIONNAIRES)
        page.take_text("id")
        heading = clean_line(plain_text(page.take_text("name")))
        text, line = self._content(page, title)
        self._read_settings(page, OF_TEXTS[kind])
        self._read_questionnaire(page, title)
        if kind == "generic":
            if whole := "\n\n".join(part for part in (heading, text) if part):
                page_of_text = TextPage(page.line, heading or title, whole, frozenset(), elements)
                found.text_pages.append(page_of_text)
            else:
                self._say("left_out", page.line, f"{title}: a page without a text. With it: {elements}.")
            return
        self._say("taken" if kind == "questionnaire" else "changed", page.line, f"{title}: {_PAGES[kind]}")
        if kind in ("volume", "questionnaire"):
            what = (
                "the volume is set on Earshot's own page"
                if kind == "volume"
                else "only its questions are taken"
            )
            for key in ("name", "content"):
                if key in page:
                    self._say("left_out", page.lines[key], f"{title}: its {key}; {what}.")
            return
        popup = page.take_text("popupContent")
        if lost := count_lost(popup):
            self._say("left_out", page.lines["popupContent"], f"{title}: {lost} in its text.")
        if heading:
            self._say("left_out", page.lines["name"], f"{title}: its heading; the page here has its own.")
        key = "consent" if kind == "consent" else "thanks"
        parts = [found.texts.get(key, ""), text, plain_text(popup)]
        found.texts[key] = "\n\n".join(part for part in parts if part)
        if text:
            self._say("taken", line, f"{title}: the text of {key}, without its layout.")
        if popup:
            self._say("taken", page.lines["popupContent"], f"popupContent: at the end of the text of {key}.")
        elif isinstance(page.get("popupContent"), Scalar):
            self._say("left_out", page.lines["popupContent"], f"popupContent: {title} has no text in it.")

    def _read_settings(self, holder: Map, fates: Mapping[str, Fates]) -> None:
        for key in holder.left():
            node = holder.get(key)
            if not isinstance(node, Scalar):
                continue
            text = node.text if node.flag is None else str(node.flag)
            if fate := fate_of(fates, key, text):
                holder.take(key)
                shown = f"{key}: {node.text}" if node.text and len(node.text) <= 40 else key
                self._say(fate.kind, holder.lines[key], f"{shown}: {fate.text}")

    # -- What texts are about

    def _find_what_texts_are_about(self, entries: Seq, *, top: bool) -> None:
        """Set `TextPage.about`: a text is about the pages that follow it, up to the next text of its list.

        Texts before all pages of the file are about all of them.
        """
        texts = {page.line: place for place, page in enumerate(self.found.text_pages)}
        known = frozenset({page.line for page in self.found.pages} | set(self.found.others))
        inside = [known.intersection(_lines_of_pages(entry)) for entry in entries.items]
        first = next((place for place, lines in enumerate(inside) if lines), len(inside))
        between: set[int] = set()  # pages from here to the next text
        beyond: frozenset[int] = frozenset()  # what a text is about that has none before the next text
        for place, entry in reversed([*enumerate(entries.items)]):
            if isinstance(entry, Seq):
                self._find_what_texts_are_about(entry, top=False)
            if not isinstance(entry, Map) or entry.line not in texts:
                between |= inside[place]
                continue
            about = frozenset(between) or beyond
            beyond = inside[place] | between if inside[place] else about
            between = set()
            old = self.found.text_pages[texts[entry.line]]
            self.found.text_pages[texts[entry.line]] = TextPage(
                old.line, old.title, old.text, known if top and place < first else about, old.elements
            )


#: Keys that are known, but not with every kind of value.
_EXPECTED = frozenset(
    {"testname", "testId", "language", "pages", "content", "name", "popupContent", "unforced", "type", "id",
     "questionnaire", "questions", "response", "options", "label", "value", "optional", "min", "max",
     "createAnchor35", "createAnchor70", *OF_TEST, *OF_SWITCHING,
     *(key for fates in OF_TEXTS.values() for key in fates)}
)  # fmt: skip


def _lines_of_pages(node: Node) -> Iterator[int]:
    if isinstance(node, Map):
        yield node.line
    elif isinstance(node, Seq):
        for each in node:
            yield from _lines_of_pages(each)
