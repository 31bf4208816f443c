"""Many listeners at once: what the site stands, measured with real processes and checked for losses.

`browsers` is what listeners' browsers do, over real connections; `trial` is the study they take and what is
looked up of them afterwards; `manage.py loadtest` puts both together.
"""
