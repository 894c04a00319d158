"""A store on top of a store: what a unit of work reads and gathers before it commits."""
