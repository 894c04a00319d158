"""A little back end for Ropewalk, as somebody else would write it."""
