"""Benchmarks of Ropewalk's checkpoints beside LangGraph's own SQLite saver."""
