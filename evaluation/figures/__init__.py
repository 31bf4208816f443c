"""Figures of results as SVG: every system always in the same order, colour and marker."""

from evaluation.figures.differences import Difference, differences
from evaluation.figures.grades import GradeRow, grades
from evaluation.figures.items import Cell, items
from evaluation.figures.scatter import Point, rates, scatter
from evaluation.figures.shares import ShareRow, shares
from evaluation.figures.style import MUSHRA, NoFonts, Scale, colour, looks, marker, order, png, saved

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
