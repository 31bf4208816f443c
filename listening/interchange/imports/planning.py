"""What an import of a configuration will make, and what the researcher has to decide before it.

`make_plan` makes nothing. The page that asks for confirmation, the API and the worker all use its plan, so
the report before an import and the one after it say the same. Everything that could stop an import is a
problem of the plan, and no row or file is made while there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext_lazy as _

from listening.columns.drafts import FoundRecording
from listening.interchange.imports.content import Configuration
from listening.interchange.imports.limits import Limits
from listening.interchange.imports.listener_texts import ListenerTexts
from listening.interchange.imports.meanings import Meanings
from listening.interchange.imports.members import Members
from listening.interchange.imports.plan import Plan
from listening.interchange.imports.reading import ImportProblem
from listening.interchange.imports.recordings import Files


def make_plan(
    configuration: Configuration,
    files: Files,
    recordings: Sequence[FoundRecording],
    group: str = "",
    answers: Mapping[str, str] | None = None,
    *,
    strict: bool = True,
) -> Plan:
    """Plan the import of a configuration.

    Args:
        files: which files of the zip its paths are.
        recordings: what is known of those files.
        group: key of the group to import; empty: the largest.
        answers: to doubts, by key; without one the default applies.
        strict: whether to refuse an unknown group or answer; else the default applies.

    Raises:
        ImportProblem: the group is unknown, or an answer is not one of its options (only if `strict`).
    """
    planner = _Planner(configuration, files, recordings, dict(answers or {}), strict)
    return planner.run(group)


class _Planner(Meanings, Members, ListenerTexts, Limits):
    """Makes a plan, step by step."""

    def run(self, wanted: str) -> Plan:
        plan = self.plan
        plan.groups = self._groups()
        for group in plan.groups:
            plan.missing[group.key] = {
                path: (self.files.missing[path], line)
                for path, line in self.configuration.paths(group).items()
                if path in self.files.missing
            }
        plan.group = self._choose(wanted)
        if plan.group is not None:
            self._leave_others_out(plan.group)
            self._plan_items(plan.group)
            self._plan_blocks()
            self._plan_options(plan.group)
            self._plan_texts(plan.group)
            self._plan_questions()
            self._plan_audio()
            self._check_limits()
        if self.strict and (unknown := set(self.answers) - {doubt.key for doubt in plan.doubts}):
            raise ImportProblem(
                _("%(unknown)r is not a question of this configuration. Its questions: %(known)s."),
                unknown=min(unknown),
                known=", ".join(doubt.key for doubt in plan.doubts) or "-",
            )
        plan.doubts.sort(key=lambda doubt: doubt.line)
        plan.notes.sort(key=lambda note: note.line)
        plan.problems.sort(key=lambda problem: problem.line or 0)
        return plan
