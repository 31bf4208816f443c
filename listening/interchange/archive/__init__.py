"""A study as one file that can be archived, read by people, or imported by another Earshot."""
