"""How the long-term memory of LangGraph is read, compared, embedded and swept."""
