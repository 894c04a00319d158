"""One at a time: leases, their queue, and the token that every write of a holder carries."""
