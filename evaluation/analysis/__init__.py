"""Statistics, figures and words: pure functions on frames, usable from a notebook. No Django."""
