"""Figures of results as SVG: systems keep the order, colours and markers that the caller gives."""

from evaluation.analysis.figures.differences import Difference, differences
from evaluation.analysis.figures.grades import GradeRow, grades
from evaluation.analysis.figures.items import Cell, items
from evaluation.analysis.figures.listeners import ListenerLine, listener_lines
from evaluation.analysis.figures.means import MeanRow, means
from evaluation.analysis.figures.power import PowerCurve, power_curves
from evaluation.analysis.figures.residuals import residuals
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
from evaluation.analysis.figures.tracks import delays

__all__ = [
    "MUSHRA",
    "Cell",
    "Difference",
    "GradeRow",
    "ListenerLine",
    "Look",
    "MeanRow",
    "NoFonts",
    "Point",
    "PowerCurve",
    "Scale",
    "ShareRow",
    "delays",
    "differences",
    "grades",
    "items",
    "listener_lines",
    "means",
    "png",
    "power_curves",
    "rates",
    "residuals",
    "scatter",
    "shares",
    "stamp",
    "standalone_svg",
]
