"""The table of docs/statistics.md from what pages read.

    python -m tests.calibration.document

writes it anew between the two marks in the document.
"""

from __future__ import annotations

from pathlib import Path

from evaluation.analysis.statistics.calibration import ITEMS, LISTENERS, SCENARIOS, Cell, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "statistics.md"
START, END = "<!-- calibration -->", "<!-- end of calibration -->"
_ALL = 1000
_TITLES = {
    "grades": "Grades of 0 to 100 (MUSHRA)",
    "categories": "Whole categories (ACR, DCR, CCR)",
    "diff grades": "Diff grades (BS.1116)",
    "votes": "Votes (AB)",
    "answers": "Answers (ABX)",
    "companions": "Companion tests, of grades of 0 to 100",
    "ordered": "Companion of whole categories",
    "odds": "Companion of choices (AB, ABX)",
}


def to_markdown() -> str:
    """A table a method: a row a scenario and size, a column an analysis; cells as `describe`."""
    found = {
        (cell.method, cell.scenario, cell.listeners, cell.items, cell.analysis): cell for cell in table()
    }
    parts = []
    for method, title in _TITLES.items():
        names = list(dict.fromkeys(cell.analysis for cell in table() if cell.method == method))
        lines = [
            "| scenario | listeners | items | " + " | ".join(names) + " |",
            "|---|---|---|" + "---|" * len(names),
        ]
        for scenario in SCENARIOS:
            for listeners in LISTENERS:
                for items in ITEMS:
                    cells = [found.get((method, scenario, listeners, items, name)) for name in names]
                    if any(cells):
                        shown = " | ".join(describe(cell) for cell in cells)
                        lines.append(f"| {scenario} | {listeners} | {items} | {shown} |")
        parts.append(f"### {title}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def describe(cell: Cell | None) -> str:
    """“95.1 / 4.9”: coverage of 95 % intervals, alarms of 5 % tests; bold where they miss to the wrong side,
    in italics where to the safe side; – where nothing is claimed; how many studies, if fewer than a thousand
    had an answer."""
    if cell is None:
        return "–"
    text = " / ".join("–" if part is None else f"{part:.1f}" for part in (cell.coverage, cell.alarms))
    if cell.studies < _ALL:
        text += f" ({cell.studies})"
    return f"**{text}**" if cell.too_narrow else f"*{text}*" if cell.too_wide else text


def within(document: str) -> str:
    """The part of the document that is made here."""
    return document.split(START)[1].split(END)[0].strip("\n") + "\n"


if __name__ == "__main__":
    text = DOCUMENT.read_text()
    before, after = text.split(START)[0], text.split(END)[1]
    DOCUMENT.write_text(f"{before}{START}\n{to_markdown()}\n{END}{after}")
