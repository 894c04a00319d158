"""What the house can do: the managers that programs and frontends speak to."""
