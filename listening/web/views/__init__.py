"""Pages, one module a subject: signing in, studies, sessions of listeners, results."""
