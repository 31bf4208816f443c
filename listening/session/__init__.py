"""One listener's way through a study."""
