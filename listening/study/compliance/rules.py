"""The rules of BS.1534-3: a function for each, which judges the `Facts` of a study."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import TextField
from django.db.models.functions import Cast

from evaluation import systems as known
from evaluation.analysis.words import count, figure
from listening.kinds import COUNTED
from listening.methods.mushra import Mushra
from listening.models import Item, Session, Stimulus, Study, Trial
from listening.study import design as designs
from listening.study.compliance.measurements import measure_filter, player_constants
from listening.study.compliance.states import DUTY, MET, NOT_MET, State, Verdict
from listening.study.contents import LONG_ITEM_SECONDS, SHORT_ITEM_SECONDS
from listening.study.languages import languages_offered


@dataclass(frozen=True)
class Facts:
    """The data of a study that the rules need, read once."""

    study: Study
    items: list[Item]
    stimuli: list[Stimulus]
    finished: int
    plan: designs.Plan

    @classmethod
    def of(cls, study: Study) -> Facts:
        items = list(study.items.select_related("clip").order_by("position"))
        stimuli = list(Stimulus.objects.filter(item__study=study).select_related("item", "rendition"))
        finished = study.sessions.filter(kind__in=COUNTED, finished__isnull=False).count()
        return cls(study, items, stimuli, finished, designs.plan_of(study))

    @property
    def graded_items(self) -> list[Item]:
        return [item for item in self.items if not item.training]

    @property
    def training_items(self) -> list[Item]:
        return [item for item in self.items if item.training]


def missing_signals(study: Study) -> list[str]:
    """The hidden reference and anchors that some item lacks."""
    items = study.items.count()
    rows = Stimulus.objects.filter(item__study=study, system__in=Mushra.always)
    systems = list(rows.values_list("system", flat=True))
    return [slug for slug in Mushra.always if systems.count(slug) < items or not items]


def _check_name(facts: Facts) -> Verdict:
    missing = missing_signals(facts.study)
    if missing:
        titles = known.titles_of(missing)
        absent = ", ".join("hidden reference" if slug == "original" else titles[slug] for slug in missing)
        return (
            NOT_MET,
            f"Not in every item: {absent}. The study is not called MUSHRA anywhere.",
        )
    trained = ", and so has the training" if facts.training_items else ""
    return MET, f"All items ({len(facts.graded_items)}) have the hidden reference and both anchors{trained}."


def _check_reference(facts: Facts) -> Verdict:
    hidden = [stimulus for stimulus in facts.stimuli if stimulus.system == "original"]
    if len(hidden) < len(facts.items) or not hidden:
        return NOT_MET, f"{len(hidden)} of {count(len(facts.items), 'item')} have a hidden reference."
    changed = [s for s in hidden if s.gain_db is not None and abs(s.gain_db) > 0.01]
    if changed:
        return NOT_MET, (
            f"A gain was applied to {count(len(changed), 'hidden reference')}: not an unprocessed reference."
        )
    rate = facts.study.sample_rate
    low = [item for item in facts.items if item.clip and item.clip.source_rate < rate]
    high = [item for item in facts.items if item.clip and item.clip.source_rate > rate]
    mixed = [item for item in facts.items if item.clip and item.clip.source_channels > facts.study.channels]
    if low:
        return NOT_MET, (
            f"{count(len(low), 'recording')} {'has' if len(low) == 1 else 'have'} a sample rate below the "
            f"study's {rate} Hz, so the bandwidth is not full."
        )
    if high:
        return DUTY, (
            f"The reference is the recording, at {rate} Hz: its band ends at {rate / 2000:g} kHz. "
            f"{len(high)} of {count(len(facts.items), 'recording')} had a higher sample rate. Explain in the "
            "report why this bandwidth is full for the systems under test, or raise the study's sample rate."
        )
    if mixed:
        return DUTY, (
            f"{count(len(mixed), 'recording')} of {len(facts.items)} came with more channels than the "
            f"{'one' if facts.study.channels == 1 else 'two'} that listeners hear: say in the report how "
            "they were mixed, or let the study be heard in stereo."
        )
    return (
        MET,
        f"Open and hidden reference are the original recording, up to {rate / 2000:g} kHz, without gain.",
    )


def _check_anchors(facts: Facts) -> Verdict:
    missing = [slug for slug in missing_signals(facts.study) if slug != "original"]
    if missing:
        return NOT_MET, f"Missing in some items: {', '.join(known.titles_of(missing).values())}."
    late = [
        abs(s.delay_ms) for s in facts.stimuli if s.system in Mushra.always[1:] and s.delay_ms is not None
    ]
    measured = f" Their measured delay is at most {max(late):.2f} ms." if late else ""
    return MET, (
        "Both anchors are in every trial and are made from the reference by codec/reference.py."
        f"{measured} Scores are never rescaled by the anchors."
    )


def _check_mask(facts: Facts) -> Verdict:
    rate = facts.study.sample_rate
    found, kept = [], True
    for cutoff in (3500.0, 7000.0):
        figures = measure_filter(cutoff, rate)
        if figures is None:
            return NOT_MET, f"At {rate} Hz the {cutoff / 1000:g} kHz anchor has nothing to remove."
        ripple, near, far = figures
        kept = kept and ripple <= 0.1 and near >= 25 and far >= 50
        found.append(
            f"{cutoff / 1000:g} kHz: ripple {ripple:.3f} dB, at least {near:.0f} dB from "
            f"{cutoff / 1000 + 0.5:g} kHz and {far:.0f} dB from {cutoff / 1000 + 1:g} kHz on"
        )
    return (MET if kept else NOT_MET), f"Measured at {rate} Hz. {'; '.join(found)}."


def _check_lengths(facts: Facts) -> Verdict:
    lengths = [item.end - item.start for item in facts.graded_items if item.end > item.start]
    if not lengths:
        return DUTY, "The recordings are not on this server; state their lengths in the report."
    long = [length for length in lengths if length > LONG_ITEM_SECONDS]
    shortest, longest = f"{min(lengths):.1f}", f"{max(lengths):.1f}"
    spread = f"{shortest} s" if shortest == longest else f"{shortest} to {longest} s"
    if long:
        return DUTY, (
            f"{count(len(long), 'item')} of {len(lengths)} {'is' if len(long) == 1 else 'are'} longer than "
            f"{LONG_ITEM_SECONDS:g} s ({spread} in all): justify this in the report, or shorten them."
        )
    short = sum(length < SHORT_ITEM_SECONDS for length in lengths)
    if short:
        return DUTY, (
            f"{count(short, 'item')} of {len(lengths)} {'is' if short == 1 else 'are'} shorter than "
            f"{SHORT_ITEM_SECONDS:g} s ({spread} in all), where about 10 s are asked for: justify this in "
            "the report."
        )
    return MET, f"{count(len(lengths), 'item')} of {spread}."


def _check_signals(facts: Facts) -> Verdict:
    by_item: dict[int, set[str]] = {}
    for stimulus in facts.stimuli:
        by_item.setdefault(stimulus.item_id, set()).add(stimulus.system)
    per_trial = designs.systems_per_trial(facts.study)
    tested = set(facts.study.systems)
    most = max(
        (len(systems - tested) + min(len(systems & tested), per_trial) for systems in by_item.values()),
        default=0,
    )
    if most > Mushra.max_signals:
        return NOT_MET, f"{most} signals in a trial; choose a blocked design."
    text = f"{count(most, 'signal')} in a trial, the open reference not counted."
    if len(facts.plan.systems) > 1:
        text += (
            f" {len(tested)} systems are shared out in {len(facts.plan.systems)} balanced blocks of "
            f"{per_trial}; the report names them."
        )
    return MET, text


def _needs_own_pages(
    otherwise: str = "",
) -> Callable[[Callable[[Facts], Verdict]], Callable[[Facts], Verdict]]:
    """Decorate a rule about Earshot's own pages; `otherwise` is for an imported study's report."""

    def restrict(rule: Callable[[Facts], Verdict]) -> Callable[[Facts], Verdict]:
        def judge(facts: Facts) -> Verdict:
            if not facts.study.imported:
                return rule(facts)
            return DUTY, "The test was held elsewhere" + (f": {otherwise}." if otherwise else ".")

        return judge

    return restrict


def _read_fades(name: str) -> tuple[float, float]:
    constants = player_constants()
    return 1000 * constants.get("FADE_SECONDS", 0), 1000 * constants.get("MIN_LOOP_SECONDS", 0)


@_needs_own_pages("describe its player in the report")
def _check_switching(facts: Facts) -> Verdict:
    return MET, "All signals of a trial play in sync; listeners switch between them as often as they want."


@_needs_own_pages("describe its player in the report")
def _check_looping(facts: Facts) -> Verdict:
    fade, loop = _read_fades("loop")
    state: State = MET if loop >= 500 and fade == 5 else NOT_MET
    return state, f"The player loops {loop:g} ms or more, and fades both ends for {fade:g} ms."


@_needs_own_pages("describe its player in the report")
def _check_fading(facts: Facts) -> Verdict:
    fade, _loop = _read_fades("switch")
    return (MET if fade == 5 else NOT_MET), (
        f"The player fades {fade:g} ms out, then {fade:g} ms in, by a raised cosine; the two never overlap."
    )


def _check_scale(facts: Facts) -> Verdict:
    words = [(value, str(word)) for value, word in Mushra.words]
    kept = (Mushra.lowest, Mushra.highest) == (0, 100) and [value for value, _ in words] == [
        80,
        60,
        40,
        20,
        0,
    ]
    bands = ", ".join(f"{word} from {value:g}" for value, word in words)
    others = [each.code for each in languages_offered(facts.study) if each.code != facts.study.language]
    chosen = f" or in one that the listener chose ({', '.join(others)})" if others else ""
    language = f"Words are in the study's language ({facts.study.language}){chosen}."
    return (MET if kept else NOT_MET), f"{bands}; each slider shows its number. {language}"


@_needs_own_pages("describe its page in the report")
def _check_single_slider(facts: Facts) -> Verdict:
    return (
        MET,
        "Only the slider of the signal that is playing is enabled; it is named, outlined and numbered.",
    )


@_needs_own_pages()
def _check_completeness(facts: Facts) -> Verdict:
    return (
        MET,
        "A trial needs a grade for each signal to be accepted. Comment, waveform and loop are offered.",
    )


def _check_attribute(facts: Facts) -> Verdict:
    return MET, f"Each trial asks one question: “{Mushra.question}”"


def _check_training(facts: Facts) -> Verdict:
    if not facts.training_items:
        return NOT_MET, "There is no training item: set an item to “training and graded” or “training only”."
    signals = {*Mushra.always, *facts.study.systems}
    heard = {s.system for s in facts.stimuli if s.item.training}
    if signals - heard:
        return NOT_MET, f"Training lacks {', '.join(known.titles_of(sorted(signals - heard)).values())}."
    trials = len(facts.training_items) * designs.training_trials(facts.plan)
    return MET, (
        f"{count(trials, 'training trial')} before the test with all {len(signals)} signals, low anchor to "
        "reference; their grades are excluded from all results."
    )


def _check_instructions(facts: Facts) -> Verdict:
    own = " Your own text is shown above it." if facts.study.texts.instructions else ""
    return MET, (
        "Before the training, every listener reads that the reference is among the versions, that one or "
        f"more must get 100, and that the worst need not be bad.{own}"
    )


#: Of an entry of `Trial.order`; its key, a random token, has no quotation marks.
_STIMULUS = re.compile(r'"stimulus":\s*(\d+)')


@_needs_own_pages("describe its orders in the report")
def _check_orders(facts: Facts) -> Verdict:
    trials = Trial.objects.filter(
        session__study=facts.study, session__kind=Session.Kind.REAL, item__training=False
    )
    # As text: to parse the JSON of thousands of trials takes several times as long.
    stored = trials.values_list(Cast("order", TextField()), flat=True)
    orders = [order for text in stored if (order := tuple(_STIMULUS.findall(text)))]
    drawn = (
        f" So far listeners were given {count(len(orders), 'order')}, {len(set(orders))} different."
        if orders
        else ""
    )
    return MET, (
        f"Items and signals follow balanced Latin squares drawn from seed {facts.study.seed} and are stored "
        f"with each session.{drawn} Page, addresses and files do not reveal which signal is which."
    )


def _check_material(facts: Facts) -> Verdict:
    items, systems = len(facts.graded_items), len(facts.study.systems)
    needed = max(5, -(-3 * systems // 2))
    by_system = {
        slug: sum(s.system == slug and not s.item.training for s in facts.stimuli)
        for slug in facts.study.systems
    }
    if len(set(by_system.values())) > 1:
        return NOT_MET, "Not every system has the same number of excerpts."
    text = f"{count(items, 'item')} for {count(systems, 'system')}: {needed} or more are asked for."
    if items < needed:
        return NOT_MET, text
    return (
        DUTY,
        f"{text} Excerpts are cut after coding. No program can tell whether the material is "
        "critical for these systems.",
    )


def _check_levels(facts: Facts) -> Verdict:
    gains = [s.gain_db for s in facts.stimuli if s.gain_db is not None]
    matched = (
        f"Loudness matched to the reference (BS.1770) by gains of {figure(min(gains), 1, signed=True)} to "
        f"{figure(max(gains), 1, signed=True)} dB; "
        if gains
        else "Loudness is matched when the stimuli are rendered; "
    )
    return (
        DUTY,
        f"{matched}the volume is locked within a trial. 78 dBA are to be set where people listen.",
    )


def _check_transducer(facts: Facts) -> Verdict:
    tests = [test.test for test in facts.study.headphones.tests]
    screened = f"Headphone test: {', '.join(tests)}. " if tests else "No headphone test is set. "
    return DUTY, f"{screened}One type of transducer is to be used and reported."


def _check_assessors(facts: Facts) -> Verdict:
    most = f" of {facts.study.max_sessions} at most" if facts.study.max_sessions else ""
    finished = (
        f"The file has grades of {count(facts.finished, 'assessor')}"
        if facts.study.imported
        else f"{count(facts.finished, 'assessor')} finished so far{most}"
    )
    enough = "20 are often sufficient under tight control, more otherwise"
    return DUTY, f"{finished}; {enough}. No program can judge their experience and hearing."


def _is_there(facts: Facts, slug: str) -> bool:
    """Whether any graded item has this signal: a rule of screening needs it."""
    return any(stimulus.system == slug for stimulus in facts.stimuli)


def _check_profile(field: str, what: str, slug: str, name: str) -> Callable[[Facts], Verdict]:
    def rule(facts: Facts) -> Verdict:
        from evaluation.analysis.statistics.screening import PROFILES

        if not _is_there(facts, slug):
            return NOT_MET, f"No item has a {name}, so nobody can be screened by it."
        below = getattr(PROFILES["bs1534"].thresholds, field)
        if below != 90:
            return NOT_MET, f"The profile bs1534 has the threshold {below} instead of 90."
        return MET, f"The profile BS.1534-3 of the results {what}; grades with and without it are shown."

    return rule


def _check_span(facts: Facts) -> Verdict:
    if not (_is_there(facts, "anchor35") and _is_there(facts, "anchor70")):
        return NOT_MET, "There are not both anchors, so their distance is not known."
    return _describe_analysis(
        "The results say how much of the scale the means span and how far the anchors lie apart."
    )(facts)


def _describe_analysis(text: str) -> Callable[[Facts], Verdict]:
    def rule(facts: Facts) -> Verdict:
        ready = "" if facts.finished else " No listener has finished yet."
        return MET, f"{text}{ready}"

    return rule


def _check_groups(facts: Facts) -> Verdict:
    if facts.plan.blocks == 1:
        return MET, "There is one group: all listeners hear everything."
    real = Session.Kind.REAL
    done = facts.study.sessions.filter(kind=real, finished__isnull=False, block__isnull=False)
    blocks = list(done.values_list("block", flat=True))
    sizes = [blocks.count(block) for block in range(facts.plan.blocks)]
    filling = f"{facts.plan.blocks} groups are filled evenly; places of drop-outs are given away first"
    if not blocks:
        return MET, f"{filling}."
    even = max(sizes) <= 1.1 * min(sizes)
    words = f"{filling}; {min(sizes)} to {max(sizes)} listeners per group have finished."
    if even:
        return MET, words
    return (
        MET,
        f"{words} Sizes differ by more than 10 %; the mixed model of the results allows that.",
    )


@_needs_own_pages("its grades came without events")
def _check_recording(facts: Facts) -> Verdict:
    trials = Trial.objects.filter(
        session__study=facts.study,
        session__kind=Session.Kind.REAL,
        item__training=False,
        finished__isnull=False,
    )
    finished = trials.count()
    if not finished:
        return MET, "Plays, switches, loops and every change of a grade are stored with their times."
    logged = trials.filter(events__isnull=False).distinct().count()
    state: State = MET if logged == finished else NOT_MET
    return (
        state,
        f"{logged} of {count(finished, 'finished trial')} have an event log, which can be exported; "
        "training is not counted.",
    )


RULES: dict[str, Callable[[Facts], Verdict]] = {
    "M1": _check_name,
    "M2": _check_reference,
    "M3": _check_anchors,
    "M4": _check_mask,
    "M5": _check_lengths,
    "M6": _check_signals,
    "M7": _check_switching,
    "M8": _check_looping,
    "M9": _check_fading,
    "M10": _check_scale,
    "M11": _check_single_slider,
    "M12": _check_completeness,
    "M13": _check_attribute,
    "M14": _check_training,
    "M15": _check_instructions,
    "M16": _check_orders,
    "M17": _check_material,
    "M18": _check_levels,
    "M19": _check_transducer,
    "M20": _check_assessors,
    "M21": _check_profile(
        "reference_below",
        "excludes listeners who grade the hidden reference below 90 on more than 15 % of items",
        "original",
        "hidden reference",
    ),
    "M22": _check_profile(
        "mid_above",
        "excludes listeners who grade the mid anchor above 90 on more than 15 % of items",
        "anchor70",
        "7 kHz anchor",
    ),
    "M23": _describe_analysis(
        "Outliers beyond 1.5 IQR from Tukey's hinges are marked in the results and never removed."
    ),
    "M24": _check_span,
    "M25": _describe_analysis(
        "Box plots and single grades come first; multimodality is computed per system."
    ),
    "M26": _describe_analysis(
        "The report has the screening, assessors and anchors; of listeners who are not screened out also "
        "medians, IQR and means, with 95 % intervals where they are two or more."
    ),
    "M27": _describe_analysis(
        "The permutation test of Attachment 3 is computed, and paired tests of listener means of systems "
        "that two listeners or more graded."
    ),
    "M28": _describe_analysis(
        "Repeated-measures ANOVA of the listeners who graded everything, if they are two or more, with the "
        "Recommendation's choice of correction; else the mixed model stands alone. Residuals are shown."
    ),
    "M29": _check_groups,
    "M30": _check_recording,
}
