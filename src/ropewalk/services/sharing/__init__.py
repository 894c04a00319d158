"""Spaces, the fences around them, and what one of them grants to another."""
