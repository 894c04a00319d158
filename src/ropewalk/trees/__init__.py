"""States as trees of nodes that are named by what they hold: pure algorithms over bytes."""
