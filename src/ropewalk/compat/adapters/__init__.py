"""The interfaces of the four modules over one unified storage."""
