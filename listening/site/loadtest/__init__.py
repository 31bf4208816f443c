"""Load test: many listeners at once, with real processes, and a check for lost grades.

`browsers` does what listeners' browsers do, over real connections; `trial` makes the study that they take
and looks up their grades afterwards; `manage.py loadtest` uses both.
"""
