"""Source recordings: taking them in, storing them, reading them, removing them."""
