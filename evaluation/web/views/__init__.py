"""Pages and downloads of clips."""
