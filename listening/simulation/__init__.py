"""Simulated listeners and their runs."""
