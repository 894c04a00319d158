"""Conversations as JSON lines, one object each, under the names that anybody gives their fields."""
