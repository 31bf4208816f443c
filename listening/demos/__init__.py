"""Demo pages: what their authors write, what is published of it, and what leaves the house as files."""
