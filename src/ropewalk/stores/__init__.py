"""Turn entities into records and records into entities."""
