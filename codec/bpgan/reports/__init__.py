"""What a model can do: ceilings, the search report, tables, plots and profiles."""
