"""The commits of a space as they are made: watched, consumed, kept for a while, forgotten."""
