"""Coats round a backend, each of them a backend again."""
