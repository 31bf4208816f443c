"""What the JSON columns of studies, sessions and imports hold; knows no tables."""
