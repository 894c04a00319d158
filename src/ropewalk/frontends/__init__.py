"""The ways in: each folder or file here is one way to reach the services."""
