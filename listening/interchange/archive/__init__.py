"""A study as one file: everything that it is made of, to be kept, read by people, or imported elsewhere."""
