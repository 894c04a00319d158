"""The JSON, JSONL and SQLite files of the program that came before, generation by generation."""
