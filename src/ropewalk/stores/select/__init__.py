"""One portable, read-only SELECT over records: the same answer on every back end."""
