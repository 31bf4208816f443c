"""Tables as LaTeX with booktabs: the summary table and the other tables of a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evaluation.analysis.words import count
from listening.results.outcome import Results
from listening.results.scales import decimals_of

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_",
    "%": r"\%", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "±": r"$\pm$", "−": r"$-$", "–": "--", "≥": r"$\geq$", "τ": r"$\tau$",
    "…": r"\dots{}", "\n": " ", "\r": " ",
}  # fmt: skip


def escape(text: str) -> str:
    """Escape `text` for LaTeX."""
    return "".join(_SPECIAL.get(letter, letter) for letter in text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, caption: str, label: str) -> str:
    """A table in booktabs' style; the first column is text, the others are numbers.

    Cells are printed as they are; whoever makes them has escaped what people wrote.
    """
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}[t]",
        r"\centering",
        rf"\caption{{{caption}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"\toprule",
        " & ".join(head) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def number(value: float | None, decimals: int) -> str:
    if value is None:
        return "--"
    return f"${value:.{decimals}f}$" if value < 0 else f"{value:.{decimals}f}"


def table3(results: Results) -> str:
    """Bit rate, objective scores and MUSHRA of every system."""
    covers = results.coverages
    titles = [escape(metric.title) + _bracket(covers[metric.slug].column) for metric in results.metrics]
    head = ["System", "kbit/s", *titles, results.measure]
    rows = []
    for row in results.systems:
        grade = number(row.mean, decimals_of(results.scale)) + escape(row.spread)
        rate = number(row.objective.kbps, 2) + ("*" if row.objective.stated else "")
        scores = [
            number(row.objective.scores.get(each.slug), each.decimals)
            + _bracket(covers[each.slug].cells.get(row.slug, ""))
            for each in results.metrics
        ]
        rows.append([escape(row.title), rate, *scores, grade])
    return table(head, rows, caption=caption(results), label="tab:mushra")


def _bracket(text: str) -> str:
    return f" ({text})" if text else ""


def _kind_note(results: Results) -> str:
    said = {"pilot": "PILOT DATA, NOT A RESULT. ", "simulated": "SIMULATED GRADES, NOT A RESULT. "}
    return said.get(results.kind, "")


def caption(results: Results) -> str:
    """The caption of the summary table."""
    who = f"{count(results.listeners, 'listener')}, {count(results.items, 'item')}"
    screened = f", {len(results.excluded)} screened out by {results.screening.profile.title}"
    rated = [row.objective for row in results.systems if row.objective.kbps is not None]
    columns = []
    if rated:
        measured = any(not each.stated for each in rated)
        stated = ", * as stated by its developer" if any(each.stated for each in rated) else ""
        columns.append(f"{'measured bit rate' if measured else 'bit rate'}{stated}")
    if results.metrics:
        columns.append(f"objective scores ({results.means_over})")
    before = f"{', '.join(columns)}, and " if columns else ""
    interval = " ± half of its 95 % t interval over listeners" if results.listeners > 1 else ""
    text = (
        f"{_kind_note(results)}{results.study.name}. {before[:1].upper()}{before[1:]}"
        f"{results.measure}: mean of listener means{interval} ({who}"
        f"{screened if results.excluded else ''})."
    )
    return escape(text).replace(r" \%", r"\,\%")


def grades(results: Results) -> str:
    """The table that BS.1534-3 requires in a report (M26): median, IQR, mean and interval of every system."""
    decimals = decimals_of(results.scale)
    head = ["System", "$n$", "Listeners", "Median", "IQR", "Mean", r"95\,\% interval"]
    rows = [
        [
            escape(row.title),
            str(row.n),
            str(row.listeners),
            number(row.median, decimals),
            number(row.iqr, decimals),
            number(row.mean, decimals),
            "--" if row.low is None else f"{number(row.low, decimals)}--{number(row.high, decimals)}",
        ]
        for row in results.systems
    ]
    text = (
        f"{_kind_note(results)}{results.study.name}. $n$: grades. Median and IQR (Tukey hinges) of "
        "grades; mean of listener means with Student's t interval over listeners."
    )
    return table(head, rows, caption=escape(text).replace(r"\$n\$", "$n$"), label="tab:grades")


#: By name in URLs.
TABLES: dict[str, Callable[[Results], str]] = {"table3": table3, "grades": grades}
