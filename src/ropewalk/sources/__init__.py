"""Foreign formats that the house can read from, and never writes."""
