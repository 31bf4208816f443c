"""People: studies, the rating page, sessions, ratings, results, exports, the API."""
