"""A listener's session: its steps, orders and answers."""
