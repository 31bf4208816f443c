"""Which scale grades are on: words for numbers, codes for missing answers, which end is the best."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from statistics import fmean

from django.utils import translation

from listening.interchange.imports.doubts import Option
from listening.interchange.imports.reading import Blank, Reading, list_names, name_lines
from listening.interchange.imports.roles import suggest_for
from listening.interchange.imports.table import Table, is_number, is_unanswered, parse_number, reduce
from listening.methods import METHODS, REFERENCE
from listening.study.languages import LANGUAGES

#: Formats in which a column of numbers says nothing of its scale.
_OPEN = frozenset({"tidy", "wide", "lists", "webmushra-likert", "pymushra"})
#: Wordings of scales beside those that listeners read here, in small letters.
_OTHER_WORDS = {
    "very good": 5, "sehr gut": 5, "très bon": 5, "très bonne": 5, "muy bueno": 5, "非常に良い": 5,
    "gut": 4, "bon": 4, "bonne": 4, "良い": 4, "befriedigend": 3, "ordentlich": 3, "moyen": 3, "passable": 3,
    "普通": 3, "average": 3, "ausreichend": 2, "mäßig": 2, "dürftig": 2, "médiocre": 2, "悪い": 2,
    "mangelhaft": 1,
    "schlecht": 1, "very bad": 1, "very poor": 1, "sehr schlecht": 1, "mauvais": 1, "mauvaise": 1,
    "très mauvais": 1,
    "非常に悪い": 1, "inaudible": 5, "audible but not annoying": 4, "perceptible but not annoying": 4,
    "nicht wahrnehmbar": 5, "wahrnehmbar, aber nicht störend": 4, "etwas störend": 3, "störend": 2,
    "sehr störend": 1,
    "about the same": 0, "same": 0, "equal": 0,
}  # fmt: skip
#: A number and the word that it stands for in one cell: ``5 - Excellent``, ``Excellent (5)``.
_LABELLED = re.compile(
    r"(?P<number>[+-]?\d+)\s*[-–—=:.)]+\s*(?P<word>[^\W\d].*)|(?P<number2>[+-]?\d+)\s*\((?P<word2>[^\W\d].*)\)|"
    r"(?P<word3>[^\W\d].*?)\s*[(=:]+\s*(?P<number3>[+-]?\d+)\)?"
)
#: Numbers that programs write where an answer is missing.
_CODES = frozenset({-1, -7, -8, -9, -77, -88, -99, -999, -9999, 9, 77, 88, 97, 98, 99, 777, 888, 999, 9999})
_USUAL = ((1, 5), (-3, 3), (0, 5), (1, 7), (0, 10), (0, 100))
#: Scales that no method here has, as far as grades do not say which one it is.
_OTHERS = ((0, 1), (0, 4), (0, 5), (1, 6), (0, 6), (1, 7), (1, 9), (0, 9), (0, 10), (1, 10), (1, 11))
_RANGE = re.compile(r"([+-]?\d+)\s*(?:-|–|—|to|bis|à|a|~|〜|…|\.{2,3})\s*\+?(\d+)")


@lru_cache(maxsize=1)
def _lexicon() -> dict[str, float]:
    """The numbers of words on scales of five or seven grades, in small letters, in all languages."""
    found = {word: float(number) for word, number in _OTHER_WORDS.items()}
    for language in LANGUAGES.values():
        with translation.override(language.locale):
            for method in (METHODS[slug] for slug in ("bs1116", "dcr", "ccr", "acr")):
                found |= {str(word).casefold(): float(number) for number, word in method.words}
    return found


def words_of(table: Table, headings: Iterable[str], reading: Reading) -> dict[str, float]:
    """The numbers of words of the cells below `headings`, of columns that hold words of a scale only.

    Where the cells themselves say it (``1 - Excellent``), the numbers are the file's, and `reading.best`
    says which end is the best.
    """
    found: dict[str, float] = {}
    for heading in headings:
        texts = {text.casefold() for row in table.rows if not is_unanswered(text := row.get(heading))}
        numbers = {text: number for text in texts if (number := _number_of(text)) is not None}
        if numbers and all(text in numbers or is_number(text) for text in texts):
            found |= numbers
    if not found:
        return {}
    labelled = [(number, _lexicon().get(_word_of(text))) for text, number in found.items() if _word_of(text)]
    known = [(number, ours) for number, ours in labelled if ours is not None]
    reading.best = _best_of(known) if labelled else "high"  # words alone have our numbers
    said = list_names(
        f"{text} is {number:g}" for text, number in sorted(found.items(), key=lambda one: -one[1])
    )
    reading.notes.append(f"Words are taken as numbers: {said}.")
    return found


def _number_of(text: str) -> float | None:
    if is_number(text):  # 1.e1 is ten, and no label of 1
        return None
    if match := _LABELLED.fullmatch(text):
        return float(match["number"] or match["number2"] or match["number3"])
    return _lexicon().get(text)


def _word_of(text: str) -> str:
    match = _LABELLED.fullmatch(text)
    return (match["word"] or match["word2"] or match["word3"]).strip() if match else ""


def _best_of(pairs: Sequence[tuple[float, float]]) -> str:
    """Which end is the best, by the file's and our numbers of the same words: "high", "low" or ""."""
    rising = [
        (a - b) * (c - d) for place, (a, c) in enumerate(pairs) for b, d in pairs[place + 1 :] if c != d
    ]
    if rising and all(value > 0 for value in rising):
        return "high"
    return "low" if rising and all(value < 0 for value in rising) else ""


def best_in_heading(heading: str) -> str:
    """Which end of the scale is the best by a heading like ``Score (1 = very good, 5 = bad)``; else ""."""
    said = re.findall(r"(-?\d+)\s*[=:]\s*([^\W\d][^,;/()\d]*)", heading.casefold())
    pairs = [(float(number), _lexicon().get(word.strip(" .…-–"))) for number, word in said]
    known = [(number, ours) for number, ours in pairs if ours is not None]
    if len(known) == 1:
        number, ours = known[0]
        known.append((6 - number, 6 - ours) if ours != 3 else known[0])
    return _best_of(known)


def read_percent(
    table: Table, headings: Iterable[str], reading: Reading, answers: Mapping[str, str]
) -> dict[str, float]:
    """Numbers of cells without a percent sign beside cells with one, where they may be parts of one.

    Says, too, where decimal points stand beside decimal commas.
    """
    cells = [(row, text) for heading in headings for row in table.rows if (text := row.get(heading))]
    signed = [row.line for row, text in cells if text.endswith(("%", "％"))]
    bare = {
        text: number
        for _row, text in cells
        if not text.endswith("%") and (number := _plain(text)) is not None
    }
    found: dict[str, float] = {}
    if signed and bare and all(0 <= number <= 1 for number in bare.values()) and set(bare.values()) - {0.0}:
        some = next(text for text, number in bare.items() if number)
        lines = name_lines(row.line for row, text in cells if text in bare)
        answer = reading.ask(
            answers,
            "scale:percent",
            next(row.line for row, text in cells if text in bare),
            f"Some grades have a percent sign, others are between 0 and 1 without one. What is {some}?",
            [
                Option("percent", f"{100 * bare[some]:g} %", "Numbers without a sign are multiplied by 100."),
                Option("same", f"{some}", "Numbers stay as they are, and percent signs are dropped."),
            ],
            "percent",
        )
        if answer == "percent":
            found = {text.casefold(): round(100 * number, 9) for text, number in bare.items()}
            reading.notes.append(f"Parts of 1 beside percentages are taken as percentages: {lines}.")
    elif signed and bare:
        reading.notes.append(f"Percent signs are dropped: {name_lines(signed)}.")
    commas = [row.line for row, text in cells if re.fullmatch(r"[+-]?\d*,\d+ ?%?", text)]
    points = [row.line for row, text in cells if re.fullmatch(r"[+-]?\d*\.\d+ ?%?", text)]
    if commas and points:
        fewer, mark = (points, "point") if len(points) <= len(commas) else (commas, "comma")
        reading.notes.append(
            "Decimal commas and points are mixed, and both are taken as such: "
            f"a {mark} in {name_lines(fewer)}."
        )
    return found


def _plain(text: str) -> float | None:
    try:
        return parse_number(text)
    except ValueError:
        return None


def settle_scale(reading: Reading, answers: Mapping[str, str]) -> None:
    """Ask which scale the grades are on, as far as the file leaves it open, and suggest a method by it."""
    if not reading.grades:
        return
    _cut_codes(reading, answers)
    if reading.scale is None or reading.format not in _OPEN or not _is_opinion(reading):
        return
    low, high = reading.scale
    tabular = reading.format in ("tidy", "wide", "lists")
    says_mushra = "mushra" in reduce(reading.heading)
    if ((low >= 1 and high <= 5) or (low < 0 and low >= -3 and high <= 3)) and not says_mushra:
        _ask_for_the_best(reading, answers, (1, 5) if low >= 0 else (-3, 3))
    elif high <= 11 and low >= 0:
        _ask_for_ends(reading, answers)
    if tabular and not says_mushra:
        _suggest_method(reading)


def _is_opinion(reading: Reading) -> bool:
    return reading.format != "pymushra" or METHODS[reading.methods[0]].analysis == "opinion"


def _cut_codes(reading: Reading, answers: Mapping[str, str]) -> None:
    """Ask about numbers that stand for missing answers: 99 among grades of 1 to 5, -9, 999."""
    scores = [grade.score for grade in reading.grades]
    for low, high in _USUAL:
        odd = {score for score in scores if not low <= score <= high}
        if not odd:
            return
        rest = [score for score in scores if low <= score <= high]
        inside = [score for score in scores if score in odd and 0 <= score <= 100]
        if not odd <= _CODES or not rest:
            continue
        if inside and (len(rest) < 8 or len(odd) > 1 or 4 * len(inside) > len(scores) or high > 10):
            continue
        break
    else:
        return
    for code in sorted(odd):
        lines = [grade.line for grade in reading.grades if grade.score == code]
        answer = reading.ask(
            answers,
            f"code:{code:g}",
            lines[0],
            f"Is {code:g} a grade? All others are from {min(rest):g} to {max(rest):g}.",
            [
                Option("missing", "It stands for a missing answer", "It is left out."),
                Option("grade", "It is a grade", "It counts as the number that it is."),
            ],
            "missing",
        )
        if answer == "missing":
            reading.notes.append(f"{code:g} is taken as a missing answer: {name_lines(lines)}.")
            reading.blanks += [
                Blank(grade.assessor, grade.item, grade.system, line=grade.line)
                for grade in reading.grades
                if grade.score == code
            ]
            reading.grades = [grade for grade in reading.grades if grade.score != code]


def _ask_for_the_best(reading: Reading, answers: Mapping[str, str], ends: tuple[int, int]) -> None:
    low, high = ends
    best, why = reading.best, "The file says so."
    if not best:
        best, why = ("low", _reference_is_low(reading)) if _reference_is_low(reading) else ("high", "")
    middle = " The file does not say it." if not why else f" {why}"
    if low < 0:
        question = (
            f"Grades of comparison: does {high} say that the system is better than the reference?{middle}"
        )
        labels = (f"Yes: {high} is much better", f"No: {low} is much better")
    else:
        question = f"Grades are from {low} to {high}: which is the best?{middle}"
        labels = (f"{high} is the best", f"{low} is the best")
    answer = reading.ask(
        answers,
        "scale:best",
        0,
        question,
        [
            Option("high", labels[0], "Grades are kept as they are."),
            Option(
                "low", labels[1], f"Grades are turned round: {low} becomes {high}, and {high} becomes {low}."
            ),
        ],
        best,
    )
    if answer == "low":
        reading.grades = [replace(grade, score=low + high - grade.score) for grade in reading.grades]
        reading.notes.append(
            f"In the file {low} is the best. Grades were turned round: {low} became {high}, "
            f"{high} became {low}."
        )
    else:
        reading.notes.append(f"{high} is taken as the best grade.")


def _reference_is_low(reading: Reading) -> str:
    """Why the low end seems to be the best: the reference has lower grades than every other system."""
    references = {name for name, slug in suggest_for(reading).items() if slug == REFERENCE}
    scores: dict[str, list[float]] = {}
    for grade in reading.grades:
        scores.setdefault(grade.system, []).append(grade.score)
    means = {name: fmean(of) for name, of in scores.items()}
    others = [mean for name, mean in means.items() if name not in references]
    own = [mean for name, mean in means.items() if name in references]
    if own and others and max(own) < min(others) - 0.5:
        return f"{list_names(sorted(references))} has a mean of {own[0]:.2f}, lower than all others."
    return ""


def _ask_for_ends(reading: Reading, answers: Mapping[str, str]) -> None:
    low, high = reading.scale or (0, 0)
    said = [(int(a), int(b)) for a, b in _RANGE.findall(reading.heading) if int(a) < int(b)]
    fitting = [ends for ends in said or _OTHERS if ends[0] <= low and high <= ends[1]]
    fitting = sorted(fitting, key=lambda ends: (ends[1] - ends[0], ends))[:3]
    if not fitting or any(ends == (0, 100) for ends in said):
        return
    options = [
        Option(
            "keep",
            "Grades as they are",
            "Figures are on the file's scale; rules of MUSHRA like “below 90” mean nothing.",
        )
    ]
    for a, b in fitting:
        options += [
            Option(
                f"{a}..{b}", f"{a} to {b}, {b} is the best", f"Stretched: {a} becomes 0, {b} becomes 100."
            ),
            Option(
                f"{b}..{a}", f"{b} to {a}, {a} is the best", f"Stretched: {b} becomes 0, {a} becomes 100."
            ),
        ]
    answer = reading.ask(
        answers,
        "scale:ends",
        0,
        f"Grades are from {low:g} to {high:g}, on a scale that no method here has. What are its ends?",
        options,
        "keep",
    )
    if answer != "keep":
        worst, best = (float(end) for end in answer.split(".."))
        reading.grades = [
            replace(grade, score=round(100 * (grade.score - worst) / (best - worst), 9))
            for grade in reading.grades
        ]
        reading.notes.append(
            f"Grades were stretched: {worst:g} became 0, {best:g} became 100 (in the file they go from "
            f"{low:g} to {high:g})."
        )


def _suggest_method(reading: Reading) -> None:
    """Put the method first whose scale the grades are on."""
    low, high = reading.scale or (0, 0)
    plain = reduce(reading.heading)
    if low < 0 and low >= -3 and high <= 3:
        slug, why = "ccr", "a comparison"
    elif re.search(r"cmos|ccr|comparison|vergleich", plain) and high <= 3:
        slug, why = "ccr", f"{reading.heading}, a comparison"
    elif not 1 <= low <= high <= 5:
        return
    elif re.search(r"dmos|dcr|degradation|impairment|beeinträchtigung|störung|dégradation|劣化", plain):
        slug, why = "dcr", f"{reading.heading}, a degradation"
    else:
        slug, why = "acr", "an opinion in five categories"
    if slug in reading.methods:
        reading.methods = (slug, *(each for each in reading.methods if each != slug))
        reading.notes.append(
            f"{METHODS[slug].title} is suggested as the method: the grades are from {low:g} to {high:g} "
            f"({why})."
        )
