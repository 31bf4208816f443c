"""Figures of results as SVG: systems keep the order, colours and markers that the caller gives."""

from evaluation.analysis.figures.differences import Difference, differences
from evaluation.analysis.figures.grades import GradeRow, grades
from evaluation.analysis.figures.items import Cell, items
from evaluation.analysis.figures.scatter import Point, rates, scatter
from evaluation.analysis.figures.shares import ShareRow, shares
from evaluation.analysis.figures.style import (
    MUSHRA,
    Look,
    NoFonts,
    Scale,
    png,
    stamp,
    standalone_svg,
)

__all__ = [
    "MUSHRA",
    "Cell",
    "Difference",
    "GradeRow",
    "Look",
    "NoFonts",
    "Point",
    "Scale",
    "ShareRow",
    "differences",
    "grades",
    "items",
    "png",
    "rates",
    "scatter",
    "shares",
    "stamp",
    "standalone_svg",
]
