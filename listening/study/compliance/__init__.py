"""Checks a study against Recommendation ITU-R BS.1534-3 (10/2015), and lists its researcher's duties.

Every rule looks at the study itself, at the filter, scale and player that it uses, or at its sessions;
docs/compliance.md lists where each rule is implemented and tested.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.contexts import Context
from listening.methods import METHODS
from listening.models import Study
from listening.study.compliance.rules import RULES, Facts, missing_signals
from listening.study.compliance.states import DUTY, MET, NOT_MET, State, Verdict

#: The Recommendation's requirements in short, with page numbers.
REQUIREMENTS = {
    "M1": ("Hidden reference and mandatory anchors, or it is not MUSHRA", "1"),
    "M2": ("The reference is unprocessed and of full bandwidth, and also hidden", "6-7"),
    "M3": ("Low anchor 3.5 kHz and mid anchor 7 kHz in every trial", "6-7, 19"),
    "M4": ("The anchors' filter keeps the mask", "7"),
    "M5": ("Excerpts of about 10 s, preferably 12 s at most", "7"),
    "M6": ("At most 12 signals in a trial", "8"),
    "M7": ("Free, near-instant switching among all signals", "8, 22"),
    "M8": ("Loops of 500 ms or more, with 5 ms raised-cosine fades", "8"),
    "M9": ("Switching by 5 ms fade out, then 5 ms fade in, never a cross-fade", "9"),
    "M10": ("Continuous scale 0-100 in five equal labelled intervals", "9-10"),
    "M11": ("Only the signal that is playing can be graded", "9, 24"),
    "M12": ("All signals are graded; comment, waveform and loop", "10, 22-23"),
    "M13": ("One attribute per trial, basic audio quality first", "10"),
    "M14": ("Training with the full range and all signals; its grades are not used", "7, 21-22"),
    "M15": ("Instructions: one or more excerpts are the reference and must get 100", "23"),
    "M16": ("Random orders within and between sessions, double blind", "3-4, 8"),
    "M17": ("Five items or more, one and a half times as many as systems; cut after coding", "12-13"),
    "M18": ("Levels matched; no change of volume within a trial", "12-14"),
    "M19": ("One type of transducer, declared in the report", "13, 19"),
    "M20": ("Experienced assessors with normal hearing; 20 are often sufficient", "4-6"),
    "M21": ("Post-screening by the hidden reference", "5"),
    "M22": ("Post-screening by the mid anchor", "5"),
    "M23": ("Outliers are examined, not dropped", "5-6"),
    "M24": ("Scores that do not span the scale and anchors not 20 to 30 points apart are named", "3, 34"),
    "M25": ("Raw-data plots first; multimodality is checked", "14"),
    "M26": (
        "The report has medians with IQR, means with 95 % intervals, and how they came about",
        "15, 18-20",
    ),
    "M27": ("Non-parametric test as in Attachment 3", "24"),
    "M28": ("Parametric analysis by repeated-measures ANOVA", "25-31"),
    "M29": ("Groups of listeners within 10 % in size, or mixed models", "31"),
    "M30": ("Sessions are recorded, so that odd grades can be explained", "10"),
}


@dataclass(frozen=True)
class Rule:
    """One requirement and whether the study meets it.

    Attributes:
        id: M1 to M30.
        state: "met", "not met", or "researcher's responsibility" if no program can check it.
        evidence: a sentence or two, computed from the study.
    """

    id: str
    requirement: str
    pages: str
    state: State
    evidence: str


def method_title(study: Study) -> str:
    """The name of the method. Without hidden reference and both anchors a test is not MUSHRA (M1)."""
    method = METHODS.get(study.method)
    if method and method.has_checklist and not has_reference_and_anchors(study):
        return f"Multiple-stimulus (not {method.title})"
    return method.title if method else study.method


def has_reference_and_anchors(study: Study) -> bool:
    """Whether every item has a hidden reference and both mandatory anchors among its stimuli (M1, M3)."""
    return not missing_signals(study) and study.items.exists()


def checklist(study: Study) -> list[Rule]:
    """M1 to M30 for a study by BS.1534-3; empty for a method of another Recommendation."""
    if not METHODS[study.method].has_checklist:
        return []
    facts = Facts.of(study)
    return [Rule(name, *REQUIREMENTS[name], *_verdict(name, facts)) for name in REQUIREMENTS]


#: What a file of grades says nothing of: how the test was held.
_UNKNOWN_ELSEWHERE = {
    "M2": "whether the reference was unprocessed and of full bandwidth",
    "M3": "how the anchors were made",
    "M4": "by which filter the anchors were made",
    "M10": "which scale and words listeners saw",
    "M12": "whether all signals had to be graded, and what the page offered",
    "M13": "which question was asked",
    "M14": "whether there was a training",
    "M15": "what listeners were told",
    "M18": "how levels were matched",
    "M19": "what listeners listened with",
    "M29": "whether listeners were in groups",
}


def _verdict(name: str, facts: Facts) -> Verdict:
    """The rule's verdict; of a test that was held elsewhere only what its file can show."""
    if facts.study.imported and name in _UNKNOWN_ELSEWHERE:
        lacking = missing_signals(facts.study)
        if not ((name == "M2" and "original" in lacking) or (name == "M3" and set(lacking) - {"original"})):
            return DUTY, f"The test was held elsewhere: {_UNKNOWN_ELSEWHERE[name]} is not known here."
    return RULES[name](facts)


def count_states(rules: list[Rule]) -> dict[str, int]:
    """How many rules are in each state."""
    return {state: sum(rule.state == state for rule in rules) for state in (MET, NOT_MET, DUTY)}


def summary(rules: list[Rule]) -> str:
    """The checklist summarised in a sentence."""
    found = count_states(rules)
    return f"{found[MET]} met, {found[NOT_MET]} not met, {found[DUTY]} left to the researcher"


def context_of(study: Study) -> Context:
    """The context of the page's checklist."""
    rules = checklist(study)
    return {
        "rules": rules,
        "rules_summary": summary(rules),
        "open_rules": [r for r in rules if r.state != MET],
    }
