"""Databases that the checkpointers of LangGraph wrote, read without LangGraph."""
