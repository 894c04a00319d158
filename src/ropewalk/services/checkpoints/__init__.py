"""States and what is done with them: saved, read in part, pruned, collected, verified."""
