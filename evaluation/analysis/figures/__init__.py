"""Figures of results as SVG: every system always in the same order, colour and marker."""

from evaluation.analysis.figures.differences import Difference, differences
from evaluation.analysis.figures.grades import GradeRow, grades
from evaluation.analysis.figures.items import Cell, items
from evaluation.analysis.figures.scatter import Point, rates, scatter
from evaluation.analysis.figures.shares import ShareRow, shares
from evaluation.analysis.figures.style import (
    MUSHRA,
    NoFonts,
    Scale,
    colour,
    looks,
    marker,
    order,
    png,
    saved,
)

__all__ = [
    "MUSHRA",
    "Cell",
    "Difference",
    "GradeRow",
    "NoFonts",
    "Point",
    "Scale",
    "ShareRow",
    "colour",
    "differences",
    "grades",
    "items",
    "looks",
    "marker",
    "order",
    "png",
    "rates",
    "saved",
    "scatter",
    "shares",
]
