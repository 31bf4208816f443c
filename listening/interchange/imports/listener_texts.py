"""What listeners read and are asked: texts of pages, where they are true, and questions."""

from __future__ import annotations

from collections.abc import Sequence

from listening.columns.questions import MAX_QUESTIONS, When
from listening.columns.texts import MAX_TEXT
from listening.interchange.imports.content import AskedQuestion, Group, TextPage
from listening.interchange.imports.doubts import Option
from listening.interchange.imports.plan import PlannedItem, Planning
from listening.interchange.imports.reading import list_names


class ListenerTexts(Planning):
    """The steps that choose texts and questions."""

    def _plan_texts(self, group: Group) -> None:
        plan = self.plan
        here = {item.page.line for item in plan.items}
        practice = {page.line for page in self.configuration.pages if page.practice}
        parts = []
        for page in self.configuration.text_pages:
            about = page.about - practice or page.about
            fits = bool(about) and about <= here
            if self._wants_text(page, fits):
                parts.append(page.text)
        parts += self._contents(group)
        plan.texts = {**self.configuration.texts, "instructions": "\n\n".join(parts)}
        for key, text in plan.texts.items():
            if len(text) > MAX_TEXT:
                self._note(
                    "left_out",
                    0,
                    f"The text of the {key} has {len(text)} characters; those after {MAX_TEXT} were cut.",
                )
                plan.texts[key] = text[: MAX_TEXT - 1].rstrip() + "…"
        plan.texts = {key: text for key, text in plan.texts.items() if text}

    def _wants_text(self, page: TextPage, fits: bool) -> bool:
        about = list_names(str(line) for line in sorted(page.about))
        why = (
            f"It stands before the pages in lines {about}."
            if about
            else "No page with recordings follows it."
        )
        if page.about and not fits:
            why += " Not all of them are in this study."
        wanted = self._ask_about_text(page.line, f"{page.title}: {why}", page.text, fits)
        if wanted:
            self._note(
                "changed", page.line, f"{page.title}: its text is in the instructions, without its layout."
            )
        else:
            self._note(
                "left_out",
                page.line,
                f"{page.title}: its text is not in the instructions. {why} With it: {page.elements}.",
            )
        return wanted

    def _ask_about_text(self, line: int, text: str, quoted: str, default: bool) -> bool:
        options = [
            Option("yes", "In the instructions", "Listeners read it before the test."),
            Option("no", "Leave it out", "Listeners do not read it."),
        ]
        return (
            self._ask(
                f"text:{line}", line, text, options, "yes" if default else "no", kind="text", quoted=quoted
            )
            == "yes"
        )

    def _contents(self, group: Group) -> list[str]:
        """The texts of the items' pages that are read before the test."""
        texts: dict[str, list[PlannedItem]] = {}
        for item in self.plan.items:
            if item.page.content:
                texts.setdefault(item.page.content, []).append(item)
        graded = {item.page.content for item in self.plan.items if not item.training}
        found = []
        for text, items in texts.items():
            shared = graded == {text}
            ids = list_names(item.page.id for item in items)
            why = "The text of every graded page." if shared else f"The text only of {ids}."
            if self._ask_about_text(items[0].page.content_line, why, text, shared):
                found.append(text)
                for item in items:
                    self._note(
                        "changed",
                        item.page.content_line,
                        f"{item.page.id}: its text is read before the test.",
                    )
            else:
                for item in items:
                    self._note(
                        "left_out",
                        item.page.content_line,
                        f"{item.page.id}: its text is not in the instructions. {why}",
                    )
        return found

    def _plan_questions(self) -> None:
        """Choose the questions of the study: those of its items' pages, and of pages without recordings."""
        lines = [item.page.line for item in self.plan.items]
        known: dict[str, int] = {}
        for asked in self.configuration.questions:
            if asked.page and asked.page not in lines:
                continue  # it is left out with its page
            question = asked.question
            name = question.name.casefold()
            if name in known:
                self._leave_question_out(asked, f"the question in line {known[name]} has the same name")
            elif len(self.plan.questionnaire) >= MAX_QUESTIONS:
                self._leave_question_out(asked, f"a study has {MAX_QUESTIONS} questions at most")
            else:
                known[name] = asked.line
                when = self._choose_when(asked, lines)
                self.plan.questionnaire.append(question.model_copy(update={"when": when}))

    def _leave_question_out(self, asked: AskedQuestion, why: str) -> None:
        self._note("left_out", asked.line, f"{asked.title}: {why}. With it: {asked.elements}.")

    def _choose_when(self, asked: AskedQuestion, lines: Sequence[int]) -> When:
        if lines and asked.line < min(lines):
            self._note("taken", asked.line, f"{asked.title}, asked before the trials.")
            return "before"
        if (lines and asked.line < max(lines)) or asked.page:
            self._note("changed", asked.line, f"{asked.title}, asked after the trials, not between them.")
        else:
            self._note("taken", asked.line, f"{asked.title}, asked after the trials.")
        return "after"
