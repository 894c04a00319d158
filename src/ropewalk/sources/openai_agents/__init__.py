"""What the sessions of OpenAI's Agents SDK keep in SQLite, with branches and usage."""
