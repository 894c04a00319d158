"""Lines of work: made, forked, merged, rolled back, deleted."""
