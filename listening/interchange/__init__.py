"""Imports and exports: other tools' formats, and Earshot's archive."""
