"""Records as lines that can be read without the store: written, read, and a person erased."""
