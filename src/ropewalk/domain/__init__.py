"""Pure values, rules and ports: the ground floor, which does no I/O."""
