"""Formats that are not ours, and the archive: imports and exports."""
