"""Words that say that listeners practise: in names of pages, items and phases, and in texts for listeners."""

from __future__ import annotations

import re

#: These mean nothing else.
_CERTAIN = (
    r"(pre.?)?training\w*|practi[cs](e|es|ing)|pre.?tests?|warm.?ups?|famil[a-z]+i[sz]\w*|tutorials?|übung\w*|"
    r"uebung\w*|vortests?|vorversuche?|einhör\w*|eingewöhnung\w*|probe(durch|lauf|trial|phase|runde)\w*|"
    r"entra[iî]nement\w*|entrenamiento\w*|allenamento|oefen\w*|treino|練習\w*|訓練\w*"
)
#: These may be something else as well: a train, a sample in German.
_LIKELY = r"(pre.?)?train|probe\w*|exercices?"
_NAMES = r"demo|dry.?run|examples?|beispiele?"


def _whole(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W\d_])({words})(?![^\W\d_])", re.IGNORECASE)


_TEXT, _NAME = _whole(f"{_CERTAIN}|{_LIKELY}"), _whole(f"{_CERTAIN}|{_LIKELY}|{_NAMES}")
_SURE = _whole(_CERTAIN)


#: Where a name that is written as one word has its parts: ``TrainingPage1``, ``pageTraining``.
_PARTS = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=[a-zß-öø-ÿ])(?=[A-ZÀ-ÖØ-Þ])")


def practice_in_name(name: str) -> str:
    """The word of a name that suggests that listeners practise on what it names; else empty."""
    match = _NAME.search(_PARTS.sub(" ", name))
    return match[0] if match else ""


def practice_in_text(text: str) -> str:
    """The word of a text that suggests that listeners practise on what it describes; else empty."""
    match = _TEXT.search(text)
    return match[0] if match else ""


def is_practice(name: str) -> bool:
    """Whether a name leaves no doubt that it names something to practise on."""
    return bool(_SURE.search(_PARTS.sub(" ", name)))
