"""Files that take a while: a worker makes them, and whoever asked fetches them within a day."""
