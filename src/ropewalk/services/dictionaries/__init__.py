"""Dictionaries for the compressor: how they are made, kept with a space, and leaned on."""
