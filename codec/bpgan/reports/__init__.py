"""Measurements of a model: ceilings of each step, and the search report with tables, plots and profile."""
