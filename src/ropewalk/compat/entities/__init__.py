"""What goes in and out of the interfaces: the legacy program's own values."""
