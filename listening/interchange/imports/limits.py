"""Rates, channels and limits: whatever could stop an import is a problem before anything is made."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

from evaluation.analysis import words
from evaluation.outputs.comparison import LENGTH_TOLERANCE, warn_of_level
from listening.columns.drafts import FoundRecording
from listening.interchange.imports.plan import MAX_LABEL, Planning
from listening.study.contents import MAX_ITEMS, MAX_SYSTEMS
from listening.study.design import room_for_systems
from listening.study.stimuli import SAMPLE_RATES
from listening.study.studies import LOWEST_RATE, MAX_TRIALS


class Limits(Planning):
    """The steps that look at recordings and limits."""

    def _plan_audio(self) -> None:
        plan = self.plan
        for path, line in plan.paths.items():
            if path in self.files.missing:
                self._problem(_("%(path)s: %(why)s."), line, path=path, why=self.files.missing[path])
            elif path in self.recordings and self.recordings[path].error:
                self._problem(_("%(path)s: %(why)s"), line, path=path, why=self.recordings[path].error)
        used = {
            path: self.recordings[path]
            for path in plan.paths
            if path in self.recordings and not self.recordings[path].error
        }
        outputs = {path for item in plan.items for path in item.stimuli.values()}
        for path in outputs:
            if path in used and used[path].silent:
                self._problem(_("%(path)s: the recording is silent."), plan.paths[path], path=path)
        rates = [found.rate for found in used.values()]
        least = LOWEST_RATE if "anchor70" in plan.method.always else SAMPLE_RATES[0]
        wanted = max([least, *rates])
        plan.rate = next((rate for rate in SAMPLE_RATES if rate >= wanted), SAMPLE_RATES[-1])
        references = {item.page.reference for item in plan.items}
        plan.channels = max([1, *(used[path].channels for path in references if path in used)])
        for path, found in used.items():
            said = [*found.notes, *self._conversions(path, found, used)]
            if said:
                self._note("changed", plan.paths[path], f"{path}: {'; '.join(said)}.")
            if path in self.files.elsewhere:
                self._note(
                    "changed",
                    plan.paths[path],
                    f"{path}: taken from {found.file}, the only file of that name.",
                )
        kept = sum(found.rate == plan.rate for found in used.values())
        if kept:
            sides = "stereo" if plan.channels > 1 else "mono"
            self._note(
                "taken",
                0,
                f"{kept} of {words.count(len(used), 'recording')} "
                f"{'keeps its' if kept == 1 else 'keep their'} rate: "
                f"the study has {plan.rate} Hz, {sides}.",
            )
        if outputs & set(used):
            self._note(
                "taken",
                0,
                "The delay and polarity of every recording are measured during the import; the report then "
                "says what was found. Neither is corrected.",
            )
        self._check_outputs(used)

    def _conversions(self, path: str, found: FoundRecording, used: Mapping[str, FoundRecording]) -> list[str]:
        """What is done to a recording before listeners hear it."""
        plan = self.plan
        of = [item.page.reference for item in plan.items if path in item.stimuli.values()]
        wanted = {used[reference].channels for reference in of if reference in used} or {found.channels}
        said = []
        if found.channels > min(wanted):
            said.append("its two channels are mixed to one, because its reference is mono")
        elif found.channels < max(wanted):
            said.append("it is mono, its reference stereo: it is put alike into both channels")
        elif found.channels < plan.channels:
            said.append("it is mono in a stereo study: both ears hear the same")
        lengths = [used[reference].seconds for reference in of if reference in used]
        longer = max((found.seconds - length for length in lengths), key=abs, default=0.0)
        if abs(longer) > LENGTH_TOLERANCE:
            how, what = ("longer", "cut") if longer > 0 else ("shorter", "filled up with silence")
            said.append(f"it is {1000 * abs(longer):.0f} ms {how} than its reference and {what} at its end")
        if found.rate != plan.rate:
            said.append(f"it is resampled from {found.rate} Hz to {plan.rate} Hz")
        for reference in {reference: None for reference in of if reference in used}:
            level = _find_difference(found, used[reference])
            said += [f"it {text}" for text in warn_of_level(level, 0.0, reference)]
        if of:
            said += [f"it {text}" for text in warn_of_level(None, found.clipped)]
        return said

    def _check_outputs(self, used: Mapping[str, FoundRecording]) -> None:
        """A system has one output for a recording, whatever the pages call it."""
        seen: dict[tuple[str, str], tuple[str, int]] = {}
        for item in self.plan.items:
            reference = used.get(item.page.reference)
            for label, path in item.stimuli.items():
                output = used.get(path)
                if reference is None or output is None:
                    continue
                before = seen.setdefault((reference.sha256, label), (path, item.page.line))
                if used[before[0]].sha256 != output.sha256:
                    self._problem(
                        _(
                            "%(key)s of %(reference)s is %(path)s here and %(earlier)s in line %(there)s: a "
                            "system has one output for a recording."
                        ),
                        item.page.line,
                        key=label,
                        reference=item.page.reference,
                        path=path,
                        earlier=before[0],
                        there=before[1],
                    )

    def _check_limits(self) -> None:
        plan, method = self.plan, self.plan.method
        line = plan.items[0].page.line if plan.items else 0
        graded = sum(not item.training for item in plan.items)
        training = len(plan.items) - graded
        if not graded:
            self._problem(_("No item is graded: a study needs at least one."), 0)
        for count, what in ((graded, _("graded items")), (training, _("training items"))):
            if count > MAX_ITEMS:
                self._problem(
                    _("%(count)s %(what)s are too many; a study has %(most)s at most. Leave some pages out."),
                    line,
                    count=count,
                    what=what,
                    most=MAX_ITEMS,
                )
        most = MAX_SYSTEMS if method.side_by_side else method.max_systems
        if len(plan.systems) > most:
            self._problem(
                _("%(count)s systems are too many; choose %(most)s at most."),
                line,
                count=len(plan.systems),
                most=most,
            )
        elif plan.systems and not any(len(name) > MAX_LABEL for name in plan.systems):
            heard = len(plan.systems)
            if method.side_by_side:
                heard = min(heard, room_for_systems(method))
            trials = graded * method.trials_per_item(
                method.clean_options(plan.options, plan.systems), plan.systems[:heard]
            )
            if trials > MAX_TRIALS:
                self._problem(
                    _("That makes %(trials)s trials for each listener; the maximum is %(most)s."),
                    line,
                    trials=trials,
                    most=MAX_TRIALS,
                )
        for name in plan.systems:
            if len(name) > MAX_LABEL:
                self._problem(
                    _("The name of the system %(name)s… has %(count)s characters; %(most)s at most."),
                    line,
                    name=name[:30],
                    count=len(name),
                    most=MAX_LABEL,
                )
        if not plan.items:
            return
        if method.has_checklist and not training:
            self._note("changed", 0, "No page is a training page: mark an item for it, or add one (M14).")


def _find_difference(output: FoundRecording, reference: FoundRecording) -> float | None:
    """How much louder an output is than its reference, dB, in the reference's channels; None: unknown."""
    if not output.levels or not reference.levels:
        return None  # a draft of an earlier version
    ours, theirs = (found.levels[reference.channels - 1] for found in (output, reference))
    if ours.loudness is not None and theirs.loudness is not None:
        return ours.loudness - theirs.loudness
    return None if ours.rms is None or theirs.rms is None else ours.rms - theirs.rms
