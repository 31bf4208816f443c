"""Studies and sessions: what researchers and listeners change. Reads are in `listening.study.selectors`."""
