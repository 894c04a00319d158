"""Move in and out: runs that are journalled in the target itself, verified and taken back."""
