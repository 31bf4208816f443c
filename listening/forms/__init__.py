"""What a researcher decides of a study, a section of its page each."""
