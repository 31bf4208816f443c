"""How good is a signal? Clips, renditions, scores, metrics and statistics."""
