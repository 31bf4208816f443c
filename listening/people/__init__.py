"""Researchers among each other: who may do what with studies, and what they let each other do."""
