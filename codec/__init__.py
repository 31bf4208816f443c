"""Waveform <-> bits: the systems that Earshot compares. Knows neither Django nor people."""

__version__ = "0.1.0"
