"""Views of pages, one module per subject: sign-in, studies, listeners' sessions, results."""
